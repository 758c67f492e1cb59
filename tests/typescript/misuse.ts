// Compiled with the page: every line below a "@ts-expect-error" is refused.
import type { components } from "./shop-api.js";
import { browse, connect } from "./shop.js";

type Code = components["schemas"]["Problem"]["code"];

export const known: Code = "insufficient_stock";
// @ts-expect-error: a misspelt code
export const misspelt: Code = "insufficent_stock";

const shop = connect("http://127.0.0.1:8000");
// @ts-expect-error: a path that the shop does not have
void shop.GET("/api/v1/orders/baskets/");
// @ts-expect-error: a body with a wrong type
void shop.POST("/api/v1/orders/cart/add_item/", { body: { product: "MUG", quantity: "many" } });
// @ts-expect-error: money is text, not a number
void browse(shop).then((products) => products.map((product) => product.price.toFixed(2)));
