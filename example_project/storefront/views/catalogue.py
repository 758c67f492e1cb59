"""Home, categories, search and products."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe
from shop_catalog import browsing, facets
from shop_catalog import categories as catalog_categories
from shop_catalog import reviews as review_verbs
from shop_catalog.exceptions import InvalidCursor, ShopCatalogError, UnknownCategory
from shop_catalog.models import Product, Review
from shop_orders.conf import app_settings

from storefront import cards, offers, queries, shipping
from storefront.caching import shared
from storefront.context_processors import keep_tree, tree_of, visible_children
from storefront.filters import RATINGS, Choice
from storefront.forms import ReviewForm
from storefront.limits import limited_reviews

PAGE_SIZE = 24
SUGGESTED = 6
PICTURE_SAMPLE = 60
REVIEWS_SHOWN = 5
REVIEWS_PER_PAGE = 20


@require_safe
@shared
def home(request: HttpRequest) -> HttpResponse:
    """The shelves are read again when the catalogue changes, and once a minute."""
    context = {
        "catalogue_version": facets.version(now=timezone.now()),
        "shelves": SimpleLazyObject(lambda: _shelves(tree_of(request))),
    }
    return render(request, "storefront/home.html", context)


@require_safe
@shared
def categories(request: HttpRequest) -> HttpResponse:
    tree = tree_of(request)
    top_tiles = [(*tile, visible_children(tree, tile[0].id)) for tile in _top_categories(tree)]
    return render(request, "storefront/categories.html", {"top_tiles": top_tiles})


@require_safe
@shared
def category(request: HttpRequest, slug: str) -> HttpResponse:
    tree = tree_of(request)
    node = tree.by_slug.get(slug)
    if node is None or not node.is_visible:
        raise Http404
    path = tree.path(node.id)
    try:
        listed = _list(request, Choice(request.GET, category=slug))
    except UnknownCategory:  # deleted in the meantime
        raise Http404 from None
    context = {
        "category": node,
        "description": queries.category_description(node.id),
        "path": path,
        "top_slug": path[0].slug,
        "is_top": len(path) == 1,
        "children": visible_children(tree, node.id),
        **listed,
    }
    return render(request, "storefront/category.html", context)


@require_safe
@shared
def search(request: HttpRequest) -> HttpResponse:
    """The products that match ``?q=``; without it, all products."""
    choice = Choice(request.GET)
    context = {"query": choice.text, **_list(request, choice)}
    return render(request, "storefront/search.html", context)


@require_safe
@shared
def suggestions(request: HttpRequest) -> HttpResponse:
    """A few categories and products for the text typed so far, as an HTML fragment."""
    text = Choice(request.GET).text
    found = browsing.suggest(text, limit=SUGGESTED)
    context = {"text": text, "products": cards.of_products(found.products), "categories": found.categories[:3]}
    return render(request, "storefront/parts/suggestions.html", context)


@require_safe
@shared
def product(request: HttpRequest, slug: str) -> HttpResponse:
    view = browsing.find_product(slug)
    if view is None:
        raise Http404
    if view.product.group_slug:
        return redirect("storefront:product", slug=view.product.group_slug)
    return render(request, "storefront/product.html", _product(request, view))


@require_safe
@shared
def reviews(request: HttpRequest, slug: str) -> HttpResponse:
    """All published reviews, newest first."""
    item = _listed(slug)
    rows = item.reviews.published().select_related("author")
    found = list(_after(rows, request.GET.get("after", ""))[: REVIEWS_PER_PAGE + 1])
    context = {
        "product": item,
        "reviews": found[:REVIEWS_PER_PAGE],
        "next": found[REVIEWS_PER_PAGE - 1].public_id if len(found) > REVIEWS_PER_PAGE else None,
    }
    return render(request, "storefront/reviews.html", context)


@login_required
@require_http_methods(["GET", "POST"])
@limited_reviews
def review(request: HttpRequest, slug: str) -> HttpResponse:
    """Write a review, or change the existing one."""
    item = _listed(slug)
    mine = Review.objects.filter(product=item, author_id=request.user.pk).first()
    initial = {"rating": mine.rating, "title": mine.title, "body": mine.body} if mine else {}
    form = ReviewForm(request.POST if request.method == "POST" else None, initial=initial)
    if form.is_bound and form.is_valid():
        try:
            saved = _save_review(item, mine, request.user, form.cleaned_data)
        except ShopCatalogError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _thanks(saved))
            return redirect("storefront:product", slug=slug)
    context = {"product": item, "form": form, "mine": mine}
    return render(request, "storefront/review.html", context)


def _shelves(tree: catalog_categories.CategoryTree) -> dict[str, Any]:
    featured = _cards(browsing.Filters(featured=True, in_stock=True), limit=8)
    return {
        "featured": featured,
        "newest": _cards(browsing.Filters(), limit=8),
        "pictured": [card for card in featured if card.picture][:3],
        "top_tiles": _top_categories(tree),
    }


def _cards(filters: browsing.Filters, *, limit: int) -> list[cards.Card]:
    return cards.of_rows(browsing.list_products(filters, limit=limit, with_categories=False).rows)


def _top_categories(tree: catalog_categories.CategoryTree) -> list[tuple[catalog_categories.Node, str, str]]:
    """The top categories, each with its own picture or that of a well-rated product below it."""
    page = browsing.list_products(browsing.Filters(in_stock=True), ordering="rating", limit=PICTURE_SAMPLE)
    pictures: dict[int, tuple[str, str]] = {}
    for row, card in zip(page.rows, cards.of_rows(page.rows), strict=True):
        for node in page.categories[row.id]:
            if card.picture is not None:
                pictures.setdefault(tree.path(node.id)[0].id, (card.picture.card, card.picture.srcset))
    roots = visible_children(tree, None)
    return [
        (node, *((node.renditions["card"], node.srcset) if node.image else pictures.get(node.id, ("", ""))))
        for node in roots
    ]


def _list(request: HttpRequest, choice: Choice) -> dict[str, Any]:
    """A page of products with filters, for categories and the search."""
    filters = choice.filters()
    facets = browsing.count_facets(filters, with_categories=False, tree=tree_of(request))
    cursor = request.GET.get("after", "")
    page = _page_after(cursor, filters, choice.sort) if cursor else None
    is_first_page = page is None
    page = page or browsing.list_products(filters, ordering=choice.sort, limit=PAGE_SIZE, with_categories=False)
    return {
        "cards": cards.of_rows(page.rows),
        "choice": choice,
        "kept_parameters": choice.other_parameters("sort"),
        "ratings": RATINGS,
        "chips": choice.chips(),
        "facets": facets,
        "attributes": choice.attribute_facets(facets.attributes),
        "total": facets.count,
        "is_exact": facets.is_exact,
        "is_first_page": is_first_page,
        "corrected": page.corrected,
        "next_url": choice.url(after=browsing.place_to_cursor(page.next, ordering=choice.sort)) if page.next else "",
    }


def _page_after(cursor: str, filters: browsing.Filters, ordering: str) -> browsing.Page | None:
    """The next page after the one with this cursor; ``None`` if the cursor is not valid (any more)."""
    try:
        place = browsing.place_from_cursor(cursor, ordering=ordering)
        return browsing.list_products(filters, ordering=ordering, after=place, limit=PAGE_SIZE, with_categories=False)
    except InvalidCursor:
        return None


def _product(request: HttpRequest, view: browsing.ProductPage) -> dict[str, Any]:
    details = view.product
    if view.tree is not None:
        keep_tree(request, view.tree)
    found = offers.of_product(view)
    chosen = offers.chosen(found, request.GET.get("sku", ""))
    differs = len({offer.price.amount for offer in found}) > 1
    path = view.paths[0] if view.paths else []
    price = chosen.price if chosen else cards.price_tag(details.price, details.compare_at_price, is_from=differs)
    return {
        "product": details,
        "price": price,
        "lowest_price": _lowest_before(price, details.lowest_price),
        "offers": found,
        "chosen": chosen,
        "option_names": offers.option_names(view),
        "pictures": offers.pictures_of(view),
        "facts": offers.facts(view),
        "max_quantity": app_settings.MAX_QUANTITY,
        "deliveries": shipping.choices,
        "path": path,
        "top_slug": path[0].slug if path else "",
        "reviews": queries.newest_reviews(details.id, limit=REVIEWS_SHOWN) if details.rating_count else [],
        "bars": offers.rating_bars(details.id) if details.rating_count else [],
        "related": _cards(browsing.Filters(related_to=details.slug), limit=4),
    }


def _lowest_before(price: cards.PriceTag | None, lowest: Decimal | None) -> Decimal | None:
    """The lowest price of the last 30 days, if the price is reduced and was lower than now in that time."""
    if price is None or price.before is None or lowest is None:
        return None
    return lowest if lowest < price.amount else None


def _listed(slug: str) -> Product:
    """A published product or group: its reviews are open to read and write also while it is not for sale."""
    item = Product.objects.published().filter(parent__isnull=True, slug=slug).first()
    if item is None:
        raise Http404
    return item


def _after(rows: Any, public_id: str) -> Any:
    """The reviews after ``public_id``, newest first."""
    try:
        last = rows.filter(public_id=public_id).first() if public_id else None
    except ValidationError:
        last = None
    return rows.filter(pk__lt=last.pk) if last is not None else rows


def _save_review(item: Product, mine: Review | None, user: Any, values: dict[str, Any]) -> Review:
    if mine is None:
        return review_verbs.submit(item, user=user, **values)
    return review_verbs.change(mine, **values)


def _thanks(saved: Review) -> str:
    if saved.status == "published":
        return _("Thank you. Your review is published.")
    return _("Thank you. We check your review before it is published.")
