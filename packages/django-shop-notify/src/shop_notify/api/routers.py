"""The two routers of the app, flat: modules attach their operations to them."""

from ninja import Router

from shop_notify.api import problems

router = Router(tags=["notifications"])
staff_router = Router(tags=["notifications: staff"])

problems.install(router)
problems.install(staff_router)
