"""Images that are fetched from addresses: an import asks for them, and a periodic job fetches them."""

from __future__ import annotations

import io
import logging
import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import NamedTuple
from urllib.parse import urlsplit
from uuid import UUID

from django.db.models import Count, F, Q, QuerySet
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from shop_core.db.rows import UNSAFE
from shop_core.db.transactions import in_transaction

from shop_catalog.conf import app_settings
from shop_catalog.exceptions import ImageNotFetched, ShopCatalogError
from shop_catalog.images import files, products
from shop_catalog.images.fetcher import MAX_BYTES, check_address
from shop_catalog.models import ImageFetch

MINUTE = timedelta(minutes=1)
WAITS = (MINUTE, 5 * MINUTE, 30 * MINUTE, 120 * MINUTE, 360 * MINUTE, 720 * MINUTE, 1440 * MINUTE)
"""The time after each try until the next. After the last one, the image is given up."""

LEASE = 5 * MINUTE
"""An image is tried again after this time if the process ended while it was fetched."""

logger = logging.getLogger(__name__)


class WantedImage(NamedTuple):
    """An image of a product that is to be fetched from an address."""

    product_id: int
    url: str
    position: int = 0
    alt: str = ""


class FetchCounts(NamedTuple):
    """How many of the images that an import asked for wait to be fetched, were fetched, and were given up."""

    waiting: int
    fetched: int
    failed: int


@in_transaction(ImageFetch)
def request_fetches(wanted: Iterable[WantedImage], *, import_id: UUID | None = None) -> int:
    """Ask for images to be fetched by the next run of the job. Returns the number of different ones.

    An address that was fetched for the product before is not fetched again, even if its image was deleted since. One
    that failed is tried again. Besides the INSERT, which the database may divide, two statements run.

    Raises:
        InvalidProduct: an address cannot be fetched.
    """
    now = timezone.now()
    rows = {
        (image.product_id, url): ImageFetch(
            product_id=image.product_id,
            url=url,
            position=image.position,
            alt=UNSAFE.sub("", image.alt)[:200],
            import_id=import_id,
            next_try_at=now,
        )
        for image in wanted
        if (url := check_address(image.url))
    }
    ImageFetch.objects.bulk_create(
        rows.values(),
        batch_size=500,
        update_conflicts=True,
        unique_fields=["product", "url"],
        update_fields=["position", "alt", "import_id"],
    )
    again = ImageFetch.objects.failed().filter(product__in={product_id for product_id, _url in rows})
    again.filter(import_id=import_id).update(tries=0, next_try_at=now)
    return len(rows)


def count_fetches(import_id: UUID) -> FetchCounts:
    """The numbers of images that an import asked for, by their state."""
    counts = ImageFetch.objects.filter(import_id=import_id).aggregate(
        waiting=Count("pk", filter=Q(next_try_at__isnull=False)),
        fetched=Count("pk", filter=Q(fetched_at__isnull=False)),
        failed=Count("pk", filter=Q(next_try_at=None, fetched_at=None)),
    )
    return FetchCounts(**counts)


def try_again(fetches: QuerySet[ImageFetch]) -> int:
    """Let the job fetch images again that were given up, or whose image was deleted. Returns their number."""
    return fetches.filter(image=None).update(tries=0, fetched_at=None, next_try_at=timezone.now())


def fetch_images(*, seconds: float = files.RUN_SECONDS) -> int:
    """Fetch the images that are due, one after the other. Returns how many were fetched.

    An image that fails is tried again later, with growing intervals, and the next one is fetched. Safe to run
    concurrently.
    """
    until, fetched = time.monotonic() + seconds, 0
    fetcher: Callable[[str], bytes] = import_string(app_settings.IMAGE_FETCHER)
    _give_up_interrupted()
    while time.monotonic() < until and (row := _claim()) is not None:
        fetched += _fetch(row, fetcher)
    return fetched


def _give_up_interrupted() -> None:
    """Give up images during which the process ended at each try, for example because it had too little memory."""
    interrupted = ImageFetch.objects.due(timezone.now()).filter(tries__gt=len(WAITS)).order_by()
    interrupted.update(next_try_at=None, last_error=_("The process ended while this picture was fetched."))


def _claim() -> ImageFetch | None:
    """The next image that is due. No other run takes it until its lease expires."""
    due = ImageFetch.objects.due(timezone.now()).select_related("product")
    while True:
        row: ImageFetch | None = due.first()
        if row is None:
            return None
        claimed = ImageFetch.objects.filter(pk=row.pk, next_try_at=row.next_try_at, tries=row.tries)
        if claimed.update(next_try_at=timezone.now() + LEASE, tries=row.tries + 1):
            row.tries += 1
            return row


def _fetch(row: ImageFetch, fetcher: Callable[[str], bytes]) -> bool:
    try:
        content = fetcher(row.url)
        products.add_fetched(row, file=io.BytesIO(content), max_bytes=MAX_BYTES)
    except ImageNotFetched as error:
        _fail(row, str(error), is_final=error.is_final)
        if error.is_unreachable:
            _postpone_host(row, str(error))
    except ShopCatalogError as error:
        _fail(row, str(error), is_final=True)
    except Exception as error:  # a fetcher of the site, or a storage: it must not stop the next image
        logger.exception("The image %s could not be fetched", row.url)
        _fail(row, f"{type(error).__name__}: {error}", is_final=False)
    else:
        return True
    return False


def _fail(row: ImageFetch, reason: str, *, is_final: bool) -> None:
    is_over = is_final or row.tries > len(WAITS)
    next_try_at = None if is_over else timezone.now() + WAITS[row.tries - 1]
    reason = UNSAFE.sub("", reason)[: ImageFetch._meta.get_field("last_error").max_length or 0]
    ImageFetch.objects.filter(pk=row.pk, fetched_at=None).update(next_try_at=next_try_at, last_error=reason)


def _postpone_host(row: ImageFetch, reason: str) -> None:
    """Count the failure as a try of each due image of the same host, since none of them could have been fetched.

    So a host that is gone costs one connection in each interval, however many images it has, and delays no other.
    """
    parts = urlsplit(row.url)
    same_host = ImageFetch.objects.due(timezone.now()).order_by()
    same_host = same_host.filter(url__startswith=f"{parts.scheme}://{parts.netloc}/")
    same_host.filter(tries__gte=len(WAITS)).update(next_try_at=None, tries=F("tries") + 1, last_error=reason[:300])
    later = timezone.now() + WAITS[min(row.tries, len(WAITS)) - 1]
    same_host.update(next_try_at=later, tries=F("tries") + 1, last_error=reason[:300])
