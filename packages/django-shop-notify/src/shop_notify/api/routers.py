"""The two routers of the app. The other modules of this package add their operations to them."""

from ninja import Router
from shop_core.api.views import keep_private

from shop_notify.api.codes import MEANINGS
from shop_notify.api.problems import PROBLEMS

router = Router(tags=["notifications"])
staff_router = Router(tags=["notifications: staff"])

PROBLEMS.install(router, codes=MEANINGS)
PROBLEMS.install(staff_router, codes=MEANINGS)
router.add_decorator(keep_private, mode="view")
staff_router.add_decorator(keep_private, mode="view")
