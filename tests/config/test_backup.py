"""A backup is worth what can be restored from it: done with processes of their own, as an operator would."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from tests import migrated

pytestmark = pytest.mark.any_database

ROOT = Path(__file__).parents[2]


def manage(data: Path, *words: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
    environment |= {"DATA_DIR": str(data), "SECRET_KEY": "", "FIELD_ENCRYPTION_KEYS": ""}
    done = subprocess.run(
        [sys.executable, "manage.py", *words], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


WRITE = """
from infrastructure.secrets import encrypt
from roaming.models import RoamingPlatform
RoamingPlatform.objects.create(name="PTP", code="ptp", client_token_encrypted=encrypt("their-token"))
"""
READ = """
from infrastructure.secrets import decrypt
from roaming.models import RoamingPlatform
print(decrypt(RoamingPlatform.objects.get(code="ptp").client_token_encrypted))
"""


def test_an_installation_is_restored_with_its_secrets(tmp_path):
    migrated.copy_file(tmp_path / "live" / "plugtill.sqlite3")
    manage(tmp_path / "live", "shell", "-c", WRITE)
    manage(tmp_path / "live", "backup", str(tmp_path / "copy"))
    assert manage(tmp_path / "copy", "shell", "-c", READ).splitlines()[-1] == "their-token"
    assert (tmp_path / "copy").stat().st_mode & 0o077 == 0


@pytest.mark.skipif(bool(settings.DATABASE_URL), reason="On PostgreSQL the command refuses before it looks at folders.")
def test_a_backup_never_overwrites_another(tmp_path):
    with pytest.raises(CommandError, match="exists already"):
        call_command("backup", str(tmp_path))


def test_on_postgresql_it_says_what_to_use_instead(settings, tmp_path):
    settings.DATABASE_URL = "postgres://db/plugtill"
    with pytest.raises(CommandError, match="pg_dump"):
        call_command("backup", str(tmp_path / "copy"))
