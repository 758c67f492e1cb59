// One browser session against a running shop: node shop.mjs <address> <scenario>. Exits 1 with a message on a fault.
import { base, end, examine, expect, look, open, visitor } from "./browsing.mjs";

const scenario = process.argv[3];

async function logIn(page) {
  await open(page, "/accounts/login/");
  await page.fill("input[type=email]", "customer@example.org");
  await page.fill("input[type=password]", "a-long-and-odd-one-42");
  await Promise.all([page.waitForURL("**/account/"), page.click("main button[type=submit]")]);
}

async function add(page, slug, quantity = 1) {
  await open(page, `/product/${slug}/`);
  await page.fill("#quantity", String(quantity));
  await page.click(".add button");
  await (page.context().noScript ? page.waitForURL("**/cart/") : page.waitForSelector("#toast .success"));
}

async function enterDetails(page, { payment = "on_delivery" } = {}) {
  await open(page, "/checkout/");
  await page.fill("#id_email", "guest@example.org");
  await page.fill("#id_name", "Test Guest");
  await page.fill("#id_phone", "0712 345 678");
  await page.fill("#id_line1", "Riverside Drive 12");
  await page.fill("#id_city", "Nairobi");
  await page.check(`input[name=payment][value=${payment}]`);
  await Promise.all([page.waitForURL("**/checkout/review/"), page.click("main .buttons button")]);
}

const forget = (page, name) => page.context().clearCookies({ name });

const placeButton = "form[action='/checkout/place/'] button";
const orderNumber = (page) => new URL(page.url()).pathname.split("/")[2];

async function place(page) {
  await Promise.all([page.waitForURL("**/thanks/**"), page.click(placeButton)]);
  return orderNumber(page);
}

