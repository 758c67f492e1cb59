"""Accounts: log-in, tokens, two-factor authentication, OpenID Connect in both directions."""

from __future__ import annotations

from django.core.exceptions import ImproperlyConfigured

from config import openid
from config.settings.base import CODE_MINUTES, DEMO, INSTALLED_APPS, PROXY_COUNT, SECURE, SHOP_NAME, env

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in [
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    ]
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/account/"
ALLAUTH_TRUSTED_PROXY_COUNT = PROXY_COUNT
ACCOUNT_ADAPTER = "accounts.adapter.AccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_FORMS = {
    "login": "shop_orders.contrib.allauth.login_forms.LoginForm",
    "reset_password": "shop_orders.contrib.allauth.login_forms.ResetPasswordForm",
}
ACCOUNT_SIGNUP_FORM_CLASS = "shop_orders.contrib.allauth.forms.SignupForm"
ACCOUNT_RATE_LIMITS = {"reset_password": "20/h/ip,5/h/key"}
"""Added to allauth's defaults. The key is the e-mail address."""
ACCOUNT_EMAIL_VERIFICATION = env.one_of("EMAIL_VERIFICATION", "mandatory", ("mandatory", "optional", "none"))
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = True
ACCOUNT_EMAIL_VERIFICATION_SUPPORTS_RESEND = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https" if SECURE else "http"
ACCOUNT_PASSWORD_RESET_BY_CODE_ENABLED = True
ACCOUNT_PASSWORD_RESET_BY_CODE_TIMEOUT = ACCOUNT_EMAIL_VERIFICATION_BY_CODE_TIMEOUT = CODE_MINUTES * 60
ACCOUNT_EMAIL_NOTIFICATIONS = True
"""Send the owner an e-mail when a password, an address, a log-in or a second factor changes."""
ACCOUNT_CHANGE_EMAIL = True
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = True
ACCOUNT_SESSION_REMEMBER = True
HEADLESS_CLIENTS = ["app", "browser"]
HEADLESS_TOKEN_STRATEGY = "shop_orders.contrib.allauth.tokens.TokenStrategy"  # noqa: S105
HEADLESS_JWT_ALGORITHM = "HS256"
HEADLESS_JWT_STATEFUL_VALIDATION_ENABLED = True
HEADLESS_JWT_ACCESS_TOKEN_EXPIRES_IN = 15 * 60
HEADLESS_JWT_REFRESH_TOKEN_EXPIRES_IN = 14 * 24 * 3600
HEADLESS_JWT_ROTATE_REFRESH_TOKEN = True
PASSKEYS = env.flag("PASSKEYS", default=SECURE)
"""Whether people may log in with passkeys. Browsers require https or http://localhost (not 127.0.0.1)."""
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes", *(["webauthn"] if PASSKEYS else [])]
MFA_PASSKEY_LOGIN_ENABLED = PASSKEYS
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = PASSKEYS and not SECURE
MFA_TOTP_ISSUER = SHOP_NAME

# Log in with other OpenID Providers (config/openid.py lists the variables)

OIDC_APPS = openid.providers(env)
OIDC_REDIRECT_ORIGINS = env.origins("OIDC_REDIRECT_ORIGINS")
"""Further origins to which an issuer redirects at log-in, such as the provider behind a broker."""
SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"OAUTH_PKCE_ENABLED": True, "APPS": OIDC_APPS}}
SOCIALACCOUNT_ADAPTER = "shop_orders.contrib.allauth.openid_login.SocialAccountAdapter"
SOCIALACCOUNT_EMAIL_AUTHENTICATION = False
"""An e-mail address from a provider never logs in to an existing account: its owner has to connect the provider."""
SOCIALACCOUNT_EMAIL_VERIFICATION = "mandatory"
SOCIALACCOUNT_STORE_TOKENS = False

# Be an OpenID Provider for apps and partners

SWAGGER_CLIENT_ID = env.text("SWAGGER_CLIENT_ID", "swagger" if DEMO else "")
"""The public OpenID client of /swagger/; its redirect URI is SITE_URL/swagger/oauth2-redirect/."""
OIDC_PROVIDER = env.flag("OIDC_PROVIDER", default=bool(env.pem("OIDC_PROVIDER_KEY")))
if OIDC_PROVIDER:
    INSTALLED_APPS.append("allauth.idp.oidc")
    if not env.pem("OIDC_PROVIDER_KEY"):
        raise ImproperlyConfigured("OIDC_PROVIDER_KEY is not set. Make one with: openssl genrsa -out oidc.pem 2048")
    IDP_OIDC_PRIVATE_KEY = env.pem("OIDC_PROVIDER_OLD_KEY") or env.pem("OIDC_PROVIDER_KEY")
    """The previous key, whose signatures stay valid while it is listed; without one, the current key."""
    IDP_OIDC_PRIVATE_KEYS = [{"pem": env.pem("OIDC_PROVIDER_KEY"), "issued_at": "2020-01-01T00:00:00+00:00"}]
    IDP_OIDC_ADAPTER = "accounts.oidc.OIDCAdapter"
    IDP_OIDC_ACCESS_TOKEN_EXPIRES_IN = 3600
    IDP_OIDC_REFRESH_TOKEN_EXPIRES_IN = 30 * 24 * 3600
    IDP_OIDC_INTROSPECTION_ENABLED = True
