"""A page to sell, and what Wagtail's own migrations would make: a locale, a root page and a site."""

from decimal import Decimal

from wagtail.models import Locale, Page, Site

from hosts.wagtail_pages.models import LoafPage, LoafStock


def make_loaf(units: int) -> LoafPage:
    Locale.objects.get_or_create(language_code="en")
    root = Page.get_first_root_node() or Page.add_root(instance=Page(title="Root", slug="root"))
    Site.objects.get_or_create(is_default_site=True, defaults={"hostname": "testserver", "root_page": root})
    page = root.add_child(instance=LoafPage(title="Mug", slug="mug", price=Decimal("12.50"), stock=units))
    LoafStock.objects.create(page=page, units=units)
    return page