const scenarios = {
  async "a guest buys"() {
    const page = await visitor();
    await add(page, "market-mug", 2);
    expect((await page.textContent("#cart-link .count")).trim().endsWith("2"), "the count in the header is not 2");
    await enterDetails(page);
    await place(page);
    expect((await page.textContent("h1")).includes("Thank you"), "there is no confirmation");
  },

  async "a guest buys without scripts"() {
    const page = await visitor({ javaScriptEnabled: false });
    page.context().noScript = true;
    await add(page, "market-mug", 2);
    await page.fill("input[name=quantity]", "3");
    await page.click("text=Update");
    expect((await page.inputValue("input[name=quantity]")) === "3", "the quantity was not changed");
    await enterDetails(page);
    await place(page);
    expect((await page.textContent("main")).includes("KSh\u00a03,200.00"), "the total is not that of three mugs");
  },

  async "a customer buys, reviews and cancels"() {
    const page = await visitor();
    await logIn(page);
    await add(page, "market-mug");
    await enterDetails(page);
    const number = await place(page);
    await open(page, "/product/market-mug/review/");
    await page.check("input[name=rating][value='4']");
    await page.fill("#id_body", "Keeps warm.");
    await Promise.all([page.waitForURL("**/product/market-mug/"), page.click("text=Send review")]);
    await open(page, `/orders/${number}/`);
    await page.click("#cancel");
    await Promise.all([page.waitForURL(`**/orders/${number}/`), page.click("text=Cancel the order")]);
    await page.waitForSelector("text=This order is cancelled.");
  },

  async "payment on the provider's page"() {
    const page = await visitor();
    await add(page, "market-mug");
    await enterDetails(page, { payment: "test" });
    await Promise.all([page.waitForURL("**/pay/**"), page.click(placeButton)]);
    await Promise.all([page.waitForURL("**/payments/test/**"), page.click("main form button")]);
    await Promise.all([page.waitForURL("**/thanks/**"), page.click("button[value=pay]")]);
    expect((await page.textContent("main")).includes("Your payment arrived"), "the payment is not in the time line");
  },

  async "two tabs and a double click give one order"() {
    const page = await visitor();
    await add(page, "market-mug");
    await enterDetails(page);
    const tab = await page.context().newPage();
    await open(tab, "/checkout/review/");
    await page.locator(placeButton).dblclick();
    await page.waitForURL("**/thanks/**");
    await Promise.all([tab.waitForURL("**/thanks/**"), tab.click(placeButton)]);
    expect(orderNumber(page) === orderNumber(tab), "two tabs gave two orders");
  },

  async "the back button"() {
    const page = await visitor();
    await open(page, "/category/kitchen/");
    await page.check("#in-stock");
    await page.waitForURL("**in_stock=1**");
    await page.goBack();
    await page.waitForFunction(() => !document.querySelector("#in-stock").checked);
    await add(page, "market-mug");
    await enterDetails(page);
    await page.goBack();
    expect((await page.inputValue("#id_city")) === "Nairobi", "the details were forgotten");
    await page.goForward();
    const number = await place(page);
    await page.goBack();
    expect(!page.url().includes("/review/") || !(await page.$(placeButton)), "an ordered cart can be ordered again");
    await open(page, "/cart/");
    expect((await page.textContent("main")).includes("Nothing in it yet"), `the cart of ${number} is still there`);
  },

  async "search suggestions and variants"() {
    const page = await visitor();
    await open(page, "/");
    await page.locator("#search").pressSequentially("shir");
    await page.waitForSelector("#suggestions a[href='/product/acacia-shirt/']");
    await page.keyboard.press("Escape");
    expect((await page.$$("#suggestions a")).length === 0, "Escape leaves the suggestions open");
    await open(page, "/product/acacia-shirt/");
    await page.locator("input[value=SHIRT-L]").check({ force: true });
    expect((await page.textContent("#price")).includes("2,000"), "the price is not that of the variant");
    await page.keyboard.press("Tab");
  },

  async "every page is accessible in both themes"() {
    for (const colorScheme of ["light", "dark"]) {
      for (const width of [1280, 320]) {
        const options = { colorScheme, viewport: { width, height: 800 }, bypassCSP: true };
        const guest = await visitor(options);
        await look(guest, "/cart/");
        await look(guest, "/category/kitchen/?min_price=99999");
        await add(guest, "market-mug");
        await open(guest, "/checkout/");
        await guest.fill("#id_phone", "12");
        await guest.click("main .buttons button");
        await guest.waitForSelector(".errorlist");
        await examine(guest, "/checkout/ with errors");
        await enterDetails(guest, { payment: "test" });
        const paths = ["/", "/orders/?sent=1", "/categories/", "/category/kitchen/", "/search/?q=mug", "/search/?q=zzz", "/cart/", "/checkout/",
          "/product/market-mug/", "/product/acacia-shirt/", "/product/market-mug/reviews/", "/checkout/review/", "/orders/",
          "/accounts/login/", "/accounts/signup/", "/accounts/password/reset/", "/nothing/"];
        for (const path of paths) {
          await look(guest, path);
        }
        await open(guest, "/checkout/review/");
        await Promise.all([guest.waitForURL("**/pay/**"), guest.click(placeButton)]);
        const pay = guest.url().slice(base.length);
        for (const page of ["pay", "thanks"]) {
          await look(guest, pay.replace("/pay/", `/${page}/`));
        }
        await open(guest, pay);
        await Promise.all([guest.waitForURL("**/payments/test/**"), guest.click("main form button")]);
        await look(guest, guest.url().slice(base.length));
        await Promise.all([guest.waitForURL("**/thanks/**"), guest.click("button[value=refuse]")]);
        await examine(guest, "a refused payment");
        await open(guest, "/orders/");
        await forget(guest, "csrftoken");
        await guest.evaluate(() => document.querySelector("main form").submit());
        await guest.waitForSelector("h1:has-text('Please try that again')");
        await examine(guest, "a form without its cookie");
        await guest.goto("about:blank");
        await guest.setContent(`<form method="post" action="${base}/cart/add/"><input name="product" value="MUG"></form>`);
        await Promise.all([guest.waitForURL("**/cart/add/"), guest.evaluate(() => document.forms[0].submit())]);
        await examine(guest, "a form of another site");
        await guest.click("main a.button");
        await guest.context().close();

        const customer = await visitor(options);
        await logIn(customer);
        await add(customer, "market-mug");
        await enterDetails(customer);
        const number = await place(customer);
        for (const path of ["/account/", "/account/orders/", "/account/profile/", "/account/addresses/",
          "/account/addresses/new/", "/account/messages/", "/accounts/email/", "/accounts/password/change/", "/accounts/2fa/",
          "/accounts/logout/", "/product/market-mug/review/", `/orders/${number}/`]) {
          await look(customer, path);
        }
        await customer.click("#cancel");
        await customer.click("text=Cancel the order");
        await customer.waitForSelector("text=This order is cancelled.");
        await examine(customer, "a cancelled order");
        await customer.context().close();
      }
    }
  },
};

await scenarios[scenario]();
await end();
