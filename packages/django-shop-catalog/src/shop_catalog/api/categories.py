"""Categories: a list, the tree, one category with its breadcrumbs, its average price, and changes by staff."""

import hashlib
from typing import Annotated, Any, Literal

from django.http import HttpRequest, HttpResponse
from django.utils.http import parse_etags
from django.utils.translation import gettext as _
from ninja import Path, Query, Schema
from ninja.responses import Status
from pydantic import Field
from pydantic_core import to_json
from shop_core.api.auth import OPTIONAL_SECURITY
from shop_core.api.problems import responses
from shop_core.exceptions import PermissionMissing

from shop_catalog import categories, cursors, money, statistics
from shop_catalog.api import auth
from shop_catalog.api.routers import router
from shop_catalog.api.schemas import AveragePrice, CategoryDetail, CategoryIn, CategoryPage, CategoryPatch, TreeNode
from shop_catalog.categories import Node
from shop_catalog.categories.cached_tree import MAX_DEPTH
from shop_catalog.conf import app_settings
from shop_catalog.exceptions import UnknownCategory
from shop_catalog.models import Category
from shop_catalog.types import Cursor, Limit, Slug, given

CATEGORY_PATH = "/categories/{slug}/"


class CategoryFilters(Schema):
    parent: Slug | None = Field(None, description="Only the children of this category.")
    depth: int | None = Field(
        None, ge=1, le=MAX_DEPTH, description="The number of levels to return; 1 returns only the roots."
    )
    include_inactive: bool = Field(default=False, description="For staff.")
    cursor: Cursor = ""
    limit: Limit = 50


@router.get(
    "/categories/",
    auth=auth.optional,
    response={200: CategoryPage, 304: None, **responses(401, 403, 404)},
    operation_id="list_categories",
    summary="List categories in tree order",
    openapi_extra=OPTIONAL_SECURITY,
)
def list_categories(request: HttpRequest, filters: Query[CategoryFilters]) -> Any:
    if filters.include_inactive and not auth.is_staff(request, "shop_catalog.view_category"):
        raise PermissionMissing("shop_catalog.view_category")
    tree = categories.current_tree()
    parent = _node(tree, filters.parent, with_hidden=filters.include_inactive) if filters.parent else None
    nodes = [
        node
        for node in (tree.children.get(parent.id, []) if parent is not None else tree.walk())
        if (node.is_visible or filters.include_inactive) and (filters.depth is None or node.level < filters.depth)
    ]
    start = _position_after(nodes, filters.cursor) if filters.cursor else 0
    page = nodes[start : start + filters.limit]
    more = len(nodes) > start + filters.limit
    items = [_item(tree, node) for node in page]
    return _json({"items": items, "next": cursors.encode([page[-1].slug], of="categories") if more else None})


@router.get(
    "/categories/tree/",
    auth=auth.optional,
    response={200: list[TreeNode], 304: None, **responses(401, 404)},
    operation_id="get_category_tree",
    summary="The category tree, nested",
    description="Responds with 304 to an If-None-Match with the ETag of the current tree.",
    openapi_extra=OPTIONAL_SECURITY,
)
def get_category_tree(
    request: HttpRequest,
    root: Slug | None = None,
    depth: Annotated[int, Field(ge=1, le=MAX_DEPTH)] = MAX_DEPTH,
) -> Any:
    version = categories.tree_version()
    etag = f'"{_digest(f"{version}/{root}/{depth}")}"'
    if etag in parse_etags(request.headers.get("If-None-Match", "").replace("W/", "")):  # a proxy may weaken it
        response = HttpResponse(status=304)
    else:
        body = categories.tree_at(version).nested_json(root or "", depth)
        if body is None:
            raise UnknownCategory(_("There is no category %(slug)s.") % {"slug": root})
        response = HttpResponse(body, content_type="application/json")
    response["ETag"] = etag
    response["Cache-Control"] = "public, no-cache"
    return response


@router.get(
    CATEGORY_PATH,
    auth=auth.optional,
    response={200: CategoryDetail, 304: None, **responses(401, 404)},
    operation_id="get_category",
    summary="One category with its breadcrumbs",
    openapi_extra=OPTIONAL_SECURITY,
)
def get_category(request: HttpRequest, slug: Path[Slug]) -> Any:
    return _json(category_detail(request, slug))


