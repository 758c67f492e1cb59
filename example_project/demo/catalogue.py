"""The sample catalogue: categories, products and reviews."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

PICTURES = Path(__file__).resolve().parent / "pictures"
DESCRIPTIONS = {
    "Kitchen & Table": "What hands touch every day should be good to hold.",
    "Coffee & Tea": "From farms we have visited, in small batches.",
    "Home": "Light, wool and leaves.",
    "Bags & Travel": "Made to be carried, repaired and carried on.",
    "Clothing": "Few things, in sizes that fit.",
    "Desk": "For work that is done with care.",
    "Play": "For small people and those who remember.",
}
CATEGORIES: dict[str, dict[str, str]] = {
    "Kitchen & Table": {
        "Mugs & Bowls": "For the first coffee and the last soup of the day.",
        "Cookware": "Pots, pans and boards that stay in the family.",
    },
    "Coffee & Tea": {
        "Coffee": "Single-origin beans, roasted every Tuesday.",
        "Tea & Honey": "From the highlands, and what goes with it.",
        "Brewing": "Everything between the bean and the cup.",
    },
    "Home": {
        "Lamps": "Warm light for long evenings.",
        "Textiles": "Woven and dyed by hand.",
        "Plants & Candles": "Green, quiet and good company.",
    },
    "Bags & Travel": {
        "Backpacks & Totes": "For the market, the office and the train.",
        "On the Way": "Bottles, umbrellas and what else you forget.",
    },
    "Clothing": {
        "Shirts": "Organic cotton, printed in small runs.",
        "Shoes": "Made to be walked in, and resoled.",
        "Hats & Scarves": "For mornings at two thousand metres.",
    },
    "Desk": {
        "Paper & Pens": "For thoughts that deserve ink.",
        "Sound & Sight": "Good tools, easy to mend.",
    },
    "Play": {
        "Toys": "Wood, paint and imagination.",
        "Outdoors": "Best on a windy afternoon.",
    },
}


@dataclass(frozen=True)
class Item:
    """A product. ``sizes`` make it a group of variants: the stock of each size."""

    sku: str
    name: str
    category: str
    price: str
    description: str
    stock: int = 40
    compare_at: str = ""
    featured: bool = False
    attributes: dict[str, str] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)

    @property
    def pictures(self) -> list[str]:
        """Names of the files in ``PICTURES``. A product with reviews has a second picture."""
        name = self.sku.lower()
        return [f"{name}.webp", f"{name}-2.webp"] if self.sku in REVIEWS else [f"{name}.webp"]

    @property
    def amount(self) -> Decimal:
        return Decimal(self.price)


def _colour(name: str, **more: str) -> dict[str, str]:
    return {"colour": name, **more}


PRODUCTS: tuple[Item, ...] = (
    Item("MUG-RED", "Market mug, terracotta", "Mugs & Bowls", "950",
         "A generous stoneware mug with a handle for three fingers. Holds 35 cl, goes into the dishwasher, and "
         "gets warmer in colour over the years.", 64, featured=True, attributes=_colour("red", material="stoneware")),
    Item("MUG-TEA", "Market mug, lagoon", "Mugs & Bowls", "950",
         "The same generous mug in the blue-green of the coast. Holds 35 cl.", 48,
         attributes=_colour("blue", material="stoneware")),
    Item("MUG-ESP", "Espresso cups, set of two", "Mugs & Bowls", "1200",
         "Two small cups with thick walls that keep eight centilitres hot.", 22,
         attributes=_colour("grey", material="porcelain")),
    Item("BWL-GRN", "Garden bowl", "Mugs & Bowls", "1350",
         "For salad, for fruit, for keys. Hand-thrown, 22 cm across, each with its own row of dots.", 18,
         attributes=_colour("green", material="stoneware")),
    Item("BWL-ROS", "Breakfast bowl", "Mugs & Bowls", "890",
         "Just deep enough for porridge and a second helping.", 35, attributes=_colour("pink", material="stoneware")),
    Item("PAN-24", "Cast-iron pan, 24 cm", "Cookware", "4200",
         "Pre-seasoned, heavy in the right way, and better every year. For gas, induction and open fire.", 14,
         featured=True, attributes=_colour("grey", material="cast iron")),
    Item("POT-5L", "Family pot, five litres", "Cookware", "5600",
         "Enamelled steel with a lid that fits. Five litres: stew for six, or for two and the freezer.", 9,
         compare_at="6400", attributes=_colour("red", material="enamel")),
    Item("KNF-CHF", "Chef's knife", "Cookware", "3800",
         "An 18 cm blade of carbon steel, balanced at the bolster. Comes with a paper sheath.", 16,
         attributes=_colour("blue", material="steel")),
    Item("BRD-OLV", "Cutting board, olive wood", "Cookware", "1850",
         "One piece of wood, oiled twice, with a hole to hang it by. The tomato is not included.", 27,
         attributes=_colour("brown", material="wood")),
    Item("BSK-MKT", "Market basket", "Cookware", "2400",
         "Woven from sisal around a firm rim. Carries a week of vegetables.", 12,
         attributes=_colour("brown", material="sisal")),

    Item("COF-NYE", "Nyeri coffee, 500 g", "Coffee", "1150",
         "Blackcurrant, grapefruit, brown sugar. Washed, from smallholders at 1,800 metres.", 80, featured=True,
         attributes=_colour("purple", roast="light")),
    Item("COF-KIR", "Kirinyaga coffee, 500 g", "Coffee", "1100",
         "Round and sweet, with a finish of caramel. Our house coffee.", 95,
         attributes=_colour("red", roast="medium")),
    Item("COF-DRK", "Night train espresso, 1 kg", "Coffee", "2100",
         "Dark, heavy, made for milk. Roasted until the second crack and not a moment longer.", 30,
         attributes=_colour("grey", roast="dark")),
    Item("COF-DEC", "Sleep well decaf, 250 g", "Coffee", "780",
         "Decaffeinated with mountain water. Nobody at the table will notice.", 4,
         attributes=_colour("blue", roast="medium")),
    Item("TEA-KER", "Kericho black tea", "Tea & Honey", "620",
         "Whole leaves, 100 g in a tin that will outlive the tea.", 70, attributes=_colour("red", caffeine="yes")),
    Item("TEA-GRN", "Highland green tea", "Tea & Honey", "680",
         "Steamed, not roasted. Fresh like cut grass after rain.", 44, attributes=_colour("green", caffeine="yes")),
    Item("TEA-HIB", "Hibiscus & ginger", "Tea & Honey", "540",
         "Red, tart and warming; good with ice as well.", 51, attributes=_colour("purple", caffeine="no")),
    Item("HON-ACA", "Acacia honey", "Tea & Honey", "890",
         "Clear and mild, from hives that stand under acacia trees. 500 g.", 38, featured=True,
         attributes=_colour("yellow", caffeine="no")),
    Item("PRS-1L", "Coffee press, one litre", "Brewing", "3200",
         "Borosilicate glass in a painted frame. Four minutes, then press.", 20, compare_at="3900",
         attributes=_colour("blue", material="glass")),
    Item("TPT-BLU", "Round teapot", "Brewing", "2650",
         "Pours without a drop on the cloth, which is rarer than it should be. Holds 90 cl.", 15,
         attributes=_colour("blue", material="stoneware")),
    Item("KTL-GRN", "Stove kettle", "Brewing", "3400",
         "Enamel over steel. Whistles politely.", 11, attributes=_colour("green", material="enamel")),

    Item("LMP-TBL", "Bedside lamp", "Lamps", "3900",
         "A linen shade on a turned foot. Takes any E27 bulb up to 40 W.", 13, attributes=_colour("purple")),
    Item("LMP-DSK", "Reading lamp", "Lamps", "4300",
         "A wide shade that throws its light where the book is.", 8, featured=True, attributes=_colour("yellow")),
    Item("LMP-PEN", "Dome pendant", "Lamps", "5200",
         "Spun aluminium, painted outside, white inside. Two metres of cord.", 7, attributes=_colour("red")),
    Item("CSH-KIT", "Kitenge cushion, lagoon", "Textiles", "1650",
         "Printed cotton, 45 by 45 cm, with a hidden zip and a filling of kapok.", 33,
         attributes=_colour("blue", material="cotton")),
    Item("CSH-RED", "Kitenge cushion, sunset", "Textiles", "1650",
         "Printed cotton in the colours of six o'clock. 45 by 45 cm.", 29,
         attributes=_colour("red", material="cotton")),
    Item("BLK-WOL", "Wool blanket", "Textiles", "6900",
         "Heavy wool from the Rift, 140 by 200 cm, with knotted fringes.", 10, compare_at="7800",
         attributes=_colour("green", material="wool")),
    Item("PLT-ALO", "Snake plant in a pot", "Plants & Candles", "1450",
         "Forgives everything but too much water. Pot included, 15 cm.", 25, featured=True,
         attributes=_colour("green")),
    Item("PLT-PLM", "Parlour palm", "Plants & Candles", "1950",
         "Likes shade and company. Pot included, 18 cm.", 3, attributes=_colour("green")),
    Item("CDL-BEE", "Beeswax candle", "Plants & Candles", "720",
         "Burns for forty hours and smells of honey, faintly.", 60, attributes=_colour("yellow")),
    Item("CDL-LAV", "Lavender candle", "Plants & Candles", "780",
         "Soy wax and real lavender, for the end of the week.", 41, attributes=_colour("purple")),
    Item("SOP-OLV", "Olive soap", "Plants & Candles", "380",
         "One hundred grams, cured for six weeks, nothing in it that you could not spell.", 110,
         attributes=_colour("green")),

    Item("BPK-DAY", "Day backpack", "Backpacks & Totes", "5400",
         "Waxed canvas, 18 litres, a sleeve for a laptop and a pocket for what you always look for.", 17,
         featured=True, attributes=_colour("blue", material="canvas")),
    Item("BPK-MNT", "Mountain backpack", "Backpacks & Totes", "7900",
         "Thirty litres, a chest strap, a rain cover, and a loop for a mug.", 6,
         attributes=_colour("red", material="canvas")),
    Item("TOT-TRE", "Acacia tote", "Backpacks & Totes", "850",
         "Thick cotton with long handles. Printed by hand, so no two trees are alike.", 85,
         attributes=_colour("green", material="cotton")),
    Item("BTL-750", "Steel bottle, 75 cl", "On the Way", "1900",
         "Cold for a day, hot for half of one. The lid is a cup.", 42, attributes=_colour("blue", material="steel")),
    Item("BTL-500", "Steel bottle, 50 cl", "On the Way", "1600",
         "The same bottle for smaller bags.", 37, attributes=_colour("pink", material="steel")),
    Item("UMB-RED", "Long-rains umbrella", "On the Way", "2200",
         "Eight ribs of fibreglass that bend and come back. Wood handle.", 0, attributes=_colour("red")),

    Item("TSH-TRE", "Acacia T-shirt", "Shirts", "1800",
         "Organic cotton, 180 g, with the tree over the heart. Cut straight.", featured=True,
         attributes=_colour("blue", material="cotton"), sizes={"S": 12, "M": 20, "L": 16, "XL": 5}),
    Item("TSH-SUN", "Sunrise T-shirt", "Shirts", "1800",
         "Organic cotton in the yellow of the first ten minutes.",
         attributes=_colour("yellow", material="cotton"), sizes={"S": 8, "M": 14, "L": 0, "XL": 3}),
    Item("SNK-RED", "Canvas sneaker, brick", "Shoes", "6200",
         "Canvas on a sole of natural rubber, glued and stitched. Can be resoled.",
         attributes=_colour("red", material="canvas"), sizes={"38": 4, "40": 7, "42": 6, "44": 2}),
    Item("SNK-NVY", "Canvas sneaker, night", "Shoes", "6200",
         "The dark one: goes with everything but sand.", compare_at="7000",
         attributes=_colour("blue", material="canvas"), sizes={"38": 3, "40": 5, "42": 8, "44": 4}),
    Item("BNI-MOS", "Ribbed beanie", "Hats & Scarves", "1250",
         "Merino, knitted in one piece. For the mountain and the early bus.", 31,
         attributes=_colour("green", material="wool")),
    Item("SCF-PLM", "Striped scarf", "Hats & Scarves", "1950",
         "Soft wool, 180 cm, long enough to wrap twice.", 19, attributes=_colour("purple", material="wool")),

    Item("NTB-A5", "Stitched notebook", "Paper & Pens", "680",
         "A5, 160 pages of cream paper that ink does not bleed through. Lies flat.", 90,
         attributes=_colour("blue", paper="dotted")),
    Item("NTB-RED", "Pocket notebook", "Paper & Pens", "420",
         "A6, for lists, sketches and overheard sentences.", 120, attributes=_colour("red", paper="plain")),
    Item("PEN-FNT", "Fountain pen", "Paper & Pens", "3400",
         "A steel nib, a piston that holds enough for a novel's chapter.", 14, attributes=_colour("purple")),
    Item("PCL-SET", "Colour pencils in a cup", "Paper & Pens", "1250",
         "Twelve pencils of lime wood and the cup they live in.", 26, attributes=_colour("blue")),
    Item("HPH-OVR", "Studio headphones", "Sound & Sight", "12500",
         "Closed, comfortable for hours, every part replaceable with one screwdriver.", 8, featured=True,
         attributes=_colour("blue")),
    Item("SPK-SHF", "Bookshelf speaker", "Sound & Sight", "18900",
         "A real tweeter, a real woofer, one cable. Sold one by one.", 5, attributes=_colour("brown")),
    Item("CAM-FLM", "Film camera, serviced", "Sound & Sight", "24500",
         "A 35 mm classic, cleaned, adjusted and tested with a roll of film. A year's guarantee.", 2,
         attributes=_colour("grey")),
    Item("WCH-DAY", "Field watch", "Sound & Sight", "9800",
         "Hand-wound, 38 mm, a strap of vegetable-tanned leather.", 9, attributes=_colour("brown")),

    Item("TOY-CAR", "Wooden car", "Toys", "1400",
         "Beech, water-based paint, wheels that really roll. From one year.", 34, attributes=_colour("red", age="1+")),
    Item("TOY-BLK", "Building blocks", "Toys", "2300",
         "Forty pieces in six colours. The tower record in our office is 31.", 21,
         attributes=_colour("blue", age="1+")),
    Item("PZL-64", "Big-piece puzzle", "Toys", "1150",
         "Sixty-four pieces for small hands and patient grandparents.", 28, attributes=_colour("red", age="4+")),
    Item("KIT-DIA", "Diamond kite", "Outdoors", "1750",
         "Ripstop and fibreglass, with thirty metres of line. Flies from wind force 2.", 23, featured=True,
         attributes=_colour("blue", age="6+")),
    Item("BAL-PLY", "Playground ball", "Outdoors", "990",
         "Natural rubber, 22 cm, bounces well on earth and grass.", 46, attributes=_colour("pink", age="2+")),
)  # fmt: skip

REVIEWS: dict[str, list[tuple[int, str, str]]] = {
    "MUG-RED": [(5, "My favourite mug", "Heavy, warm, and the handle fits. I bought a second one for the office."),
                (4, "Good", "A little smaller than I thought, but beautifully made.")],
    "COF-NYE": [(5, "Blackcurrant indeed", "The best coffee I have had from a bag."),
                (5, "Fresh", "Roasted four days before it arrived."), (4, "Bright", "Not for lovers of dark roasts.")],
    "BPK-DAY": [(5, "A year on", "Every seam still holds."),
                (4, "Nearly perfect", "I would like a second bottle pocket.")],
    "TSH-TRE": [(5, "Soft", "Keeps its shape after many washes."), (3, "Runs large", "Take one size smaller.")],
    "LMP-DSK": [(4, "Warm light", "Exactly right for reading.")],
    "KIT-DIA": [(5, "Up at once", "Flew on the first try, even with us."), (5, "Well made", "Survived two trees.")],
    "HON-ACA": [(5, "Gone in a week", "Please make a larger jar.")],
    "PAN-24": [(5, "For life", "Nothing sticks after the second week."), (4, "Heavy", "As it should be.")],
    "HPH-OVR": [(4, "Clear", "Neutral sound; the cable is long.")],
}  # fmt: skip
