// Shared by the scripts here: a visitor in headless Chromium. A fault exits with 1 and a message.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
export const PASSWORD = "a-long-and-odd-one-42";
const shop = process.argv[3];
const faults = [];
let browser;

export function expect(condition, text) {
  if (!condition) {
    faults.push(text);
    console.error(text);
  }
}

/** A page of a new browser profile. Console messages of the shop's pages are faults, including refused redirects. */
export async function visitor(options = {}) {
  browser ??= await chromium.launch({
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic"],
  });
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  context.setDefaultTimeout(15000);
  const page = await context.newPage();
  page.on("pageerror", (error) => expect(!page.url().startsWith(shop), `${page.url()}: ${error.message}`));
  page.on("console", (message) => {
    const isOurs = page.url().startsWith(shop) || message.text().includes("Content Security Policy");
    const isIcon = message.location().url.endsWith("/favicon.ico");
    if (isOurs && !isIcon && ["error", "warning"].includes(message.type())) {
      expect(false, `${page.url()}: ${message.text().slice(0, 300)}`);
    }
  });
  return page;
}

export async function logIn(page, shop, email = "customer@example.org", next = "") {
  await page.goto(`${shop}/accounts/login/${next ? `?next=${encodeURIComponent(next)}` : ""}`);
  await enter(page, email);
}

export async function enter(page, email = "customer@example.org") {
  await page.fill("input[type=email]", email);
  await page.fill("input[type=password]", PASSWORD);
  await Promise.all([page.waitForNavigation(), page.click("main form.panel button[type=submit]")]);
}

/** A server that waits for an app's code: `uri` is its address, `arrived` resolves to the first URL requested from it. */
export async function callback(port = 0) {
  const server = createServer();
  const arrived = new Promise((resolve) => {
    server.on("request", (request, response) => {
      response.end("<!doctype html><link rel=icon href='data:,'><title>App</title>Back in the app");
      resolve(new URL(request.url, `http://127.0.0.1:${server.address().port}`));
    });
  });
  await new Promise((resolve) => server.listen(port, "127.0.0.1", resolve));
  return { uri: `http://127.0.0.1:${server.address().port}/callback`, arrived };
}

/** Run axe, and check that nothing is wider than the window. With SCREENSHOTS, save a picture of the page. */
export async function look(page, name) {
  const tooWide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  expect(tooWide <= 0, `${name} is ${tooWide} px wider than the window`);
  if (process.env.SCREENSHOTS) {
    const { width } = page.viewportSize();
    await page.screenshot({ path: `${process.env.SCREENSHOTS}/${name}-${width}.png`, fullPage: true });
  }
  const { violations } = await page.evaluate(
    `${axe}; axe.run(document, { runOnly: ${JSON.stringify(RULES)} })`,
  );
  for (const violation of violations) {
    expect(false, `${name}: ${violation.id}: ${violation.nodes.map((node) => node.target.join(" ")).join(", ")}`);
  }
}

export async function end() {
  await browser?.close();
  console.log(`${faults.length} faults`);
  process.exit(faults.length ? 1 : 0);
}
