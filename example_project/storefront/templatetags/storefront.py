"""Money, icons, stars and pictures in templates."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import cache, lru_cache
from typing import Any

from django import template
from django.conf import settings
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.utils.formats import number_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import capfirst
from django.utils.translation import get_language, get_language_info, ngettext
from django.utils.translation import gettext as _
from shop_orders.contrib.pages.templatetags.shop_orders_pages import address_lines, money, percent, plain, price

from storefront.cards import Card, PriceTag
from storefront.filters import Facet
from storefront.offers import Bar
from storefront.pictures import Picture

register = template.Library()
for shared in (address_lines, money, percent, plain, price):
    register.filter(shared)

CACHED_PIECES = 0 if settings.DEBUG else 4096
"""The number of pieces of HTML of each kind that a process caches. Cards take about 8 MB."""

FIRST, LATER = mark_safe(' fetchpriority="high"'), mark_safe(' loading="lazy" decoding="async"')
"""The loading attributes of a picture at the top of a page, and of any other picture."""


@register.simple_tag
@cache
def languages() -> list[tuple[str, str]]:
    """The languages of the shop, each with its own name for itself."""
    return [(code, str(capfirst(get_language_info(code)["name_local"]))) for code, _name in settings.LANGUAGES]


@register.simple_tag
@cache
def icon(name: str) -> SafeString:
    """A decorative symbol of the sprite. The text beside it must say what it means."""
    return format_html(
        '<svg class="icon" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>',
        static("storefront/icons.svg"),
        name,
    )


@register.simple_tag
def stars(rating: Decimal | float) -> SafeString:
    """Five stars, and the number as text for screen readers."""
    return _stars(rating, get_language())


@lru_cache(maxsize=CACHED_PIECES)
def _stars(rating: Decimal | float, _language: str | None) -> SafeString:
    marks = _marks(round(float(rating) * 2))
    text = _("%(rating)s of 5 stars") % {"rating": number_format(Decimal(str(rating)).normalize(), use_l10n=True)}
    return format_html('<span class="stars">{}</span><span class="visually-hidden">{}</span>', marks, text)


@cache
def _marks(halves: int) -> SafeString:
    return format_html_join("", "{}", ((_star(halves - 2 * place),) for place in range(5)))


def _star(halves: int) -> SafeString:
    if halves == 1:
        return format_html('<span class="half">{}{}</span>', _star(0), _star(2))
    return format_html(
        '<svg class="icon{}" aria-hidden="true" focusable="false"><use href="{}#star"></use></svg>',
        "" if halves > 0 else " off",
        static("storefront/icons.svg"),
    )


@register.simple_tag
def rating(average: Decimal, count: int) -> SafeString:
    """The stars of a product with its number of reviews."""
    return _rating(average, count, get_language())


@lru_cache(maxsize=CACHED_PIECES)
def _rating(average: Decimal, count: int, _language: str | None) -> SafeString:
    text = ngettext("%(count)s review", "%(count)s reviews", count) % {"count": count}
    return format_html(
        '<span class="rating">{}<span aria-hidden="true">({})</span><span class="visually-hidden">{}</span></span>',
        stars(average),
        count,
        text,
    )


@register.simple_tag
def facet(facet: Facet) -> SafeString:
    """The values of an attribute to choose from. Cached like ``card``."""
    return _facet(facet, get_language())


@lru_cache(maxsize=CACHED_PIECES)
def _facet(facet: Facet, _language: str | None) -> SafeString:
    return render_to_string("storefront/parts/facet.html", {"facet": facet})


@register.simple_tag
def rating_bars(bars: tuple[Bar, ...]) -> SafeString:
    """The number of reviews by stars. Cached like ``card``."""
    return _rating_bars(bars, get_language())


@lru_cache(maxsize=CACHED_PIECES)
def _rating_bars(bars: tuple[Bar, ...], _language: str | None) -> SafeString:
    return render_to_string("storefront/parts/rating_bars.html", {"bars": bars})


@register.simple_tag
def card(card: Card, *, eager: bool = False) -> SafeString:
    """A product in a list. Its HTML is cached by all values that it shows, so it is never out of date."""
    return _card(card, get_language(), eager)


@lru_cache(maxsize=CACHED_PIECES)
def _card(card: Card, _language: str | None, eager: bool) -> SafeString:  # noqa: FBT001
    return render_to_string("storefront/parts/card.html", {"card": card, "eager": eager})


@register.simple_tag
def picture(picture: Picture | None, sizes: str, *, eager: bool = False) -> SafeString:
    """A picture in the sizes that exist, or a placeholder.

    ``sizes`` is the HTML attribute: the width at which it is shown.
    """
    if picture is None:
        return _no_picture(get_language())
    return format_html(
        '<img src="{card}"{widths} alt="{alt}" width="{width}" height="{height}"{loading}>',
        **vars(picture),
        widths=format_html(' srcset="{}" sizes="{}"', picture.srcset, sizes) if picture.srcset else "",
        loading=FIRST if eager else LATER,
    )


@cache
def _no_picture(_language: str | None) -> SafeString:
    text = _("There is no picture yet.")
    return format_html(
        '<span class="no-picture">{}<span class="visually-hidden">{}</span></span>', icon("image"), text
    )


@register.filter
def item(values: Mapping[str, Any], key: Any) -> Any:
    return values.get(str(key))


@register.simple_tag
def price_tag(tag: PriceTag | None) -> SafeString:
    """The price, and for a reduced one the price before. Screen readers get a label for each."""
    if tag is None:
        return SafeString()
    now = _("from %(amount)s") % {"amount": price(tag.amount)} if tag.is_from else price(tag.amount)
    if tag.before is None:
        return format_html('<span class="price"><span class="now">{}</span></span>', now)
    return format_html(
        '<span class="price reduced"><span class="now"><span class="visually-hidden">{} </span>{}</span>'
        ' <span class="visually-hidden">{}</span> <del>{}</del></span>',
        _("Now"),
        now,
        _("before:"),
        price(tag.before),
    )
