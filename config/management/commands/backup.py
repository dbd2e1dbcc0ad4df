"""A copy of an embedded installation that can be put in its place."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

KEYS = ("secret_key", "field_encryption_key")


class Command(BaseCommand):
    help = (
        "Copies the database and the keys of an embedded installation into a new folder, while it runs. To restore: "
        "stop Plugtill and start it with DATA_DIR naming the copy."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, help="A folder that does not exist yet.")

    def handle(self, *args: Any, folder: Path, **options: Any) -> None:
        if settings.DATABASE_URL:
            raise CommandError(
                "This installation is on PostgreSQL: use pg_dump --format=custom, and keep SECRET_KEY and "
                "FIELD_ENCRYPTION_KEYS with it, without which its secrets cannot be read."
            )
        try:
            folder.mkdir(parents=True, mode=0o700)
        except FileExistsError:
            raise CommandError(f"{folder} exists already: name a new folder.") from None
        _copy_database(Path(settings.DATABASES["default"]["NAME"]), folder / "plugtill.sqlite3")
        for name in KEYS:
            if (settings.DATA_DIR / name).exists():
                shutil.copy2(settings.DATA_DIR / name, folder / name)
        self.stdout.write(f"Copied to {folder}. It contains the keys: keep it as safe as the installation itself.")


def _copy_database(source: Path, target: Path) -> None:
    """SQLite's own online backup: a consistent copy while others write."""
    with closing(sqlite3.connect(source)) as live, closing(sqlite3.connect(target)) as copy:
        live.backup(copy)
        [(verdict,)] = copy.execute("PRAGMA integrity_check")
    if verdict != "ok":
        raise CommandError(f"The copy is damaged ({verdict}): is the disk full?")
