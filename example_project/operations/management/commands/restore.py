"""``manage.py restore``: restore the database and the uploads from a folder."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from operations import backups


class Command(BaseCommand):
    help = "Restore the database and the uploads of a backup into an empty database and an empty folder."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path, metavar="BACKUP")
        parser.add_argument(
            "--overwrite",
            action="store_true",
            help="Replace the existing database and the uploads with the same names; other uploads stay.",
        )
        parser.add_argument("--verify", action="store_true", help="Only check that the backup is complete.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["verify"]:
                manifest = backups.verify(options["folder"])
                self.stdout.write(f"The backup of {manifest['created_at']} is whole.")
                return
            backups.restore(options["folder"], overwrite=options["overwrite"])
        except (backups.BackupError, OSError) as error:
            raise CommandError(str(error))
        self.stdout.write("Restored. Now run `manage.py migrate` and `manage.py shop_doctor`.")
