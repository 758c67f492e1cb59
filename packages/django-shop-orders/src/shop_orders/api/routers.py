"""The two routers of the app, flat: modules attach their operations to them."""

from ninja import Router

from shop_orders.api import problems

router = Router(tags=["orders"])
staff_router = Router(tags=["orders: staff"])

problems.install(router)
problems.install(staff_router)
