"""The hooks of the storefront pass the contract kits of orders."""

from __future__ import annotations

import pytest
from shop_orders.testing import PricingHookContract, ValidatorContract, make_draft

ADDRESS = {"line1": "1 Test Road", "city": "Nairobi", "country": "KE"}


class TestDeliveryCharge(PricingHookContract):
    hook = "storefront.shipping.charge"

    @pytest.fixture
    def charged_draft(self):
        return make_draft("10.00", delivery="home", shipping_address=ADDRESS)


class TestUnknownDeliveryIsRefused(ValidatorContract):
    hook = "storefront.shipping.refuse_unknown"

    @pytest.fixture
    def accepted(self):
        return make_draft("10.00", delivery="home", shipping_address=ADDRESS)

    @pytest.fixture
    def refused(self):
        return make_draft("10.00", delivery="no-such", shipping_address=ADDRESS)
