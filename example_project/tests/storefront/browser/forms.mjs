// Forms of the admin, looked at by axe: node forms.mjs <address> <session> <path>... Rows that are added by script, too.
import { base, end, examine, look, visitor } from "./browsing.mjs";

// Of Django's table, above the names of the rows; and of its list with a search, inside of the box that has the name.
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
