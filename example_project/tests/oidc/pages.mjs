// Checks the account pages in two sizes, and passkeys: node pages.mjs <scenario> <shop>.
import { end, enter, expect, logIn, look, PASSWORD, visitor } from "./browser.mjs";

const [, , scenario, shop] = process.argv;
const SIZES = [
  { viewport: { width: 1280, height: 900 }, colorScheme: "light" },
  { viewport: { width: 360, height: 780 }, colorScheme: "dark" },
];
const ENTRANCE = ["login", "signup", "password/reset", "inactive", "confirm-email", "password/reset/done"];
const MANAGE = ["email", "password/change", "2fa", "2fa/webauthn", "2fa/webauthn/add", "2fa/totp/activate",
  "2fa/recovery-codes/generate", "3rdparty", "sessions", "logout", "reauthenticate"];

async function tour(page, paths) {
  for (const path of paths) {
    const response = await page.goto(`${shop}/accounts/${path}/`);
    expect(response.status() < 400, `${path} responds ${response.status()}`);
    await look(page, path.replaceAll("/", "-"));
  }
}

async function reauthenticate(page) {
  if (page.url().includes("reauthenticate")) {
    await page.fill("input[type=password]", PASSWORD);
    await Promise.all([page.waitForNavigation(), page.click("main form.panel button[type=submit]")]);
  }
}

