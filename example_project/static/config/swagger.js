// Swagger UI with the settings that the page holds; writes by session carry the CSRF token of the cookie.
const settings = JSON.parse(document.getElementById("swagger-settings").textContent);
const ui = SwaggerUIBundle({
  ...settings,
  dom_id: "#swagger-ui",
  presets: [SwaggerUIBundle.presets.apis],
  requestInterceptor: (request) => {
    const token = document.cookie.split("; ").find((cookie) => cookie.startsWith("csrftoken="));
    if (token && !/^(GET|HEAD)$/.test(request.method ?? "GET")) {
      request.headers["X-CSRFToken"] = token.split("=")[1];
    }
    return request;
  },
});
const clientId = JSON.parse(document.getElementById("swagger-client").textContent);
if (clientId) {
  ui.initOAuth({ clientId, usePkceWithAuthorizationCodeGrant: true, scopes: "openid shop:read orders:read" });
}
