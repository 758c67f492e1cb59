"""The two routers of the app. The other modules add their operations to them; there are no nested routers."""

from ninja import Router

from shop_orders.api.problems import PROBLEMS

router = Router(tags=["orders"])
staff_router = Router(tags=["orders: staff"])

PROBLEMS.install(router)
PROBLEMS.install(staff_router)
