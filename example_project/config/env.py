"""Settings from the environment: typed, and a wrong or missing variable is named in the error."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from email.utils import parseaddr
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.validators import validate_email

TRUE = {"1", "true", "yes", "on"}
FALSE = {"0", "false", "no", "off"}
LAST_PORT = 65535
POOL = {"min_size": 1, "timeout": 10, "reconnect_timeout": 5}
"""Options of psycopg's pool, in seconds. It doubles the pause between attempts to connect until ``reconnect_timeout``.

Then the next request connects again at once. With the default, five minutes, the shop stays down long after an outage.
"""
ENCODE = "Write characters such as / @ : # in a name or password as %2F %40 %3A %23."


def read_dotenv(path: Path) -> dict[str, str]:
    """The ``NAME=value`` lines of a file, {} if there is none. Quotes around a value are removed."""
    if not path.is_file():
        return {}
    values = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, separator, value = line.partition("=")
        if not separator:
            raise ImproperlyConfigured(f"{path.name}, line {number}: write NAME=value.")
        values[name.strip()] = value.strip().strip("'\"")
    return values


class Env:
    """Reads variables of the process and, where it has none, of a ``.env`` file."""

    def __init__(self, dotenv: Path, environ: Mapping[str, str] | None = None) -> None:
        self.values = {**read_dotenv(dotenv), **(os.environ if environ is None else environ)}

    def text(self, name: str, default: str | None = None, *, hint: str = "") -> str:
        """The text of a variable. Without a default it must be set.

        Raises:
            ImproperlyConfigured: the variable is missing.
        """
        value = self.values.get(name) or default
        if value is None:
            raise ImproperlyConfigured(f"{name} is not set in the environment or in .env. {hint}".rstrip())
        return value

    def flag(self, name: str, *, default: bool = False) -> bool:
        value = (self.values.get(name) or str(default)).strip().lower()
        if value not in TRUE | FALSE:
            raise ImproperlyConfigured(f"{name} must be true or false, not {value!r}.")
        return value in TRUE

    def number(self, name: str, default: int, *, least: int = 0) -> int:
        value = self.values.get(name) or str(default)
        if not re.fullmatch(r"-?[0-9]{1,12}", value.strip()):
            raise ImproperlyConfigured(f"{name} must be a whole number, not {value!r}.")
        if int(value) < least:
            raise ImproperlyConfigured(f"{name} must be at least {least}, not {value}.")
        return int(value)

    def port(self, name: str, default: int) -> int:
        value = self.number(name, default, least=1)
        if value > LAST_PORT:
            raise ImproperlyConfigured(f"{name} must be a port, at most {LAST_PORT}, not {value}.")
        return value

    def rate(self, name: str, default: str) -> str:
        """A fraction of one, as text: 0.16 is 16 %."""
        value = self.amount(name, default)
        if float(value) > 1:
            raise ImproperlyConfigured(f"{name} must be a fraction such as 0.16 for 16 %, not {value!r}.")
        return value

    def amount(self, name: str, default: str) -> str:
        """A number that is not negative, such as a price or a rate, as text."""
        value = self.text(name, default)
        if not re.fullmatch(r"[0-9]{1,10}(\.[0-9]{1,4})?", value):
            raise ImproperlyConfigured(f"{name} must be a number such as 350 or 0.16, not {value!r}.")
        return value

    def needs(self, wanted: str, *names: str) -> None:
        """Check that ``wanted`` is set if one of ``names`` is set.

        Raises:
            ImproperlyConfigured: ``wanted`` is missing.
        """
        for name in names:
            if self.values.get(name) and not self.values.get(wanted):
                raise ImproperlyConfigured(f"{wanted} is not set, but {name} is: set both or neither.")

    def together(self, *names: str) -> bool:
        """Whether all of the variables are set. None of them may be set alone.

        Raises:
            ImproperlyConfigured: some are missing.
        """
        missing = [name for name in names if not self.values.get(name)]
        if missing and len(missing) < len(names):
            given = [name for name in names if name not in missing]
            raise ImproperlyConfigured(
                f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set, but {', '.join(given)} "
                f"{'is' if len(given) == 1 else 'are'}: set all of them or none."
            )
        return not missing

    def one_of(self, name: str, default: str, known: Iterable[str]) -> str:
        value = self.text(name, default)
        if value not in known:
            raise ImproperlyConfigured(f"{name} must be one of {', '.join(known)}, not {value!r}.")
        return value

    def code(self, name: str, default: str, pattern: str, *, wanted: str) -> str:
        """A text that matches ``pattern``; ``wanted`` describes it in the error."""
        value = self.text(name, default)
        if not re.fullmatch(pattern, value):
            raise ImproperlyConfigured(f"{name} must be {wanted}, not {value!r}.")
        return value

    def url(self, name: str, default: str, *schemes: str) -> str:
        """An address with one of the schemes and a host; the default is not checked."""
        value = self.values.get(name) or ""
        if value and not (value.startswith(tuple(f"{scheme}://" for scheme in schemes)) and _has_host(value)):
            known = " or ".join(f"{scheme}://" for scheme in schemes)
            # The value is not repeated: an address may hold a password.
            raise ImproperlyConfigured(f"{name} must be an address that begins with {known}.")
        return value or default

    def site(self, name: str, default: str) -> str:
        """The URL of a site, without a path and without a trailing slash."""
        value = self.url(name, default, "http", "https").rstrip("/")
        if not re.fullmatch(r"https?://[^/?#\s]+", value):
            raise ImproperlyConfigured(f"{name} must be an address without a path, not {value!r}.")
        return value

    def redis(self, name: str) -> str:
        """The URL of a Redis server, "" if the variable is not set."""
        value = self.url(name, "", "redis", "rediss", "unix")
        try:
            _port, path = urlsplit(value).port, urlsplit(value).path
        except ValueError:
            raise ImproperlyConfigured(f"The port in {name} must be a number. {ENCODE}")
        if not value.startswith("unix://") and not re.fullmatch(r"/?[0-9]*", path):
            raise ImproperlyConfigured(
                f"The database in {name} must be a number, such as redis://:password@host:6379/0."
            )
        return value

    def origins(self, name: str, default: Sequence[str] = ()) -> list[str]:
        """A list of ``https://host`` without paths."""
        found = self.items(name, default)
        for origin in found:
            if not re.fullmatch(r"https?://[^/\s]+", origin):
                raise ImproperlyConfigured(
                    f"{name} must hold origins such as https://shop.example.org, not {origin!r}."
                )
        return found

    def hosts(self, name: str, default: Sequence[str] = ()) -> list[str]:
        """A list of host names without scheme and path."""
        found = self.items(name, default)
        for host in found:
            if re.search(r"[/\s]", host):
                raise ImproperlyConfigured(f"{name} must hold host names such as shop.example.org, not {host!r}.")
        return found

    def email(self, name: str, default: str) -> str:
        """An e-mail address, with or without a display name: ``Shop <shop@example.org>``."""
        value = self.text(name, default)
        try:
            validate_email(parseaddr(value)[1])
        except ValidationError:
            raise ImproperlyConfigured(f"{name} must be an e-mail address such as shop@example.org, not {value!r}.")
        return value

    def time_zone(self, name: str, default: str) -> str:
        value = self.text(name, default)
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ImproperlyConfigured(f"{name} must be a time zone such as Africa/Nairobi, not {value!r}.")
        return value

    def items(self, name: str, default: Sequence[str] = ()) -> list[str]:
        """A list whose items are separated by commas."""
        value = self.values.get(name)
        return [item.strip() for item in value.split(",") if item.strip()] if value else list(default)

    def pem(self, name: str) -> str:
        """A private key: the PEM text (line ends as ``\\n``) or the path of a PEM file, "" if unset."""
        value = self.values.get(name, "")
        if not value:
            return ""
        try:
            text = value.replace("\\n", "\n") if value.startswith("-----") else Path(value).read_text(encoding="ascii")
            load_pem_private_key(text.encode(), password=None, unsafe_skip_rsa_key_validation=True)
        except (OSError, ValueError, TypeError, UnsupportedAlgorithm):
            raise ImproperlyConfigured(f"{name} must be a private key as PEM, or the path of a file that holds one.")
        return text

    def database(self, sqlite: Path) -> dict[str, Any]:
        """The database of DATABASE_URL, else of DB_HOST and the other DB_ variables, else SQLite in ``sqlite``.

        Raises:
            ImproperlyConfigured: the URL's scheme is unknown, or one of the DB_ variables is missing.
        """
        if self.values.get("DATABASE_URL"):
            return self._database_of_url(self.values["DATABASE_URL"], sqlite)
        if any(self.values.get(name) for name in ("DB_HOST", "DB_NAME", "DB_USER", "DB_PASSWORD")):
            return self._postgres(
                HOST=self.text("DB_HOST"),
                NAME=self.text("DB_NAME"),
                USER=self.text("DB_USER"),
                PASSWORD=self.text("DB_PASSWORD", ""),
                PORT=str(self.port("DB_PORT", 5432)),
            )
        return _sqlite(sqlite)

    def _database_of_url(self, url: str, sqlite: Path) -> dict[str, Any]:
        parts = urlsplit(url)
        if parts.scheme == "sqlite":
            return _sqlite(Path(parts.path.removeprefix("/")) if parts.path.strip("/") else sqlite)
        if parts.scheme not in {"postgres", "postgresql"}:
            raise ImproperlyConfigured(
                "DATABASE_URL must begin with postgres:// or sqlite://, such as postgres://user:password@host:5432/shop."
            )
        try:
            port = parts.port
        except ValueError:
            raise ImproperlyConfigured(f"The port in DATABASE_URL must be a number. {ENCODE}")
        if not parts.path.strip("/"):
            raise ImproperlyConfigured(
                "DATABASE_URL must end with the database's name: postgres://user:password@host/shop."
            )
        return self._postgres(
            HOST=unquote(parts.hostname or ""),
            NAME=unquote(parts.path.lstrip("/")),
            USER=unquote(parts.username or ""),
            PASSWORD=unquote(parts.password or ""),
            PORT=str(port or ""),
            options=dict(parse_qsl(parts.query)),
        )

    def _postgres(self, *, options: Mapping[str, str] | None = None, **parameters: str) -> dict[str, Any]:
        """PostgreSQL with a connection pool. No statement may run for more than DB_STATEMENT_TIMEOUT_SECONDS.

        The server prepares statements, which saves a third of its CPU time, and does not compile them (JIT), which
        takes longer than running them. A pooler in transaction mode can keep neither prepared statements nor, for long
        exports, cursors: set DB_PREPARE=false there. PgBouncer must also have ``ignore_startup_parameters = options``.
        """
        timeout_seconds = self.number("DB_STATEMENT_TIMEOUT_SECONDS", 30)
        pool_size = self.number("DB_POOL_SIZE", 8)
        is_prepared = self.flag("DB_PREPARE", default=True)
        return {
            "ENGINE": "django.db.backends.postgresql",
            "DISABLE_SERVER_SIDE_CURSORS": not is_prepared,
            **parameters,
            "OPTIONS": {
                "options": f"-c statement_timeout={timeout_seconds}s -c jit=off",
                **({"pool": {**POOL, "max_size": pool_size}} if pool_size else {}),
                **({"server_side_binding": True, "prepare_threshold": 5} if is_prepared else {}),
                **(options or {}),
            },
        }


def _has_host(url: str) -> bool:
    try:
        return bool(urlsplit(url).netloc)
    except ValueError:
        return False


def _sqlite(path: Path) -> dict[str, Any]:
    """SQLite for several writing processes: WAL, and write transactions that wait for each other when they begin."""
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;",
        },
    }
