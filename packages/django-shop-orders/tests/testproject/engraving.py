"""Products that take options, for the tests of lines with options."""

from shop_orders.product_sources import ModelProductSource


class EngravingSource(ModelProductSource):
    """Books with an engraving. It refuses swear words, and an engraving that is too long."""

    def refuses_options(self, ref, options):
        if "damn" in options.get("Engraving", ""):
            return "We do not engrave that. Write something kinder."
        return ""


def is_toy(ref):
    return ref.lower().startswith("toy-")
