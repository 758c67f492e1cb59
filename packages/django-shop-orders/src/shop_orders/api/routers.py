"""The two routers of the app, flat: modules attach their operations to them."""

from ninja import Router

from shop_orders.api.problems import PROBLEMS

router = Router(tags=["orders"])
staff_router = Router(tags=["orders: staff"])

PROBLEMS.install(router)
PROBLEMS.install(staff_router)
