// Shop with the compiled client: node run.mjs SITE. Prints the last status of the order, and the code of a problem.
import { browse, connect, order, ShopProblem, track } from "./build/shop.js";

const shop = connect(process.argv[2]);
const product = (await browse(shop))[0];
const contact = { name: "Test Guest", email: "guest@example.org", phone: "+254712345678" };
const address = { line1: "1 Test Street", city: "Nairobi", country: "KE" };
const wish = { product: product.sku, delivery: "home", contact, address };
const placed = await order(shop, wish);
const steps = await track(shop, placed);
const refused = await order(shop, { ...wish, product: "no such product" }).catch((error) => error);
if (!(refused instanceof ShopProblem)) throw refused;
console.log(placed.total, placed.currency, steps.at(-1), refused.problem.code);
