// An app of npm's openid-client that uses the shop as its provider: node app.mjs <scenario> <shop>.
import * as client from "openid-client";
import { callback, end, enter, expect, logIn, look, visitor } from "./browser.mjs";

const [, , scenario, shop] = process.argv;
const insecure = { execute: [client.allowInsecureRequests] };
const api = `${shop}/api/v1`;

const call = (path, token, options = {}) =>
  fetch(api + path, { ...options, headers: { Authorization: `Bearer ${token}`, ...options.headers } });

const refused = (promise) =>
  promise.then(() => "", (error) => error.error ?? error.cause?.[0]?.parameters?.error ?? String(error));

/** Request a code in a logged-in browser and exchange it for tokens. `answer` clicks on the consent page. */
async function authorize(config, { scope, page, answer = allow, ...more }) {
  const app = await callback();
  const verifier = client.randomPKCECodeVerifier();
  const [state, nonce] = [client.randomState(), client.randomNonce()];
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: app.uri,
    scope,
    state,
    nonce,
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
    ...more,
  });
  await page.goto(url.href);
  await answer(page);
  const late = new Promise((_, reject) => setTimeout(() => reject(new Error(`nothing came back: ${page.url()}`)), 10000));
  const back = await Promise.race([app.arrived, late]);
  return client.authorizationCodeGrant(config, back, { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce });
}

const allow = (page) => page.click("button[name=action][value=grant]");

async function customer(options) {
  const page = await visitor(options);
  await logIn(page, shop);
  return page;
}

const discover = (id, secret, authentication) =>
  client.discovery(new URL(shop), id, secret, authentication, insecure);

