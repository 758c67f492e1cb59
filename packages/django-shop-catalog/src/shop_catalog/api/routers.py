"""The router of the catalogue, to which the other modules of this package add their operations."""

from __future__ import annotations

from ninja import Router
from shop_core.api.views import make_non_atomic

from shop_catalog.api.problems import PROBLEMS

router = Router(tags=["catalog"])
PROBLEMS.install(router)

# These write files to a storage or read a long upload, which must not happen in the transaction of a request.
make_non_atomic(router, "/products/{slug}/images/", "/categories/{slug}/image/", "/products/bulk_create/")
