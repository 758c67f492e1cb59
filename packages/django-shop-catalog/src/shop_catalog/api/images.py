"""Images of a product and of a category: anyone can read them, staff can upload and delete them."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.utils.translation import gettext as _
from ninja import File, Form, Path, Schema
from ninja.errors import HttpError
from ninja.files import UploadedFile
from ninja.responses import Status
from shop_core.api.auth import OPTIONAL_SECURITY
from shop_core.api.problems import responses
from shop_core.api.types import ShortText

from shop_catalog import browsing, categories, images
from shop_catalog.api import auth
from shop_catalog.api.categories import CATEGORY_PATH, category_detail
from shop_catalog.api.products import PRODUCT_PATH, by_slug, image_out
from shop_catalog.api.routers import router
from shop_catalog.api.schemas import CategoryDetail, ImageOut
from shop_catalog.exceptions import UnknownProduct
from shop_catalog.types import Slug

ACCEPTED = (
    "JPEG, PNG, WebP or AVIF, and HEIC if the server has the extra `heic`; at most 5 MB and 24 megapixels. "
    "It is re-encoded upright, in sRGB and without metadata."
)


class ImageDetails(Schema):
    alt: ShortText = ""
    is_primary: bool = False


@router.get(
    PRODUCT_PATH + "images/",
    auth=auth.optional,
    response={200: list[ImageOut], 304: None, **responses(401, 404)},
    operation_id="list_images",
    summary="Images of a product, the primary one first",
    openapi_extra=OPTIONAL_SECURITY,
)
def list_images(request: HttpRequest, slug: Path[Slug]) -> Any:
    page = browsing.find_product(slug, with_unpublished=auth.is_staff(request, "shop_catalog.view_product"))
    if page is None:
        raise UnknownProduct(_("There is no product %(slug)s.") % {"slug": slug})
    return [image_out(image) for image in page.images]


@router.post(
    PRODUCT_PATH + "images/",
    auth=auth.staff,
    response={201: ImageOut, **responses(401, 403, 404)},
    operation_id="add_image",
    summary="Upload an image",
    description=ACCEPTED,
)
def add_image(
    request: HttpRequest,
    slug: Path[Slug],
    file: File[UploadedFile],
    details: Form[ImageDetails],
) -> Any:
    auth.check_permission(request, "shop_catalog.add_productimage")
    image = images.add(by_slug(slug), file=file, alt=details.alt, is_primary=details.is_primary)
    return Status(201, image_out(image))


@router.delete(
    PRODUCT_PATH + "images/",
    auth=auth.staff,
    response={204: None, **responses(401, 403, 404)},
    operation_id="delete_image",
    summary="Delete an image",
)
def delete_image(request: HttpRequest, slug: Path[Slug], id: UUID) -> Any:  # noqa: A002
    auth.check_permission(request, "shop_catalog.delete_productimage")
    image = by_slug(slug).images.filter(public_id=id).first()
    if image is None:
        raise HttpError(404, _("The product has no such image."))
    images.remove(image)
    return Status(204, None)


@router.post(
    CATEGORY_PATH + "image/",
    auth=auth.staff,
    response={200: CategoryDetail, **responses(401, 403, 404)},
    operation_id="set_category_image",
    summary="Upload the image of a category",
    description=ACCEPTED,
)
def set_category_image(request: HttpRequest, slug: Path[Slug], file: File[UploadedFile]) -> Any:
    auth.check_permission(request, "shop_catalog.change_category")
    category = images.set_category_image(categories.get(slug), file=file)
    return category_detail(request, category.slug)


@router.delete(
    CATEGORY_PATH + "image/",
    auth=auth.staff,
    response={204: None, **responses(401, 403, 404)},
    operation_id="delete_category_image",
    summary="Delete the image of a category",
)
def delete_category_image(request: HttpRequest, slug: Path[Slug]) -> Any:
    auth.check_permission(request, "shop_catalog.change_category")
    images.remove_category_image(categories.get(slug))
    return Status(204, None)
