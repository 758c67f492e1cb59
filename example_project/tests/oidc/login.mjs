// Logging in to the shop with another provider: node login.mjs <scenario> <shop> <provider> <port of the app>.
import * as client from "openid-client";
import { callback, end, expect, logIn, look, visitor } from "./browser.mjs";

const [, , scenario, shop, issuer, port] = process.argv;
async function press(page) {
  await Promise.all([page.waitForURL(`${issuer}/**`), page.click("form[action*='/oidc/work/'] button")]);
}

async function logInAs(page, who) {
  await page.fill("input[name=login]", who);
  await page.fill("input[name=password]", "anything");
  await page.click("button[type=submit]");
  await page.waitForURL(`${issuer}/interaction/**`);
  const arrived = page.waitForURL((url) => !url.href.startsWith(issuer));
  await page.click("button[type=submit]");
  await arrived.catch(() => expect(false, `${who} never came back: ${page.url()}`));
}

async function isStranger(page) {
  return (await page.request.get(`${shop}/api/v1/auth/customers/profile/`)).status() === 401;
}

async function enter(who, { path = "/accounts/login/", ...options } = {}) {
  const page = await visitor(options);
  await page.goto(shop + path);
  await press(page);
  await logInAs(page, who);
  return page;
}

const scenarios = {
  async verified() {
    const page = await enter("verified");
    expect(page.url() === `${shop}/account/`, `the log-in ended at ${page.url()}`);
    expect((await page.textContent("main")).includes("New"), "the account does not know the name");
  },

  async "without scripts"() {
    const page = await enter("verified", { javaScriptEnabled: false });
    expect(page.url() === `${shop}/account/`, `the log-in ended at ${page.url()}`);
  },

  async unverified() {
    const page = await enter("unverified");
    expect(page.url().includes("/accounts/confirm-email/"), `the log-in ended at ${page.url()}`);
    expect(await isStranger(page), "an unverified address opened the account");
  },

  async nameless() {
    const page = await enter("nameless", { bypassCSP: true });
    expect(page.url().includes("/accounts/3rdparty/signup/"), `the log-in ended at ${page.url()}`);
    await look(page, "socialaccount-signup");
    await page.fill("input[type=email]", "asked@example.org");
    await page.fill("input[name=last_name]", "Customer");
    await page.click("main form.panel button[type=submit]");
    await page.waitForURL("**/accounts/confirm-email/**").catch(() => expect(false, `asking ended at ${page.url()}`));
    expect(await isStranger(page), "an unverified address opened the account");
  },

  async impostor() {
    const page = await enter("impostor", { bypassCSP: true });
    await look(page, "socialaccount-taken");
    expect(await isStranger(page), "a foreign address opened the account");
  },

  async "log-in to the admin"() {
    const page = await enter("staff", { path: "/admin/" });
    expect(page.url() === `${shop}/admin/`, `the log-in ended at ${page.url()}`);
    expect((await page.textContent("#user-tools")).length > 0, "the admin does not greet");
  },

  async "log-in cancelled at the provider"() {
    const page = await visitor({ bypassCSP: true });
    await page.goto(`${shop}/accounts/login/`);
    await press(page);
    await Promise.all([page.waitForURL(`${shop}/**`), page.click("text=Cancel")]);
    await look(page, "socialaccount-cancelled");
    expect(page.url().includes("/accounts/3rdparty/login/cancelled/"), `the way back ended at ${page.url()}`);
  },

  async "a guest's cart"() {
    const page = await visitor();
    await page.goto(`${shop}/product/market-mug/`);
    await page.fill("#quantity", "2");
    await page.click(".add button");
    await page.waitForSelector("#toast .success");
    await page.goto(`${shop}/accounts/login/`);
    await press(page);
    await logInAs(page, "verified");
    await page.goto(`${shop}/cart/`);
    expect((await page.inputValue("input[name=quantity]")) === "2", "the guest's cart is not the customer's");
  },

  async connect() {
    const page = await visitor({ bypassCSP: true });
    await logIn(page, shop);
    await page.goto(`${shop}/accounts/3rdparty/`);
    await look(page, "socialaccount-connections");
    await press(page);
    await logInAs(page, "nameless");
    expect(page.url().includes("/accounts/3rdparty/"), `connecting ended at ${page.url()}`);
    await page.goto(`${shop}/accounts/3rdparty/`);
    await look(page, "socialaccount-connected");
    expect((await page.$$("input[name=account]")).length === 1, "the account is not connected");
    const again = await enter("nameless");
    expect(again.url() === `${shop}/account/`, `the connected account does not log in: ${again.url()}`);
  },

  async unlink() {
    const page = await visitor({ bypassCSP: true });
    await logIn(page, shop);
    await page.goto(`${shop}/accounts/3rdparty/`);
    await press(page);
    await logInAs(page, "nameless");
    await page.goto(`${shop}/account/`);
    await Promise.all([page.waitForURL("**/accounts/3rdparty/"), page.click("nav.side a[href='/accounts/3rdparty/']")]);
    await page.check("input[name=account]");
    await Promise.all([page.waitForNavigation(), page.click("main form:has(input[name=account]) button[type=submit]")]);
    await page.goto(`${shop}/accounts/3rdparty/`);
    expect((await page.$$("input[name=account]")).length === 0, "the account is still connected");
  },

  async clerk() {
    const page = await enter("clerk");
    await page.goto(`${shop}/admin/`);
    expect(page.url() === `${shop}/admin/`, `the admin led to ${page.url()}`);
  },

  /** The log-out here is one at the provider: it asks, and its session has ended afterwards. */
  async "log out"() {
    const page = await enter("verified");
    await Promise.all([
      page.waitForURL(`${issuer}/session/end**`),
      page.click("nav.side form[action='/accounts/logout/'] button"),
    ]);
    await Promise.all([page.waitForURL(`${shop}/`), page.click("button[name=logout]")]);
    expect(await isStranger(page), "the session here is still open");
    await page.goto(`${shop}/accounts/login/`);
    await press(page);
    expect((await page.$$("input[name=login]")).length === 1, "the provider still knows who it is");
  },

  /** An app gets the token from the provider itself and passes it to the shop's headless log-in. */
  async "log-in by an app"() {
    const insecure = { execute: [client.allowInsecureRequests] };
    const config = await client.discovery(new URL(issuer), "shop", "shop-secret", undefined, insecure);
    const verifier = client.randomPKCECodeVerifier();
    const state = client.randomState();
    const app = await callback(Number(port));
    const url = client.buildAuthorizationUrl(config, {
      redirect_uri: app.uri,
      scope: "openid email profile",
      state,
      code_challenge: await client.calculatePKCECodeChallenge(verifier),
      code_challenge_method: "S256",
    });
    const page = await visitor();
    await page.goto(url.href);
    await logInAs(page, "verified");
    const checks = { pkceCodeVerifier: verifier, expectedState: state };
    const tokens = await client.authorizationCodeGrant(config, await app.arrived, checks);
    const response = await fetch(`${shop}/_allauth/app/v1/auth/provider/token`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ provider: "work", process: "login", token: { client_id: "shop", id_token: tokens.id_token } }),
    });
    const { meta } = await response.json();
    expect(response.status === 200, `the headless log-in responded ${response.status}`);
    const profile = await fetch(`${shop}/api/v1/auth/customers/profile/`, {
      headers: { Authorization: `Bearer ${meta.access_token}` },
    });
    expect((await profile.json()).email === "new@example.org", "the token does not open the profile");
  },
};

await scenarios[scenario]();
await end();