@router.get(
    CATEGORY_PATH + "average_price/",
    auth=auth.optional,
    response={200: AveragePrice, 304: None, **responses(401, 404)},
    operation_id="get_average_price",
    summary="Average, lowest and highest price in a category with its subtree",
    description="Covers published simple products and variants; each counts once.",
    openapi_extra=OPTIONAL_SECURITY,
)
def get_average_price(request: HttpRequest, slug: Path[Slug]) -> Any:  # noqa: ARG001
    prices = statistics.for_category(slug)
    if prices is None:
        raise UnknownCategory(_("There is no category %(slug)s.") % {"slug": slug})
    return _json(
        {
            "category": slug,
            "currency": app_settings.CURRENCY,
            "count": prices.count,
            "average": money.as_text(prices.average),
            "min": money.as_text(prices.lowest),
            "max": money.as_text(prices.highest),
        }
    )


@router.post(
    "/categories/",
    auth=auth.staff,
    response={201: CategoryDetail, **responses(401, 403, 404, 409)},
    operation_id="create_category",
    summary="Add a category",
)
def create_category(request: HttpRequest, payload: CategoryIn) -> Any:
    auth.check_permission(request, "shop_catalog.add_category")
    values = payload.model_dump(exclude={"parent", "slug"})
    parent = categories.get(payload.parent) if payload.parent else None
    category = categories.create(values.pop("name"), parent=parent, slug=payload.slug or "", **values)
    return Status(201, category_detail(request, category.slug))


@router.patch(
    CATEGORY_PATH,
    auth=auth.staff,
    response={200: CategoryDetail, **responses(401, 403, 404, 409)},
    operation_id="update_category",
    summary="Change or move a category",
)
def update_category(request: HttpRequest, slug: Path[Slug], payload: CategoryPatch) -> Any:
    auth.check_permission(request, "shop_catalog.change_category")
    values = given(payload)
    category = categories.get(slug)
    if "parent" in values or "before" in values:
        before = categories.get(values.pop("before")) if "before" in values else None
        parent_slug = values.pop("parent", before.parent.slug if before is not None and before.parent else None)
        parent = categories.get(parent_slug) if parent_slug else None
        category = categories.move(category, parent=parent, before=before)
    if values:
        category = categories.change(category, **values)
    return category_detail(request, category.slug)


@router.delete(
    CATEGORY_PATH,
    auth=auth.staff,
    response={204: None, **responses(401, 403, 404, 409)},
    operation_id="delete_category",
    summary="Delete a category",
)
def delete_category(request: HttpRequest, slug: Path[Slug], children: Literal["refuse", "move_up"] = "refuse") -> Any:
    auth.check_permission(request, "shop_catalog.delete_category")
    categories.delete(categories.get(slug), children=children)
    return Status(204, None)


def category_detail(request: HttpRequest, slug: str) -> dict[str, Any]:
    tree = categories.current_tree()
    node = _node(tree, slug, with_hidden=auth.is_staff(request, "shop_catalog.view_category"))
    description, position = Category.objects.filter(pk=node.id).values_list("description", "position").get()
    prices = statistics.for_category(slug)
    return {
        **_item(tree, node),
        "description": description,
        "position": position,
        "ancestors": [_link(ancestor) for ancestor in tree.path(node.id)[:-1]],
        "children": [_link(child) for child in tree.children.get(node.id, ()) if child.is_visible],
        "product_count": prices.count if prices is not None else 0,
    }


def _node(tree: categories.CategoryTree, slug: Path[Slug], *, with_hidden: bool) -> Node:
    node = tree.by_slug.get(slug)
    if node is None or not (node.is_visible or with_hidden):
        raise UnknownCategory(_("There is no category %(slug)s.") % {"slug": slug})
    return node


def _item(tree: categories.CategoryTree, node: Node) -> dict[str, Any]:
    return {
        "slug": node.slug,
        "name": node.name,
        "parent": tree.nodes[node.parent_id].slug if node.parent_id is not None else None,
        "level": node.level,
        "image": node.picture,
        "is_active": node.is_active,
    }


def _link(node: Node) -> dict[str, str]:
    return {"slug": node.slug, "name": node.name}


def _position_after(nodes: list[Node], cursor: str) -> int:
    """The index of the first category after a cursor. If the cursor's category was deleted, the list ends."""
    slug = cursors.decode(cursor, of="categories")[0]
    return next((index + 1 for index, node in enumerate(nodes) if node.slug == slug), len(nodes))


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def _json(value: Any) -> HttpResponse:
    return HttpResponse(to_json(value), content_type="application/json")
