import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from django.conf import settings as live
from django.core.management import CommandError, call_command
from django.db import connection
from operations import backups

EXAMPLE = Path(live.BASE_DIR)
pytestmark = pytest.mark.django_db(transaction=True)
BOOKS = ["shop_orders", "shop_catalog.product", "shop_catalog.stockmovement", "shop_catalog.productimage"]
READ_BOOKS = f"import sys; from django.core.management import call_command; call_command('dumpdata', *{BOOKS!r})"


@pytest.fixture
def shop(place):
    place()
    place(quantity=3)


def backup(folder, *options):
    out = io.StringIO()
    call_command("backup", str(folder), *options, stdout=out)
    return Path(out.getvalue().splitlines()[0])


def books():
    """The rows of orders and catalogue, as one JSON value."""
    out = io.StringIO()
    call_command("dumpdata", *BOOKS, stdout=out)
    return json.loads(out.getvalue())


def pictures(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in Path(folder).rglob("*")
        if path.is_file()
    }


def elsewhere(media, **variables):
    """The environment of a process without this one's database and uploads."""
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "DATABASE_URL": "",
        "DEBUG": "true",
        "MEDIA_ROOT": str(media),
        **variables,
    }


def run(*command, environment):
    return subprocess.run(command, cwd=EXAMPLE, env=environment, capture_output=True, text=True, check=False)


def compared(stdout, media, settings):
    restored = json.loads(stdout[stdout.index("[{") :])
    assert restored == books()
    assert len([row for row in restored if row["model"] == "shop_orders.order"]) == 2
    assert pictures(media) == pictures(settings.MEDIA_ROOT)
    assert len(pictures(media)) >= 1


@pytest.mark.skipif(connection.vendor != "sqlite", reason="runs on SQLite")
def test_orders_and_pictures_come_back_in_an_empty_sqlite(shop, settings, tmp_path):
    folder = backup(tmp_path / "backups")
    environment = elsewhere(tmp_path / "restored", DATA_DIR=str(tmp_path / "empty"))
    done = run(sys.executable, "manage.py", "restore", str(folder), environment=environment)
    assert done.returncode == 0, done.stderr
    read = run(sys.executable, "manage.py", "shell", "-v", "0", "-c", READ_BOOKS, environment=environment)
    compared(read.stdout, tmp_path / "restored", settings)


@pytest.mark.pg
@pytest.mark.skipif(connection.vendor != "postgresql", reason="runs with DATABASE_URL of a PostgreSQL server")
@pytest.mark.skipif(not shutil.which("pg_dump"), reason="pg_dump is not installed")
def test_orders_and_pictures_come_back_in_an_empty_cluster(shop, settings, tmp_path):
    folder = backup(tmp_path / "backups")
    script = (
        f"{sys.executable} manage.py restore {folder} >&2 && {sys.executable} manage.py migrate --check >&2"
        f' && {sys.executable} manage.py shell -v 0 -c "{READ_BOOKS}"'
    )
    server = EXAMPLE.parent / "tests" / "postgres.py"
    environment = elsewhere(tmp_path / "restored")
    done = run(sys.executable, str(server), "--", "sh", "-c", script, environment=environment)
    assert done.returncode == 0, done.stderr
    compared(done.stdout, tmp_path / "restored", settings)


def test_a_place_with_data_is_left_alone(shop, settings, tmp_path):
    folder = backup(tmp_path / "backups")
    before = books(), pictures(settings.MEDIA_ROOT)
    with pytest.raises(CommandError, match="not empty"):
        call_command("restore", str(folder))
    assert (books(), pictures(settings.MEDIA_ROOT)) == before


@pytest.mark.parametrize("name", ["media.tar", backups.MANIFEST])
def test_a_damaged_backup_is_not_restored(shop, tmp_path, name):
    folder = backup(tmp_path / "backups")
    with (folder / name).open("ab") as file:
        file.write(b"damage")
    before = books()
    with pytest.raises(CommandError):
        call_command("restore", str(folder), "--overwrite")
    assert books() == before


def test_a_backup_can_be_verified_without_restoring_it(shop, tmp_path, capsys):
    folder = backup(tmp_path / "backups")
    call_command("restore", str(folder), "--verify")
    assert "is whole." in capsys.readouterr().out


def test_a_backup_of_another_kind_of_database_is_refused(shop, tmp_path):
    folder = backup(tmp_path / "backups")
    manifest = json.loads((folder / backups.MANIFEST).read_text())
    (folder / backups.MANIFEST).write_text(json.dumps({**manifest, "database": "oracle"}))
    with pytest.raises(CommandError, match="The backup is of oracle"):
        call_command("restore", str(folder), "--overwrite")


def test_only_the_newest_backups_are_kept_and_other_files_stay(shop, tmp_path):
    directory = tmp_path / "backups"
    (directory / "notes").mkdir(parents=True)
    first, second = backup(directory), backup(directory)
    third = backup(directory, "--keep", "2")
    assert not first.exists()
    assert second.is_dir()
    assert third.is_dir()
    assert (directory / "notes").is_dir()


def test_nobody_else_can_read_a_backup(shop, tmp_path):
    assert backup(tmp_path / "backups").stat().st_mode & 0o777 == 0o700


@pytest.mark.pg
@pytest.mark.skipif(connection.vendor != "postgresql", reason="runs with DATABASE_URL of a PostgreSQL server")
def test_a_failed_backup_leaves_no_folder_with_its_name(shop, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CommandError, match="pg_dump is not installed"):
        call_command("backup", str(tmp_path / "backups"))
    assert [path.suffix for path in (tmp_path / "backups").iterdir()] == [".partial"]


