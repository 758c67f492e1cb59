// Shared by the browser tests: visitors whose console messages are faults, and a check of a page's accessibility.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const faults = [];

export const base = process.argv[2];

export function fault(text) {
  faults.push(text);
  console.error(text);
}

export function expect(condition, text) {
  if (!condition) {
    fault(text);
  }
}

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic"],
});

export async function visitor(options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  context.setDefaultTimeout(Number(process.env.BROWSER_TIMEOUT_SECONDS || 15) * 1000);
  const page = await context.newPage();
  page.on("pageerror", (error) => fault(`${page.url()}: ${error.message}`));
  page.on("console", (message) => {
    const isExpected = message.text().includes("404 (Not Found)") && page.url().includes("/nothing/")
      || message.text().includes("403 (Forbidden)") && page.url().endsWith("/orders/");
    if (["error", "warning"].includes(message.type()) && !isExpected) {
      fault(`${page.url()}: ${message.text().slice(0, 300)}`);
    }
  });
  return page;
}

export const open = (page, path) => page.goto(base + path, { waitUntil: "load" });

export async function look(page, path, exclude = []) {
  await open(page, path);
  await examine(page, path, exclude);
}

// Checks the page in its current state, such as after a form was sent. `exclude` lists elements that Django renders.
export async function examine(page, path, exclude = []) {
  const tooWide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  expect(tooWide <= 0, `${path} is ${tooWide} px wider than the window`);
  await page.evaluate(axeSource);
  const { violations } = await page.evaluate(
    ([rules, except]) => window.axe.run({ exclude: except }, { runOnly: rules }), [RULES, exclude]);
  for (const violation of violations) {
    fault(`${path}: ${violation.id}: ${violation.nodes.map((node) => node.target.join(" ")).join(", ")}`);
  }
}

export async function end() {
  await browser.close();
  console.log(`${faults.length} faults`);
  process.exit(faults.length ? 1 : 0);
}
