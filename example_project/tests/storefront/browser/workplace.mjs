// Staff work by keyboard only: node workplace.mjs <address>. Log-in, list, order page and its steps. Every element that
// Tab reaches shows its focus and lets Tab leave it again, and axe checks each page.
import { base, end, expect, look, open, visitor } from "./browsing.mjs";

const [first, second, email, password] = process.argv.slice(3);
const shots = process.env.SCREENSHOTS;
const page = await visitor();

const path = () => new URL(page.url()).pathname;

// Presses Tab until the element `selector` has the focus.
async function tabTo(selector, key = "Tab") {
  for (let presses = 0; presses < 60; presses += 1) {
    await page.keyboard.press(key);
    if (await page.evaluate((wanted) => document.activeElement.matches(wanted), selector)) {
      return;
    }
  }
  expect(false, `${path()}: Tab does not reach ${selector} in 60 stops`);
  await end();
}

// Uses the admin's skip link, the first Tab stop, to pass the header and the list of models. A page whose URL has a hash
// already starts there.
async function skip() {
  if (new URL(page.url()).hash) {
    return;
  }
  await tabTo(".skip-to-content-link");
  await page.keyboard.press("Enter");
}

const go = (key = "Enter") => Promise.all([page.waitForNavigation(), page.keyboard.press(key)]);
const link = (label) => page.evaluate((wanted) => {
  const found = [...document.querySelectorAll(".steps a")].find((one) => one.textContent.trim() === wanted);
  found?.setAttribute("data-wanted", "");
  return Boolean(found);
}, label);

// Tabs through the whole page: each element must show its focus and be in view, and Tab must leave the last one.
async function walk() {
  await page.evaluate(() => {
    const look = (element) => {
      const style = getComputedStyle(element);
      return ["outlineStyle", "outlineWidth", "outlineColor", "boxShadow", "borderColor", "backgroundColor", "color",
        "textDecorationLine", "top"].map((name) => style[name]).join("|");
    };
    window.stops = [];
    document.addEventListener("focusin", ({ target }) => window.stops.push({ target, on: look(target) }));
    window.unseen = () => window.stops.filter(({ target, on }) => target !== document.activeElement && look(target) === on)
      .map(({ target }) => target.outerHTML.slice(0, 120));
    document.activeElement.blur();
    window.getSelection().removeAllRanges();
  });
  let presses = 0;
  const seen = new Set();
  for (; presses < 400; presses += 1) {
    await page.keyboard.press("Tab");
    const stop = await page.evaluate(() => {
      const element = document.activeElement;
      const { top, bottom, height } = element.getBoundingClientRect();
      const isInView = element === document.body || (height > 0 && bottom > 0 && top < innerHeight);
      return { index: [...document.querySelectorAll("*")].indexOf(element), isInView, html: element.outerHTML.slice(0, 120) };
    });
    if (seen.has(stop.index)) {
      break;
    }
    expect(stop.isInView, `${path()}: the focus is out of view on ${stop.html}`);
    seen.add(stop.index);
  }
  expect(presses < 400, `${path()}: the focus does not come back`);
  await page.evaluate(() => document.activeElement.blur());
  for (const html of await page.evaluate(() => window.unseen())) {
    expect(false, `${path()}: the focus does not show on ${html}`);
  }
  const missed = await page.evaluate(() => {
    const reached = new Set(window.stops.map(({ target }) => target));
    const wanted = document.querySelectorAll("main a[href], main button, main input:not([type=hidden]), main select, main textarea");
    return [...wanted].filter((element) => element.checkVisibility({ visibilityProperty: true }) && element.tabIndex >= 0 && !element.disabled && !reached.has(element))
      .map((element) => element.outerHTML.slice(0, 120));
  });
  for (const html of missed) {
    expect(false, `${path()}: Tab does not reach ${html}`);
  }
}

async function shoot(name) {
  if (shots) {
    await page.screenshot({ path: `${shots}/${name}.png`, fullPage: true });
  }
}

// From the order's page to a step, and back by its button.
async function take(label, fill = async () => {}) {
  if (!(await link(label))) {
    expect(false, `${path()}: there is no step “${label}”`);
    await end();
  }
  await skip();
  await tabTo("[data-wanted]");
  await shoot(`${label}-focused`);
  await go();
  await look(page, path());
  await walk();
  await open(page, path());
  await skip();
  await fill();
  await tabTo("main button[name=take]");
  await shoot(label);
  await go(label.length % 2 ? "Enter" : "Space");
  expect((await page.textContent(".messagelist")).includes(label), `“${label}” was not done`);
}

await open(page, "/admin/");
await tabTo("input[type=email]");
await page.keyboard.type(email);
await tabTo("input[type=password]");
await page.keyboard.type(password);
await go();

await open(page, "/admin/shop_orders/order/");
await walk();
await open(page, "/admin/shop_orders/order/");
await skip();
await tabTo(`tr:has(a[href*="/${second}/"]) input.action-select`);
await page.keyboard.press("Space");
await tabTo("select[name=action]", "Shift+Tab");
await page.keyboard.type("Confirm");
await tabTo("button[name=index]");
await go();
expect((await page.textContent(".messagelist")).includes("1 order changed"), "the list did not confirm the order");
await skip();
await tabTo(`#result_list a[href*="/${first}/"]`);
await shoot("list");
await go();

await look(page, path());
await walk();
await shoot("order");
await open(page, `/admin/shop_orders/order/${first}/change/`);
await take("Confirm");
await take("Start processing");
await take("Ship", async () => {
  await tabTo("#id_carrier");
  await page.keyboard.type("City Couriers");
  await tabTo("#id_tracking_number");
  await page.keyboard.type("CC-KEYS-1");
});
await take("Record the payment");
await take("Mark as delivered");
await take("Refund", async () => {
  await tabTo("#id_amount");
  await page.keyboard.press("Control+A");
  await page.keyboard.type("950");
  await tabTo("#id_reason");
  await page.keyboard.type("A crack");
  await tabTo("#id_line_1");
  await page.keyboard.press("ArrowUp");
});
await take("Add a note", async () => {
  await tabTo("#id_text");
  await page.keyboard.type("Done without a mouse");
});
const state = await page.textContent(".state");
expect(state.includes("Delivered") && state.includes("Partly refunded"), `the order is ${state.replace(/\s+/g, " ")}`);
expect((await page.textContent(".timeline")).includes("Done without a mouse"), "the note is not in the time line");
await shoot("done");
await end();
