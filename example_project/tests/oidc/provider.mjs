// An OpenID Provider that knows nothing of the shop: node provider.mjs <port> <the shop's address> <an app's callback>.
// It accepts any user name with any password. Prints "ready" when it listens.
import Provider from "oidc-provider";

const [, , port, shop, callback] = process.argv;
const issuer = `http://127.0.0.1:${port}`;

const people = {
  verified: { email: "new@example.org", email_verified: true, given_name: "New", family_name: "Customer" },
  unverified: { email: "unsure@example.org", email_verified: false, given_name: "Unsure" },
  nameless: { given_name: "Nameless" },
  impostor: { email: "customer@example.org", email_verified: true },
  staff: { email: "staff@example.org", email_verified: true },
  clerk: { email: "clerk@example.org", email_verified: true, given_name: "Clerk", groups: ["shop-staff"] },
};

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: "shop",
      client_secret: "shop-secret",
      redirect_uris: [`${shop}/accounts/oidc/work/login/callback/`, callback],
      response_types: ["code"],
      post_logout_redirect_uris: [`${shop}/`],
      grant_types: ["authorization_code"],
      token_endpoint_auth_method: "client_secret_basic",
    },
  ],
  pkce: { required: () => true },
  claims: { openid: ["sub"], email: ["email", "email_verified", "groups"], profile: ["given_name", "family_name"] },
  conformIdTokenClaims: false,
  cookies: { keys: ["a key for tests"] },
  findAccount: (_context, id) => ({ accountId: id, claims: () => ({ sub: id, ...people[id] }) }),
});

provider.on("server_error", (_context, error) => console.error(error));
provider.listen(Number(port), "127.0.0.1", () => console.log("ready"));
