"""The environment of the tests: it never touches ./data and is the same on every machine."""

import atexit
import os
import secrets
import shutil
import tempfile
from typing import Any

import pytest
from cryptography.fernet import Fernet

# Before anything loads the settings, which read these. DATABASE_URL and REDIS_URL stay as they are given:
# they choose the profile that is tested.
_data_dir = tempfile.mkdtemp(prefix="plugtill-tests-")
atexit.register(shutil.rmtree, _data_dir, ignore_errors=True)
for _name in ("PORT", "DEBUG", "ALLOWED_HOSTS", "STATIC_ROOT", "FORWARDED_ALLOW_IPS", "WORKER_CONCURRENCY"):
    os.environ.pop(_name, None)
os.environ.update(
    DJANGO_SETTINGS_MODULE="config.settings",
    DATA_DIR=_data_dir,
    SECRET_KEY="only-for-tests",
    FIELD_ENCRYPTION_KEYS=Fernet.generate_key().decode(),
    PUBLIC_URL="http://testserver",
    # Both profiles test the same rules; a test of the stricter ones says so.
    PEERS_ALLOW_PRIVATE_ADDRESSES="True",
    PEERS_REQUIRE_HTTPS="False",
)


def pytest_configure() -> None:
    from django.conf import settings

    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    # Its thread would write beside the transactions of the tests. Those of the log itself switch it on.
    settings.MESSAGE_LOG_DAYS = 0
    settings.CHARGER_MESSAGE_LOG_DAYS = 0
    # However slow the machine, no test but that of it meets requests that it did not make.
    settings.CHARGER_SETTLED_AFTER = 24 * 3600


@pytest.fixture
def fresh_cache(settings: Any) -> None:
    """An empty cache. Not `cache.clear()`: on Redis that empties the whole database, and with it the channel layer
    that tests in other processes are using."""
    settings.CACHES = {"default": {**settings.CACHES["default"], "KEY_PREFIX": secrets.token_hex(8)}}
