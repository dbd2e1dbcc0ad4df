"""The environment of the tests: it never touches ./data and is the same on every machine."""

import atexit
import os
import secrets
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from tests import fuzz, migrated

# Before anything loads the settings, which read these. DATABASE_URL and REDIS_URL stay as they are given:
# they choose the profile that is tested.
_data_dir = tempfile.mkdtemp(prefix="plugtill-tests-")
atexit.register(shutil.rmtree, _data_dir, ignore_errors=True)
if migrated.begin():
    atexit.register(migrated.end)
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


# Made by post_migrate once and the same ever after.
KEPT_TABLES = {"auth_group", "auth_group_permissions", "auth_permission", "django_content_type", "django_migrations"}


def empty_tables(case: Any) -> None:
    """What a test with real transactions leaves is deleted where there is something. Django's own flush truncates every
    table and makes all content types, permissions and groups anew: on PostgreSQL half a second after each test."""
    from django.db import connections, transaction

    for alias in case._databases_names(include_mirrors=False):
        connection = connections[alias]
        quote = connection.ops.quote_name
        tables = list(connection.introspection.django_table_names(only_existing=True))
        filled = " UNION ALL ".join(
            f"SELECT '{table}' WHERE EXISTS (SELECT 1 FROM {quote(table)})"
            for table in tables
            if table not in KEPT_TABLES
        )
        with transaction.atomic(using=alias), connection.cursor() as cursor:
            cursor.execute(filled)
            for (table,) in cursor.fetchall():
                cursor.execute(f"DELETE FROM {quote(table)}")


def pytest_configure() -> None:
    from django.conf import settings
    from django.test import TransactionTestCase

    TransactionTestCase._fixture_teardown = empty_tables  # type: ignore[method-assign]

    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    # Its thread would write beside the transactions of the tests. Those of the log itself switch it on.
    settings.MESSAGE_LOG_DAYS = 0
    settings.CHARGER_MESSAGE_LOG_DAYS = 0
    # All tests come from one address, and many with a wrong token. Those of the limit switch it on.
    settings.GUESS_LIMIT = 0
    # Looks for a file when it is asked for: each client of the tests begins a handler, which would look through all.
    settings.WHITENOISE_AUTOREFRESH = True
    # However slow the machine, no test but that of it meets requests that it did not make.
    settings.CHARGER_SETTLED_AFTER = 24 * 3600


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of whole installations come last and side by side: what one package has started is stopped with the last
    test of it, and while all workers mostly wait, nothing else is kept waiting by them."""
    items.sort(key=lambda item: item.get_closest_marker("e2e") is not None)


@pytest.fixture
def fresh_cache(settings: Any) -> None:
    """An empty cache. Not `cache.clear()`: on Redis that empties the whole database, and with it the channel layer
    that tests in other processes are using."""
    settings.CACHES = {"default": {**settings.CACHES["default"], "KEY_PREFIX": secrets.token_hex(8)}}


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """The tests' database begins as a copy of the migrated one, to which nothing is left to be done."""
    from django.conf import settings

    test = settings.DATABASES["default"].setdefault("TEST", {})
    if settings.DATABASE_URL:
        test["TEMPLATE"] = migrated.template()
    else:
        migrated.copy_file(Path(test["NAME"]))


@pytest.fixture(scope="session")
def django_db_keepdb() -> bool:
    """Whether Django takes what is there; it goes with the folder of the tests."""
    from django.conf import settings

    return not settings.DATABASE_URL


def pytest_terminal_summary(terminalreporter: Any) -> None:
    for surface, number in sorted(fuzz.sent.items()):
        terminalreporter.write_line(f"fuzz: {number} {surface}")
