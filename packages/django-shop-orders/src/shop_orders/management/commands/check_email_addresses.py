from argparse import ArgumentParser
from collections import defaultdict
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.core.exceptions import FieldDoesNotExist
from django.core.management.base import BaseCommand, CommandError
from django.db import models
from shop_core.addresses import identity_problem

from shop_orders.emails import MESSAGES, email_key, problem


class Command(BaseCommand):
    help = (
        "Report rows whose e-mail addresses are spellings of one address, and addresses that mail cannot be sent to. "
        "Without arguments it checks the users and, where allauth is installed, its e-mail addresses. Nothing is "
        "changed; the exit status is 1 if something was found. Run it before you set ACCOUNT_ADAPTER to the shop's "
        "adapter, which compares addresses in this way."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "fields", nargs="*", metavar="app.Model.field", help="Such as auth.User.email. More than one is possible."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        fields = [self._field(text) for text in options["fields"]] or self._usual_fields()
        found = sum(self._check(model, name) for model, name in fields)
        if found:
            raise CommandError(f"Found {found}. Merge or correct these rows.")
        self.stdout.write("All addresses are different, and mail can be sent to each.")

    def _usual_fields(self) -> list[tuple[type[models.Model], str]]:
        user = get_user_model()
        known: list[tuple[type[models.Model], str]] = [(user, getattr(user, "EMAIL_FIELD", "") or user.USERNAME_FIELD)]
        if apps.is_installed("allauth.account"):
            known.append((apps.get_model("account.EmailAddress"), "email"))
        return known

    def _field(self, text: str) -> tuple[type[models.Model], str]:
        label, _dot, name = text.rpartition(".")
        try:
            model = apps.get_model(label)
            model._meta.get_field(name)
        except (LookupError, ValueError, FieldDoesNotExist) as error:
            raise CommandError(f"There is no field {text}. Write it as app.Model.field.") from error
        return model, name

    def _check(self, model: type[models.Model], name: str) -> int:
        """Print what is found in one column. Returns the number of lines."""
        keys = defaultdict(list)
        for key, address in model._default_manager.exclude(**{name: ""}).values_list("pk", name).iterator():
            if address:
                keys[email_key(address)].append((key, address))
        lines = []
        for rows in keys.values():
            shown = ", ".join(f"{address!r} ({key})" for key, address in rows)
            owners = self._owners(model, [key for key, _address in rows])
            if owners > 1:
                lines.append(f"the same address: {shown}")
            lines += [f"{self._reason(address)} {address!r} ({key})" for key, address in rows if self._reason(address)]
        for line in lines:
            self.stdout.write(f"{model._meta.label}.{name}: {line}")
        return len(lines)

    def _owners(self, model: type[models.Model], keys: list[Any]) -> int:
        """The number of users who have these rows; of rows, where the model has no user."""
        if len(keys) < 2 or not any(field.name == "user" for field in model._meta.fields):
            return len(keys)
        return model._default_manager.filter(pk__in=keys).values("user").distinct().count()

    def _reason(self, address: str) -> str:
        if identity_problem(address):
            return "It could be mistaken for another address:"
        code = problem(address)
        return str(MESSAGES[code]) if code else ""
