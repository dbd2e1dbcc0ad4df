"""How the environment chooses the profile. Each case loads the settings in a process of its own."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

pytestmark = pytest.mark.any_database

PROJECT = Path(__file__).resolve().parent.parent.parent
NAMES = (
    "EMBEDDED",
    "SECRET_KEY",
    "FIELD_ENCRYPTION_KEYS",
    "PUBLIC_URL",
    "ALLOWED_HOSTS",
    "PEERS_ALLOW_PRIVATE_ADDRESSES",
    "PEERS_REQUIRE_HTTPS",
    "SESSION_COOKIE_SECURE",
    "CELERY_BROKER_URL",
)
READ = f"import json; from config import settings; print(json.dumps({{n: getattr(settings, n) for n in {NAMES}}}))"


def load(folder: Path, **environment: str) -> dict[str, Any]:
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LD_LIBRARY_PATH") if name in os.environ}
    result = subprocess.run(
        [sys.executable, "-c", READ],
        cwd=PROJECT,
        env={**inherited, "DATA_DIR": str(folder), **environment},
        check=True,
        capture_output=True,
        text=True,
    )
    loaded: dict[str, Any] = json.loads(result.stdout)
    return loaded


def test_embedded_makes_secrets_and_keeps_them(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    first = load(folder)
    assert first["EMBEDDED"] and len(first["SECRET_KEY"]) >= 50 and len(first["FIELD_ENCRYPTION_KEYS"]) == 1
    assert load(folder) == first
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}


def test_embedded_defaults(tmp_path: Path) -> None:
    loaded = load(tmp_path, PORT="9123")
    assert loaded["PUBLIC_URL"] == "http://127.0.0.1:9123"
    assert loaded["CELERY_BROKER_URL"].startswith("memory://")
    assert loaded["PEERS_ALLOW_PRIVATE_ADDRESSES"] and not loaded["PEERS_REQUIRE_HTTPS"]
    assert not loaded["SESSION_COOKIE_SECURE"]


def test_a_cluster_makes_no_secrets_and_trusts_no_private_peers(tmp_path: Path) -> None:
    loaded = load(
        tmp_path,
        DATABASE_URL="postgres://db/plugtill",
        REDIS_URL="redis://cache/1",
        PUBLIC_URL="https://charging.example.com/",
    )
    assert not loaded["EMBEDDED"] and loaded["SECRET_KEY"] == "" and loaded["FIELD_ENCRYPTION_KEYS"] == []
    assert list(tmp_path.iterdir()) == []
    assert loaded["PUBLIC_URL"] == "https://charging.example.com"
    assert "charging.example.com" in loaded["ALLOWED_HOSTS"]
    assert loaded["CELERY_BROKER_URL"] == "redis://cache/1"
    assert not loaded["PEERS_ALLOW_PRIVATE_ADDRESSES"] and loaded["PEERS_REQUIRE_HTTPS"]
    assert loaded["SESSION_COOKIE_SECURE"]


@pytest.mark.parametrize(("allow", "https"), [("True", False), ("False", True)])
def test_one_switch_for_private_peers(tmp_path: Path, allow: str, https: bool) -> None:
    assert load(tmp_path, PEERS_ALLOW_PRIVATE_ADDRESSES=allow)["PEERS_REQUIRE_HTTPS"] is https


def test_djangos_check_for_production_has_nothing_to_say(tmp_path: Path) -> None:
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LD_LIBRARY_PATH") if name in os.environ}
    environment = {
        "DATABASE_URL": "postgres://db/plugtill",
        "REDIS_URL": "redis://cache/1",
        "PUBLIC_URL": "https://charging.example.com",
        "FORWARDED_ALLOW_IPS": "192.0.2.1",
        "SECRET_KEY": "".join(chr(33 + (7 * n) % 94) for n in range(60)),
        "FIELD_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        "DATA_DIR": str(tmp_path),
    }
    checked = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=PROJECT,
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr
