"""The router of the catalogue, to which the other modules of this package add their operations."""

from __future__ import annotations

from ninja import Router

from shop_catalog.api.problems import PROBLEMS

router = Router(tags=["catalog"])
PROBLEMS.install(router)
