"""Back up the database and the uploads to a folder of files, and restore them.

A backup is a folder named for its time: the database (``database.dump`` by pg_dump, or ``database.sqlite3``), the
uploads (``media.tar``) and ``manifest.json`` with the checksum of each. The database is read first, so that every
picture in it is in the archive. A folder whose name ends in ``.partial`` is a backup that did not finish.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.backends.postgresql.client import DatabaseClient

MANIFEST = "manifest.json"
MEDIA = "media.tar"
FORMAT = 1


class BackupError(Exception):
    """The backup could not be written, is damaged, or cannot be restored here."""


def create(directory: Path) -> Path:
    """Write a backup below ``directory`` and return its folder. It gets its final name when it is complete.

    Raises:
        BackupError: the database or the uploads could not be read.
    """
    name = f"{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}"
    partial, folder = directory / f"{name}.partial", directory / name
    partial.mkdir(parents=True, mode=0o700)
    database = _dump(partial)
    _pack(Path(settings.MEDIA_ROOT), partial / MEDIA)
    manifest = {
        "format": FORMAT,
        "created_at": datetime.now(UTC).isoformat(),
        "database": connection.vendor,
        "files": {file.name: _checksum(file) for file in (database, partial / MEDIA)},
    }
    (partial / MANIFEST).write_text(json.dumps(manifest, indent=2), encoding="utf-8")
    partial.rename(folder)
    return folder


def prune(directory: Path, *, keep: int) -> list[Path]:
    """Delete all complete backups but the newest ``keep``, and return the deleted ones."""
    old = sorted(path.parent for path in directory.glob(f"*Z/{MANIFEST}"))[:-keep]
    for folder in old:
        shutil.rmtree(folder)
    return old


def verify(folder: Path) -> Mapping[str, Any]:
    """Check the checksum of every file and return the manifest.

    Raises:
        BackupError: something is missing or was changed.
    """
    try:
        manifest: Mapping[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise BackupError(f"{folder} holds no readable {MANIFEST}: give a folder that `manage.py backup` has written.")
    if manifest.get("format") != FORMAT:
        raise BackupError(
            f"{folder} has a format that this version cannot read. Restore it with the version that wrote it."
        )
    for name, checksum in manifest["files"].items():
        if not (folder / name).is_file() or _checksum(folder / name) != checksum:
            raise BackupError(f"{name} in {folder} is missing or damaged. Use another backup.")
    _check_members(folder / MEDIA)
    return manifest


def restore(folder: Path, *, overwrite: bool = False) -> None:
    """Restore database and uploads. Nothing is changed unless the backup is complete and the target is empty.

    Raises:
        BackupError: the backup is damaged or of another kind of database, or the target is not empty.
    """
    manifest = verify(folder)
    media = Path(settings.MEDIA_ROOT)
    if manifest["database"] != connection.vendor:
        raise BackupError(f"The backup is of {manifest['database']}, this database is {connection.vendor}.")
    if not overwrite and (connection.introspection.table_names() or _has_files(media)):
        raise BackupError(
            "The database or the folder of uploads is not empty. "
            "Restore into empty ones, or use --overwrite to replace the database and the uploads with the same names."
        )
    _check_targets(folder / MEDIA, media)
    _load(folder)
    _unpack(folder / MEDIA, media)


def _dump(folder: Path) -> Path:
    if connection.vendor == "postgresql":
        file = folder / "database.dump"
        _postgres("pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--file={file}")
        return file
    file = folder / "database.sqlite3"
    connection.ensure_connection()
    copy = sqlite3.connect(file)
    try:
        connection.connection.backup(copy)
    finally:
        copy.close()
    return file


def _load(folder: Path) -> None:
    if connection.vendor == "postgresql":
        connection.close()
        options = [
            "--no-owner",
            "--no-privileges",
            "--clean",
            "--if-exists",
            "--single-transaction",
            "--exit-on-error",
        ]
        _postgres("pg_restore", *options, file=folder / "database.dump")
        return
    connection.ensure_connection()
    copy = sqlite3.connect(folder / "database.sqlite3")
    try:
        copy.backup(connection.connection)
    finally:
        copy.close()


def _postgres(program: str, *options: str, file: Path | None = None) -> None:
    """Run one of PostgreSQL's programs on our database.

    The password is passed in the environment, not in the arguments.
    """
    arguments, environment = DatabaseClient.settings_to_cmd_args_env(connection.settings_dict, list(options))
    database = arguments.pop()
    target = ["--dbname", database, *([str(file)] if file else [])]
    _run([program, *arguments[1:], *target], environment or {})


def _run(command: Sequence[str], environment: Mapping[str, str]) -> None:
    try:
        done = subprocess.run(  # noqa: S603 - the arguments are ours
            command, env={**os.environ, **environment}, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise BackupError(f"{command[0]} is not installed. On Debian and Ubuntu: apt install postgresql-client")
    if done.returncode:
        raise BackupError(f"{command[0]} failed: {done.stderr.strip()}")


def _pack(media: Path, archive: Path) -> None:
    """Write folders and files only: links are followed, so that the archive contains no links."""
    with tarfile.open(archive, "w", dereference=True) as tar:
        for folder, folders, names in os.walk(media, followlinks=True):
            path = Path(folder)
            if path.resolve() in [parent.resolve() for parent in path.parents]:  # a link to a folder above it
                folders.clear()
                continue
            tar.add(path, arcname=path.relative_to(media), recursive=False)
            for file in sorted(path / name for name in names):
                if file.is_file():
                    tar.add(file, arcname=file.relative_to(media))


def _check_members(archive: Path) -> None:
    """Refuse an archive with anything but folders and files below the folder that it is unpacked into.

    ``TarFile.extractall`` has a filter for this, but not in Python 3.11.0 to 3.11.3, and it lets links through.
    """
    try:
        with tarfile.open(archive) as tar:
            refused = [member.name for member in tar if not _is_harmless(member)]
    except (OSError, tarfile.TarError):
        raise BackupError(f"{archive} is missing or not an archive. Use another backup.")
    if refused:
        raise BackupError(
            f"{archive} was not written by `manage.py backup`: it holds links, devices or names that lead out of the "
            f"folder of uploads, such as {refused[0]!r}. Nothing was restored."
        )


def _is_harmless(member: tarfile.TarInfo) -> bool:
    path = Path(member.name)
    return (member.isreg() or member.isdir()) and not (path.anchor or ".." in path.parts or "\0" in member.name)


def _check_targets(archive: Path, media: Path) -> None:
    """Refuse to write through a link that lies in the folder of uploads and leads out of it."""
    root = media.resolve()
    with tarfile.open(archive) as tar:
        for member in tar:
            if not (media / member.name).resolve().is_relative_to(root):
                raise BackupError(f"{media / member.name} leads out of the folder of uploads: remove the link first.")


def _unpack(archive: Path, media: Path) -> None:
    """Write the folders and files of an archive that was checked, with the times and permissions of the files."""
    with tarfile.open(archive) as tar:
        for member in tar:
            target = media / member.name
            if member.isdir():
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            content = tar.extractfile(member)
            assert content is not None  # noqa: S101 - it is of a file
            with content, target.open("wb") as file:
                shutil.copyfileobj(content, file)
            target.chmod(member.mode & 0o644 | 0o600)
            os.utime(target, (member.mtime, member.mtime))


def _has_files(folder: Path) -> bool:
    return folder.is_dir() and any(path.is_file() for path in folder.rglob("*"))


def _checksum(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