const scenarios = {
  async "code and PKCE"() {
    const config = await discover("app", undefined, client.None());
    const page = await visitor();
    const tokens = await authorize(config, {
      page,
      scope: "openid profile email orders:read",
      answer: async () => {
        expect(page.url().includes("/accounts/login/"), "who is not logged in is not asked to");
        await enter(page);
        await allow(page);
      },
    });
    const claims = tokens.claims();
    const userinfo = await client.fetchUserInfo(config, tokens.access_token, claims.sub);
    expect(userinfo.email === "customer@example.org" && userinfo.email_verified, "userinfo does not have the address");
    const profile = await (await call("/auth/customers/profile/", tokens.access_token)).json();
    expect(profile.email === userinfo.email, "the token does not open the profile");
    const write = await call("/auth/customers/logout/", tokens.access_token, { method: "POST" });
    const asked = write.headers.get("WWW-Authenticate");
    expect(write.status === 403 && asked.includes("orders:write"), `without the scope: ${write.status} ${asked}`);
  },

  async "no consent is requested"() {
    const config = await discover("app", undefined, client.None());
    const page = await visitor();
    const tokens = await authorize(config, { page, scope: "openid", answer: () => enter(page) });
    expect(tokens.claims().sub.length > 0, "there is no subject");
  },

  async "consent refused"() {
    const config = await discover("app", undefined, client.None());
    const answer = (page) => page.click("button[name=action][value=cancel]");
    const page = await customer();
    const error = await refused(authorize(config, { page, scope: "openid", answer }));
    expect(error === "access_denied", `saying no gave ${error}`);
  },

  async "fewer scopes than requested"() {
    const config = await discover("app", undefined, client.None());
    const page = await customer();
    const answer = async () => {
      await page.uncheck("input[value='orders:write']");
      await allow(page);
    };
    const tokens = await authorize(config, { page, scope: "openid orders:read orders:write", answer });
    expect(tokens.scope.split(" ").sort().join(" ") === "openid orders:read", `the scope is ${tokens.scope}`);
    const write = await call("/auth/customers/logout/", tokens.access_token, { method: "POST" });
    expect(write.status === 403, `a scope that was taken away still works: ${write.status}`);
  },

  async "the consent page"() {
    const config = await discover("app", undefined, client.None());
    for (const [width, colorScheme] of [[1280, "light"], [360, "dark"]]) {
      const page = await customer({ viewport: { width, height: 800 }, colorScheme, bypassCSP: true });
      const scope = "openid email profile orders:write orders:read shop:write shop:read";
      const answer = async () => {
        await look(page, "consent");
        const words = await page.textContent("main");
        expect(words.includes("Acacia") && !words.includes("localhost"), "the page does not name the shop");
        const boxes = await page.$$eval("input[name=scopes]", (found) => found.map((box) => box.value).join(" "));
        expect(boxes === "openid profile email shop:read shop:write orders:read orders:write", `the order is ${boxes}`);
        await allow(page);
      };
      await authorize(config, { page, scope, answer });
    }
    const page = await customer({ javaScriptEnabled: false });
    await authorize(config, { page, scope: "openid" });
  },

  async "refresh, introspection, revocation"() {
    const config = await discover("server", "serversecret", client.ClientSecretBasic());
    const tokens = await authorize(config, { page: await customer(), scope: "openid orders:read" });
    const newer = await client.refreshTokenGrant(config, tokens.refresh_token);
    expect(newer.refresh_token !== tokens.refresh_token, "the refresh token was not rotated");
    expect((await refused(client.refreshTokenGrant(config, tokens.refresh_token))) === "invalid_grant", "an old one works");
    const about = await client.tokenIntrospection(config, newer.access_token);
    expect(about.active && about.scope.includes("orders:read"), `introspection says ${JSON.stringify(about)}`);
    expect((await call("/orders/orders/", newer.access_token)).status === 200, "the new token does not work");
    await client.tokenRevocation(config, newer.access_token);
    expect(!(await client.tokenIntrospection(config, newer.access_token)).active, "a revoked token is called active");
    expect((await call("/orders/orders/", newer.access_token)).status === 401, "a revoked token works");
    await client.tokenRevocation(config, newer.refresh_token);
    expect((await refused(client.refreshTokenGrant(config, newer.refresh_token))) === "invalid_grant", "a revoked one works");
  },

  async "client credentials"() {
    const [id, secret] = process.argv.slice(4);
    for (const authentication of [client.ClientSecretBasic(), client.ClientSecretPost()]) {
      const config = await discover(id, secret, authentication);
      const tokens = await client.clientCredentialsGrant(config, { scope: "shop:read orders:read" });
      expect((await call("/products/products/", tokens.access_token)).status === 200, "the catalogue is closed");
      expect((await call("/orders/orders/", tokens.access_token)).status === 401, "it acts as a customer");
    }
    const wrong = await discover(id, "wrong", client.ClientSecretBasic());
    expect((await refused(client.clientCredentialsGrant(wrong, {}))) === "invalid_client", "a wrong secret works");
  },

  async "log-out from the app"() {
    const config = await discover("server", "serversecret", client.ClientSecretPost());
    const page = await customer({ bypassCSP: true });
    const tokens = await authorize(config, { page, scope: "openid" });
    const app = await callback();
    const url = client.buildEndSessionUrl(config, {
      id_token_hint: tokens.id_token, post_logout_redirect_uri: app.uri, state: "s",
    });
    await page.goto(url.href);
    await look(page, "app-logout");
    await page.click("button[value=logout]");
    expect((await app.arrived).searchParams.get("state") === "s", "the way back lost its state");
    await page.goto(`${shop}/account/`);
    expect(page.url().includes("/accounts/login/"), "the shop is still logged in");
  },

  /** For a client in another language: open its authorization URL, give consent, and print the URL of the redirect. */
  async click() {
    const page = await customer();
    const app = await callback(Number(process.argv[5]));
    await page.goto(process.argv[4]);
    await allow(page);
    console.log((await app.arrived).href);
  },

  async "a foreign redirect URI"() {
    const page = await customer({ bypassCSP: true });
    await page.goto(`${shop}/identity/o/authorize?client_id=app&response_type=code&scope=openid&redirect_uri=https%3A%2F%2Fevil.example.org%2F`);
    expect(page.url().startsWith(shop), "a foreign address was followed");
    await look(page, "app-refused");
  },
};

await scenarios[scenario]();
await end();
