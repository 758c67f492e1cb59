// A complete order in a running demo: node story.mjs <address>. A guest buys and reads e-mail and SMS; staff find, pack
// and ship the order; an SMS fails and an e-mail replaces it; the guest sees the parcel. axe checks every page.
import { base, end, expect, look, open, visitor } from "./browsing.mjs";

const PASSWORD = "acacia-demo";
const GUEST = { email: "story@example.org", name: "Test Guest", phone: "0712 345 681", sent: "+254712345681" };

async function until(what, condition, seconds = 60) {
  for (const started = Date.now(); Date.now() - started < seconds * 1000;) {
    const found = await condition();
    if (found) {
      return found;
    }
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
  expect(false, `${what} did not come within ${seconds} seconds`);
  await end();
}

async function inbox(to) {
  const response = await fetch(`${base}/demo/inbox/?to=${encodeURIComponent(to)}`, { headers: { Accept: "application/json" } });
  return response.json();
}

const mailAbout = async (words) => (await inbox(GUEST.email)).mails.find((mail) => words.test(mail.subject));
const textAbout = async (words) => (await inbox(GUEST.sent)).texts.find((text) => words.test(text.text));

async function buy(page) {
  await open(page, "/");
  await page.locator("#search").pressSequentially("lagoon");
  await page.click("#suggestions a[href='/product/market-mug-lagoon/']");
  await page.click(".add button");
  await page.waitForSelector("#toast .success");
  await open(page, "/checkout/");
  await page.fill("#id_email", GUEST.email);
  await page.fill("#id_name", GUEST.name);
  await page.fill("#id_phone", GUEST.phone);
  await page.fill("#id_line1", "Riverside Drive 12");
  await page.fill("#id_city", "Nairobi");
  await page.check("input[name=payment][value=on_delivery]");
  await Promise.all([page.waitForURL("**/checkout/review/"), page.click("main .buttons button")]);
  await Promise.all([page.waitForURL("**/thanks/**"), page.click("form[action='/checkout/place/'] button")]);
  return new URL(page.url()).pathname.split("/")[2];
}

async function logIn(page, who) {
  await open(page, "/admin/");
  await page.fill("input[type=email]", `${who}@example.org`);
  await page.fill("input[type=password]", PASSWORD);
  await Promise.all([page.waitForURL("**/admin/"), page.click("main button[type=submit]")]);
}

async function pressByKeyboard(page, label) {
  for (let presses = 0; presses < 80; presses += 1) {
    await page.keyboard.press("Tab");
    if (await page.evaluate((wanted) => document.activeElement.textContent.trim() === wanted, label)) {
      await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
      return;
    }
  }
  expect(false, `${page.url()}: the keyboard does not reach “${label}”`);
}

const guest = await visitor();
const number = await buy(guest);
const confirmation = await until("the confirmation", () => mailAbout(new RegExp(number)));
const text = await until("the SMS", () => textAbout(new RegExp(number)));
expect(text.segments >= 1 && text.cost.startsWith("KES"), "the SMS has no segments or no cost");
await until("the delivery report", async () => (await textAbout(new RegExp(number))).report === "Success");
await open(guest, "/demo/inbox/");
expect((await guest.textContent("main")).includes(number), "the inbox does not show the order");
const link = confirmation.text.match(/https?:\/\/\S+\/orders\/\S+/)[0];
await guest.goto(link);
expect((await guest.textContent("h1")).includes(number), "the link of the e-mail does not lead to the order");

await open(guest, "/orders/");
await guest.fill("#id_number", number.toLowerCase());
await guest.fill("#id_email", GUEST.email);
await Promise.all([guest.waitForURL("**/orders/?sent=1"), guest.click("main form button")]);
await until("the link that was asked for", () => mailAbout(new RegExp(`^Your order ${number}$`)));

const staff = await visitor();
await logIn(staff, "staff");
await staff.click(".tile:has-text('To pack')");
await staff.click(`#result_list a:has-text('${number}')`);
expect((await staff.textContent(".timeline")).includes(GUEST.email), "the time line does not say who got a message");
await open(guest, "/demo/inbox/");
await guest.click("form[action*=fail-next-sms] button");
await Promise.all([staff.waitForURL("**/step/process/"), pressByKeyboard(staff, "Start processing")]);
const foreseen = await staff.textContent("#sending");
expect(foreseen.includes(GUEST.sent) && foreseen.includes(number), "the step does not show what it would send");
await pressByKeyboard(staff, "Start processing");
await until("the failure of the SMS", async () => (await inbox(GUEST.sent)).texts.some((row) => row.report === "Failed"));
const instead = await until("the e-mail instead of the SMS", async () =>
  (await inbox(GUEST.email)).mails.find((mail) => mail.subject.includes(number) && mail.subject !== confirmation.subject
    && mail.subject !== `Your order ${number}`), 180);
console.log(`instead of the SMS: ${instead.subject}`);
await staff.reload();
expect((await staff.locator(".timeline .pill.bad").count()) === 1, "the order page does not show the SMS that failed");

await Promise.all([staff.waitForURL("**/step/ship/"), pressByKeyboard(staff, "Ship")]);
await staff.fill("#id_carrier", "City Couriers");
await staff.fill("#id_tracking_number", "CC-STORY-1");
await staff.fill("#id_tracking_url", "https://couriers.example.org/CC-STORY-1");
await Promise.all([staff.waitForNavigation(), staff.click("button[name=look]")]);
expect((await staff.textContent("#sending")).includes("CC-STORY-1"), "the parcel's number is not in what would be sent");
await Promise.all([staff.waitForURL("**/change/"), staff.click("button[name=take]")]);
expect((await staff.textContent(".state")).includes("Shipped"), "the order is not shipped");
await until("the SMS about the parcel", () => textAbout(/CC-STORY-1/));
await guest.goto(link);
const seen = await guest.textContent("main");
expect(seen.includes("City Couriers") && seen.includes("CC-STORY-1"), "the guest does not see the parcel");
expect((await guest.locator("a[href='https://couriers.example.org/CC-STORY-1']").count()) > 0, "the parcel cannot be followed");

const place = new URL(staff.url()).pathname;
for (const colorScheme of ["light", "dark"]) {
  for (const width of [1280, 390]) {
    const page = await visitor({ colorScheme, viewport: { width, height: 800 }, bypassCSP: true });
    await logIn(page, "staff");
    for (const path of ["/admin/", "/admin/?days=7", "/admin/shop_orders/order/", "/admin/shop_catalog/category/",
      "/admin/shop_catalog/product/", "/admin/shop_catalog/product/import/", "/admin/shop_catalog/review/",
      "/admin/shop_notify/notification/", link.slice(base.length), place, place.replace("/change/", "/step/deliver/"),
      place.replace("/change/", "/step/note/"), "/demo/inbox/"]) {
      await look(page, path);
    }
    await page.context().close();
  }
}
await end();