@pytest.fixture
def python_3_11_0(monkeypatch):
    """tarfile as in Python 3.11.0 to 3.11.3, without filters."""
    original = tarfile.TarFile.extractall

    def extractall(self, path=".", members=None, *, numeric_owner=False):
        original(self, path, members, numeric_owner=numeric_owner)

    monkeypatch.setattr(tarfile.TarFile, "extractall", extractall)
    for name in ("data_filter", "tar_filter", "fully_trusted_filter"):
        monkeypatch.delattr(tarfile, name, raising=False)


def test_pictures_come_back_on_a_python_whose_archives_have_no_filter(shop, settings, tmp_path, python_3_11_0):
    folder = backup(tmp_path / "backups")
    before = pictures(settings.MEDIA_ROOT)
    times = {path: path.stat().st_mtime_ns for path in Path(settings.MEDIA_ROOT).rglob("*") if path.is_file()}
    shutil.rmtree(settings.MEDIA_ROOT)
    call_command("restore", str(folder), "--overwrite")
    assert pictures(settings.MEDIA_ROOT) == before
    for path, time in times.items():
        assert abs(path.stat().st_mtime_ns - time) < 1_000_000
        assert path.stat().st_mode & 0o7777 == 0o644


def hostile(name, kind=tarfile.REGTYPE, target=""):
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.mode = kind, target, 0o4777
    return member


HOSTILE = {
    "absolute": hostile("/tmp/shop-escaped"),
    "above": hostile("../shop-escaped"),
    "above in the middle": hostile("products/../../shop-escaped"),
    "symbolic link out": hostile("products/link", tarfile.SYMTYPE, "/etc"),
    "symbolic link within": hostile("products/link", tarfile.SYMTYPE, "other"),
    "hard link": hostile("products/link", tarfile.LNKTYPE, "../../secret"),
    "character device": hostile("products/null", tarfile.CHRTYPE),
    "block device": hostile("products/disk", tarfile.BLKTYPE),
    "pipe": hostile("products/pipe", tarfile.FIFOTYPE),
}


def put_into(folder, *members):
    """Add members to a backup's archive and correct its manifest, as an attacker would."""
    with tarfile.open(folder / backups.MEDIA, "a") as tar:
        for member in members:
            tar.addfile(member)
    manifest = json.loads((folder / backups.MANIFEST).read_text())
    manifest["files"][backups.MEDIA] = hashlib.sha256((folder / backups.MEDIA).read_bytes()).hexdigest()
    (folder / backups.MANIFEST).write_text(json.dumps(manifest))


@pytest.mark.parametrize("options", [["--overwrite"], ["--verify"]], ids=["restored", "verified"])
@pytest.mark.parametrize("member", HOSTILE.values(), ids=HOSTILE)
def test_an_archive_that_leaves_its_folder_is_refused_and_nothing_touched(shop, settings, tmp_path, member, options):
    folder = backup(tmp_path / "backups")
    put_into(folder, member)
    before = books(), pictures(settings.MEDIA_ROOT), sorted(Path(settings.MEDIA_ROOT).parent.iterdir())
    with pytest.raises(CommandError, match=r"links, devices or names that lead out .* Nothing was restored"):
        call_command("restore", str(folder), *options)
    assert (books(), pictures(settings.MEDIA_ROOT), sorted(Path(settings.MEDIA_ROOT).parent.iterdir())) == before
    assert not Path("/tmp/shop-escaped").exists()


def test_a_link_in_the_folder_of_uploads_is_not_written_through(shop, settings, tmp_path):
    folder = backup(tmp_path / "backups")
    put_into(folder, hostile("elsewhere/file"))
    (tmp_path / "outside").mkdir()
    (Path(settings.MEDIA_ROOT) / "elsewhere").symlink_to(tmp_path / "outside")
    before = books()
    with pytest.raises(CommandError, match="leads out of the folder of uploads: remove the link first"):
        call_command("restore", str(folder), "--overwrite")
    assert books() == before
    assert list((tmp_path / "outside").iterdir()) == []


def test_linked_files_are_in_the_backup_as_files(shop, settings, tmp_path):
    media = Path(settings.MEDIA_ROOT)
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk/large.jpg").write_bytes(b"large")
    (media / "disk").symlink_to(tmp_path / "disk")
    (media / "loop").symlink_to(media)
    (media / "broken").symlink_to(tmp_path / "gone")
    (media / "first.jpg").write_bytes(b"twice")
    (media / "second.jpg").hardlink_to(media / "first.jpg")
    folder = backup(tmp_path / "backups")
    shutil.rmtree(media)
    call_command("restore", str(folder), "--overwrite")
    assert (media / "disk/large.jpg").read_bytes() == b"large"
    assert (media / "first.jpg").read_bytes() == (media / "second.jpg").read_bytes() == b"twice"
    assert not (media / "loop").exists()
    assert not any(path.is_symlink() for path in media.rglob("*"))


def test_a_folder_of_uploads_that_is_a_link_is_backed_up(shop, settings, tmp_path):
    before = pictures(settings.MEDIA_ROOT)
    (tmp_path / "media-link").symlink_to(settings.MEDIA_ROOT)
    settings.MEDIA_ROOT = tmp_path / "media-link"
    folder = backup(tmp_path / "backups")
    settings.MEDIA_ROOT = tmp_path / "restored"
    call_command("restore", str(folder), "--overwrite")
    assert pictures(tmp_path / "restored") == before
