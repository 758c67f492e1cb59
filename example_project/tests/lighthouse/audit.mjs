// Lighthouse over a running shop: node audit.mjs <address>. Prints a table; exits 1 if a score is too low.
// Every page is measured RUNS times with Lighthouse's own simulation of a phone on a slow network; the median counts.
import lighthouse from "lighthouse";
import puppeteer from "puppeteer-core";

const base = process.argv[2];
const WANTED = 95;
const RUNS = Number(process.env.LIGHTHOUSE_RUNS || 3);
const CATEGORIES = ["performance", "accessibility", "best-practices", "seo"];
// Checkout is closed to search engines, so its "is-crawlable" audit fails; its other SEO audits count.
const PAGES = {
  home: { path: "/" },
  category: { path: "/category/kitchen-table/" },
  product: { path: "/product/day-backpack/" },
  checkout: { path: "/checkout/", skip: ["is-crawlable"] },
};

const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic"],
  protocolTimeout: 300000,
});

async function fillCart(page) {
  await page.goto(`${base}/product/day-backpack/`);
  await page.click(".add button");
  await page.waitForSelector("#toast .success", { timeout: 60000 });
}

const median = (values) => [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)];
let failed = false;
try {
  const page = await browser.newPage();
  await fillCart(page);
  console.log(["page".padEnd(10), ...CATEGORIES.map((name) => name.padStart(15))].join(""));
  for (const [name, { path, skip = [] }] of Object.entries(PAGES)) {
    const found = Object.fromEntries(CATEGORIES.map((category) => [category, []]));
    const faults = new Set();
    for (let run = 0; run < RUNS; run += 1) {
      const protocol = await page.createCDPSession();
      await protocol.send("Network.clearBrowserCache");
      await protocol.detach();
      const flags = { logLevel: "error", onlyCategories: CATEGORIES, skipAudits: skip, disableStorageReset: true };
      const { lhr } = await lighthouse(base + path, flags, undefined, page);
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
  await browser.close();
}
process.exit(failed ? 1 : 0);
