// Runs axe on admin forms, including rows added by script: node forms.mjs <address> <session> <path>...
import { base, end, examine, look, visitor } from "./browsing.mjs";

// Django renders these: the empty header above row names, and the inner element of a searchable select.
const NOT_OURS = ["th:empty", ".select2-selection__rendered"];
const [session, ...paths] = process.argv.slice(3);
const page = await visitor();
await page.context().addCookies([{ name: "sessionid", value: session, url: base }]);
for (const path of paths) {
  await look(page, path, NOT_OURS);
  for (const link of await page.locator(".add-row a:visible").all()) {
    await link.click();
  }
  await examine(page, `${path} with new rows`, NOT_OURS);
}
await end();
