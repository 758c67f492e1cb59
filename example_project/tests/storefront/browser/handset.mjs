// M-Pesa in a running demo: node handset.mjs <address> [folder for pictures]. A guest refuses a request on the phone,
// pays one whose report is lost, and pays another order by hand; the order's page updates automatically each time.
import { base, end, examine, expect, open, visitor } from "./browsing.mjs";

const pictures = process.argv[3];
const PHONE = "0712 345 682";

async function picture(page, name) {
  if (pictures) {
    await page.screenshot({ path: `${pictures}/${name}.png`, fullPage: true });
  }
}

async function order(page) {
  await open(page, "/product/market-mug-lagoon/");
  await page.click(".add button");
  await page.waitForSelector("#toast .success");
  await open(page, "/checkout/");
  await page.fill("#id_email", "handset@example.org");
  await page.fill("#id_name", "Test Guest");
  await page.fill("#id_phone", PHONE);
  await page.fill("#id_line1", "Riverside Drive 12");
  await page.fill("#id_city", "Nairobi");
  await page.check("input[name=payment][value=mobile_money]");
  await Promise.all([page.waitForURL("**/checkout/review/"), page.click("main .buttons button")]);
  await Promise.all([page.waitForURL("**/pay/**"), page.click("form[action='/checkout/place/'] button")]);
  return new URL(page.url()).pathname.split("/")[2];
}

const pay = (page) => Promise.all([page.waitForURL("**/thanks/**"), page.click("main form button[type=submit]")]);
const payAgain = async (page) => {
  await page.click("main .note a.button");
  await pay(page);
};

async function answer(phone, pin, button) {
  await open(phone, "/demo/inbox/");
  const request = phone.locator(".handset-request").first();
  await request.waitFor();
  await request.locator("input[name=pin]").fill(pin);
  await Promise.all([phone.waitForNavigation(), request.locator(`button[value=${button}]`).click()]);
}

const guest = await visitor();
const phone = await visitor({ viewport: { width: 390, height: 844 }, bypassCSP: true });
const number = await order(guest);
await picture(guest, "1-pay");
await pay(guest);
let seen = await guest.textContent("main");
expect(seen.includes("enter your M-Pesa PIN") && seen.includes("business number 174379") && seen.includes(number),
  "the order page does not show the phone and how to pay by hand");
await picture(guest, "2-order-waits");
await open(phone, "/demo/inbox/");
await phone.waitForSelector(".handset-request");
await picture(phone, "3-phone-rings");
await examine(phone, "/demo/inbox/ with a request");
await answer(phone, "", "refuse");
await guest.waitForSelector(".note.error", { timeout: 15000 });
seen = await guest.textContent(".note.error");
expect(seen.includes("business number 174379"), "the order page does not say how to pay by hand after a refusal");
await picture(guest, "4-order-refused");

await payAgain(guest);
await answer(phone, "1234", "lose");
await guest.waitForSelector(".state.good", { timeout: 20000 });
await picture(guest, "5-order-paid-without-report");

const other = await visitor({ viewport: { width: 390, height: 844 }, bypassCSP: true });
const byHand = await order(other);
await pay(other);
await picture(other, "6-order-waits-on-a-phone");
await examine(other, "the order page while the phone rings");
await answer(phone, "", "refuse");
await phone.fill("input[name=phone]", "254712345682");
await phone.fill("input[name=account]", byHand.toLowerCase().replace("-", " "));
const due = (await other.textContent(".note")).match(/amount ([0-9]+)/)[1];
await phone.fill("input[name=amount]", due);
await Promise.all([phone.waitForNavigation(), phone.click("form[action*=pay-by-hand] button")]);
await picture(phone, "7-phone-paid-by-hand");
for (let tries = 0; tries < 20 && !(await other.locator(".state.good").count()); tries += 1) {
  await other.waitForTimeout(500);
  await other.reload();
}
expect((await other.locator(".state.good").count()) === 1, "the money that was sent by hand does not pay the order");
await picture(other, "8-order-paid-by-hand");

await open(phone, "/demo/inbox/");
await phone.fill("input[name=account]", "rent");
await phone.fill("input[name=amount]", "500");
await Promise.all([phone.waitForNavigation(), phone.click("form[action*=pay-by-hand] button")]);
const staff = await visitor();
await open(staff, "/admin/");
await staff.fill("input[type=email]", "staff@example.org");
await staff.fill("input[type=password]", "acacia-demo");
await Promise.all([staff.waitForURL("**/admin/"), staff.click("main button[type=submit]")]);
for (let tries = 0; tries < 20; tries += 1) {
  await open(staff, "/admin/shop_orders/incomingpayment/?status__exact=held");
  if ((await staff.textContent("#changelist")).includes("rent")) {
    break;
  }
}
expect((await staff.textContent("#changelist")).includes("rent"), "staff do not see the money without an order");
await picture(staff, "9-held-money");
await Promise.all([staff.waitForNavigation(), staff.click("#result_list tbody th a")]);
await picture(staff, "10-held-money-page");
await examine(staff, "the page of held money", ["#header", "#nav-sidebar"]);
console.log(`${base}: ${number}, ${byHand}`);
await end();
