// Lighthouse over a running shop: node audit.mjs <address>. Prints a table; ends with 1 if a figure is below what is wanted.
// Every page is measured RUNS times, as a phone on a slow network (Lighthouse's own), and the median counts.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import lighthouse from "lighthouse";

const base = process.argv[2];
const WANTED = 95;
const RUNS = Number(process.env.LIGHTHOUSE_RUNS || 3);
const PORT = Number(process.env.LIGHTHOUSE_PORT || 9333);
const CATEGORIES = ["performance", "accessibility", "best-practices", "seo"];
// Checkout is for one visitor: it is closed to search engines, which "is-crawlable" asks; its other SEO audits count.
const PAGES = {
  home: { path: "/" },
  category: { path: "/category/kitchen-table/" },
  product: { path: "/product/day-backpack/" },
  checkout: { path: "/checkout/", skip: ["is-crawlable"] },
};

async function cartCookie() {
  const page = await fetch(`${base}/product/day-backpack/`);
  const csrf = page.headers.getSetCookie().map((line) => line.split(";")[0]).find((pair) => pair.startsWith("csrftoken="));
  const answer = await fetch(`${base}/cart/add/`, {
    method: "POST",
    redirect: "manual",
    headers: { Cookie: csrf, Referer: base, "X-CSRFToken": csrf.split("=")[1] },
    body: new URLSearchParams({ product: "BPK-DAY", quantity: "1" }),
  });
  const cart = answer.headers.getSetCookie().map((line) => line.split(";")[0]).find((pair) => pair.startsWith("shop_cart="));
  if (!cart) {
    throw new Error(`nothing went into the cart: ${answer.status}`);
  }
  return `${csrf}; ${cart}`;
}

async function started() {
  for (let tries = 0; tries < 120; tries += 1) {
    try {
      await fetch(`http://127.0.0.1:${PORT}/json/version`);
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  }
  throw new Error("Chromium did not start");
}

const profile = mkdtempSync(join(tmpdir(), "lighthouse-"));
const chromium = spawn(process.env.CHROMIUM || "/usr/bin/chromium", ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic",
  "--no-first-run", `--user-data-dir=${profile}`, `--remote-debugging-port=${PORT}`, "about:blank"], { stdio: "ignore" });
const median = (values) => [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)];
let failed = false;
try {
  await started();
  const cookie = await cartCookie();
  console.log(["page".padEnd(10), ...CATEGORIES.map((name) => name.padStart(15))].join(""));
  for (const [name, { path, skip = [] }] of Object.entries(PAGES)) {
    const found = Object.fromEntries(CATEGORIES.map((category) => [category, []]));
    const faults = new Set();
    for (let run = 0; run < RUNS; run += 1) {
      const { lhr } = await lighthouse(base + path, {
        port: PORT, output: "json", logLevel: "error", onlyCategories: CATEGORIES, skipAudits: skip,
        extraHeaders: { Cookie: cookie },
      });
      if (new URL(lhr.finalDisplayedUrl).pathname !== path) {
        throw new Error(`${path} led to ${lhr.finalDisplayedUrl}`);
      }
      for (const category of CATEGORIES) {
        found[category].push(Math.round(100 * lhr.categories[category].score));
        for (const { id, weight } of lhr.categories[category].auditRefs) {
          const { score, displayValue } = lhr.audits[id] || {};
          if (weight && score !== null && score < 0.9) {
            faults.add(`${category}: ${id} ${displayValue || ""}`.trim());
          }
        }
      }
    }
    const figures = CATEGORIES.map((category) => median(found[category]));
    console.log([name.padEnd(10), ...figures.map((figure) => String(figure).padStart(15))].join(""));
    for (const line of faults) {
      console.log(`  ${line}`);
    }
    failed ||= figures.some((figure) => figure < WANTED);
  }
} finally {
  chromium.kill();
  await new Promise((resolve) => (chromium.exitCode === null ? chromium.once("exit", resolve) : resolve()));
  rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
}
process.exit(failed ? 1 : 0);
