"""The two routers of the app. The other modules add their operations to them; there are no nested routers."""

from ninja import Router
from shop_core.api.views import keep_private, make_non_atomic

from shop_orders.api.codes import MEANINGS
from shop_orders.api.privacy import blank_personal_data
from shop_orders.api.problems import PROBLEMS

router = Router(tags=["orders"])
staff_router = Router(tags=["orders: staff"])

PROBLEMS.install(router, codes=MEANINGS)
PROBLEMS.install(staff_router, codes=MEANINGS)
staff_router.add_decorator(blank_personal_data, mode="view")
router.add_decorator(keep_private, mode="view")
staff_router.add_decorator(keep_private, mode="view")

# These operations call payment providers, so they must not run in the transaction of a request.
make_non_atomic(router, "/orders/{number}/payments/")
make_non_atomic(staff_router, "/orders/{number}/payments/{payment_id}/capture/", "/orders/{number}/refund/")
