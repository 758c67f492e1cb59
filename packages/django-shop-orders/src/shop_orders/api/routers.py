"""The two routers of the app. The other modules add their operations to them; there are no nested routers."""

from ninja import Router
from shop_core.api.views import keep_private

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