/** A virtual security key that confirms every request, as a touch or an unlock does. */
async function key(page) {
  const browser = await page.context().newCDPSession(page);
  await browser.send("WebAuthn.enable");
  const { authenticatorId } = await browser.send("WebAuthn.addVirtualAuthenticator", {
    options: {
      protocol: "ctap2",
      transport: "internal",
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });
  return async () => (await browser.send("WebAuthn.getCredentials", { authenticatorId })).credentials;
}

async function addKey(page, { passwordless }) {
  await page.goto(`${shop}/accounts/2fa/webauthn/add/`);
  await reauthenticate(page);
  await page.fill("input[name=name]", "My key");
  if (passwordless) {
    await page.check("input[name=passwordless]");
  }
  await Promise.all([page.waitForNavigation(), page.click("#mfa_webauthn_add")]);
}

const logOut = async (page) => {
  await page.goto(`${shop}/accounts/logout/`);
  await Promise.all([page.waitForNavigation(), page.click("main form.panel button[type=submit]")]);
};

const scenarios = {
  async "before the log-in"() {
    for (const size of SIZES) {
      const page = await visitor({ ...size, bypassCSP: true });
      await tour(page, ENTRANCE);
      await page.goto(`${shop}/accounts/password/reset/`);
      await page.fill("input[type=email]", "customer@example.org");
      await Promise.all([page.waitForNavigation(), page.click("main form.panel button[type=submit]")]);
      await look(page, "password-reset-code");
      const fresh = await visitor({ ...size, bypassCSP: true });
      await fresh.goto(`${shop}/accounts/signup/`);
      await fresh.fill("input[type=email]", `new${size.viewport.width}@example.org`);
      await fresh.fill("input[name=first_name]", "New");
      await fresh.fill("input[name=last_name]", "Customer");
      await fresh.fill("input[type=password]", PASSWORD);
      await Promise.all([fresh.waitForNavigation(), fresh.click("main form.panel button[type=submit]")]);
      expect(fresh.url().includes("/confirm-email/"), `signing up ended at ${fresh.url()}`);
      await look(fresh, "confirm-email-code");
      await fresh.fill("input[name=code]", "WRONG1");
      await Promise.all([fresh.waitForNavigation(), fresh.click("main form.panel button[type=submit]")]);
      await look(fresh, "confirm-email-wrong");
    }
  },

  async "after the log-in"() {
    for (const size of SIZES) {
      const page = await visitor({ ...size, bypassCSP: true });
      await logIn(page, shop);
      await page.goto(`${shop}/accounts/2fa/totp/activate/`);
      await look(page, "reauthenticate-asked");
      await reauthenticate(page);
      await tour(page, MANAGE);
    }
  },

  async "with a second factor"() {
    for (const size of SIZES) {
      const page = await visitor({ ...size, bypassCSP: true });
      await logIn(page, shop);
      expect(page.url().includes("/2fa/authenticate/"), `the log-in went on to ${page.url()}`);
      await look(page, "2fa-authenticate");
      await page.fill("input[name=code]", "000000");
      await Promise.all([page.waitForNavigation(), page.click("main form.panel button[type=submit] >> nth=0")]);
      await look(page, "2fa-authenticate-wrong");
    }
  },

  /** The pages comply with their Content-Security-Policy, which this scenario does not bypass. */
  async "the policy is kept"() {
    const page = await visitor();
    for (const path of ENTRANCE) {
      await page.goto(`${shop}/accounts/${path}/`);
    }
    await logIn(page, shop);
    await page.goto(`${shop}/accounts/2fa/webauthn/add/`);
    await reauthenticate(page);
    for (const path of MANAGE) {
      await page.goto(`${shop}/accounts/${path}/`);
    }
  },

  async "without scripts"() {
    const page = await visitor({ javaScriptEnabled: false });
    await logIn(page, shop);
    expect(page.url() === `${shop}/account/`, `the log-in ended at ${page.url()}`);
    await page.goto(`${shop}/accounts/password/change/`);
    await page.fill("input[name=oldpassword]", PASSWORD);
    await page.fill("input[name=password1]", "another-odd-one-43");
    if (await page.$("input[name=password2]")) {
      await page.fill("input[name=password2]", "another-odd-one-43");
    }
    await Promise.all([page.waitForNavigation(), page.click("main form.panel button[type=submit]")]);
    await page.goto(`${shop}/account/`);
    expect(page.url().includes("/accounts/login/"), "a new password left the old session open");
  },

  async "a passkey"() {
    const page = await visitor();
    const keys = await key(page);
    await logIn(page, shop);
    await addKey(page, { passwordless: true });
    expect((await keys()).length === 1, "the key holds no passkey");
    await page.goto(`${shop}/accounts/2fa/webauthn/`);
    expect((await page.textContent("main")).includes("My key"), "the page does not list the key");
    await logOut(page);
    await page.goto(`${shop}/accounts/login/`);
    await Promise.all([page.waitForURL(`${shop}/account/`), page.click("#passkey_login")]);
    const profile = await page.request.get(`${shop}/api/v1/auth/customers/profile/`);
    expect((await profile.json()).email === "customer@example.org", "the passkey logs somebody else in");
    await logOut(page);
    await logIn(page, shop);
    expect(page.url().includes("/2fa/authenticate/"), "with the password alone the account opens");
    await Promise.all([page.waitForURL(`${shop}/account/`), page.click("#mfa_webauthn_authenticate")]);
  },

  /** Log in with a passkey without the shop's pages: the browser signs the options that the API returns. */
  async "a passkey of an app"() {
    const page = await visitor();
    await key(page);
    await logIn(page, shop);
    await addKey(page, { passwordless: true });
    await logOut(page);
    await page.goto(`${shop}/accounts/login/`);
    const done = await page.evaluate(async () => {
      const path = "/_allauth/app/v1/auth/webauthn/login";
      const asked = await (await fetch(path, { credentials: "omit" })).json();
      const credential = await window.webauthnJSON.get(asked.data.request_options);
      const response = await fetch(path, {
        method: "POST",
        credentials: "omit",
        headers: { "Content-Type": "application/json", "X-Session-Token": asked.meta?.session_token ?? "" },
        body: JSON.stringify({ credential }),
      });
      return { status: response.status, content: await response.json() };
    }).catch((error) => ({ status: String(error) }));
    expect(done.status === 200, `the passkey log-in responded ${done.status} ${JSON.stringify(done.content)}`);
    const token = done.content?.meta?.access_token;
    const profile = await fetch(`${shop}/api/v1/auth/customers/profile/`, { headers: { Authorization: `Bearer ${token}` } });
    expect(profile.status === 200, "the token of a passkey opens nothing");
  },
};

await scenarios[scenario]();
await end();
