"""``manage.py backup``: write the database and the uploads to a folder."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from operations import backups


class Command(BaseCommand):
    help = "Write the database and the uploads into a new folder below DIRECTORY."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("directory", type=Path, metavar="DIRECTORY")
        parser.add_argument("--keep", type=int, metavar="N", help="Afterwards delete all but the newest N backups.")

    def handle(self, *args: Any, **options: Any) -> None:
        directory, keep = options["directory"], options["keep"]
        if keep is not None and keep < 1:
            raise CommandError("--keep must be 1 or more.")
        try:
            folder = backups.create(directory)
        except (backups.BackupError, OSError) as error:
            raise CommandError(str(error))
        self.stdout.write(str(folder))
        for old in backups.prune(directory, keep=keep) if keep else ():
            self.stdout.write(f"deleted {old}")
