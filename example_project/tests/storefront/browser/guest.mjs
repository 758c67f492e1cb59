// A guest buys on the package's pages in somebody else's site: node guest.mjs <address> <product page> <folder>.
import { join } from "node:path";
import { examine, expect, fault, open, visitor, end } from "./browsing.mjs";

const [product, folder] = process.argv.slice(3);
const page = await visitor();
const answers = [];
page.on("response", (response) => answers.push(response));
const text = () => page.textContent("main");
let pages = 0;

async function seen(name) {
  pages += 1;
  const image = `${pages}-${name}.png`;
  if (folder) {
    await page.screenshot({ path: join(folder, image), fullPage: true });
  }
  for (const width of [320, 1280]) {
    await page.setViewportSize({ width, height: 900 });
    await examine(page, `${page.url()} at ${width} px`);
  }
}

async function press(selector, path) {
  await Promise.all([page.waitForURL(path), page.click(selector)]);
}

await open(page, product);
await seen("product");
await page.fill("#quantity", "2");
await press("main button", "**/shop/cart/");
await seen("cart");
await press("text=Go to checkout", "**/checkout/");
await page.fill("#id_email", "guest@example.org");
await page.fill("#id_phone", "12");
await press("text=Review your order", "**/checkout/");
await page.waitForSelector("#errors");
await seen("checkout-with-errors");
await page.fill("#id_name", "Test Guest");
await page.fill("#id_phone", "0712 345 678");
await page.fill("#id_line1", "Riverside Drive 12");
await page.fill("#id_city", "Nairobi");
await page.check("input[name=payment][value=test]");
await press("text=Review your order", "**/checkout/review/");
await seen("review");
await press("text=Place the order", "**/pay/**");
await seen("pay");
await press("main form button", "**/pay/test/**");
await seen("page-of-the-provider");
await press("button[value=pay]", "**/thanks/**");
await seen("thanks");
expect((await text()).includes("Your payment arrived"), "the payment is not in the time line");
expect((await text()).includes("25.00"), "the order is not for two mugs");
const order = page.url();
await page.goBack();
await open(page, new URL(order).pathname.replace("thanks/", "") + new URL(order).search);
await page.click("#cancel");
await press("text=Cancel the order", "**/orders/**");
await page.waitForSelector("text=This order is cancelled.");
await seen("cancelled");
await open(page, "/shop/cart/");
await seen("empty-cart");
await open(page, "/shop/orders/");
await seen("find-order");
for (const answer of answers.filter((one) => one.status() >= 400)) {
  fault(`${answer.status()} ${answer.url()}`);
}
expect(answers.some((one) => one.url().endsWith("/pages.css")), "the pages have no style");
await end();
