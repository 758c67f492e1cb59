// Hands the code of the OpenID Provider to the Swagger page that opened this window, and closes it.
const { swaggerUIRedirectOauth2: asked } = window.opener;
const sent = Object.fromEntries(new URLSearchParams(location.search));
const isValid = sent.state === asked.state;
if (sent.code && isValid) {
  delete asked.state;
  asked.auth.code = sent.code;
  asked.callback({ auth: asked.auth, token: sent, isValid, redirectUrl: asked.redirectUrl });
} else {
  const message = sent.error_description ?? sent.error ?? "The provider sent no code for this request.";
  asked.errCb({ authId: asked.auth.name, source: "auth", level: "error", message });
}
window.close();
