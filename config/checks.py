"""System checks of an installation: what Plugtill refuses to start with, and how to put it right."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from cryptography.fernet import Fernet
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

POSTGRESQL_SCHEMES = ("postgres", "postgresql", "pgsql", "psql")


def check_installation(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    return [
        *_check_profile(),
        *_check_secrets(),
        *_check_addresses(),
        *_check_event_map(),
        *_check_charger_authority(),
    ]


def _check_profile() -> Iterator[CheckMessage]:
    if bool(settings.DATABASE_URL) != bool(settings.REDIS_URL):
        missing = "REDIS_URL" if settings.DATABASE_URL else "DATABASE_URL"
        yield Error(
            f"{missing} is not set.",
            hint="Set both DATABASE_URL and REDIS_URL for several processes, or neither for one process.",
            id="plugtill.E001",
        )
    if settings.DATABASE_URL and urlsplit(settings.DATABASE_URL).scheme not in POSTGRESQL_SCHEMES:
        yield Error(
            "Several processes need PostgreSQL: DATABASE_URL names another database.",
            hint="Use postgres://user:password@host:5432/name; for SQLite unset DATABASE_URL and REDIS_URL.",
            id="plugtill.E002",
        )


def _check_secrets() -> Iterator[CheckMessage]:
    if not _secret_key():
        yield Error(
            "SECRET_KEY is not set.",
            hint="All processes of an installation share one long random SECRET_KEY.",
            id="plugtill.E003",
        )
    if not settings.FIELD_ENCRYPTION_KEYS:
        yield Error(
            "FIELD_ENCRYPTION_KEYS is not set.",
            hint="A comma-separated list of Fernet keys (32 random bytes in URL-safe base64); "
            "the first one encrypts, all of them decrypt.",
            id="plugtill.E004",
        )
    for position, key in enumerate(settings.FIELD_ENCRYPTION_KEYS, start=1):
        if not _is_fernet_key(key):
            yield Error(
                f"Key {position} of FIELD_ENCRYPTION_KEYS is not a Fernet key.",
                hint="A key is 32 random bytes in URL-safe base64 (44 characters).",
                id="plugtill.E005",
            )


def _secret_key() -> str:
    try:
        return str(settings.SECRET_KEY)
    except ImproperlyConfigured:  # Django's answer to reading an empty one
        return ""


def _is_fernet_key(key: str) -> bool:
    try:
        Fernet(key)
    except ValueError:
        return False
    return True


def _check_addresses() -> Iterator[CheckMessage]:
    if not settings.EMBEDDED and not settings.DEBUG and not settings.HAS_PUBLIC_HOST:
        yield Error(
            "Neither PUBLIC_URL nor ALLOWED_HOSTS is set.",
            hint="PUBLIC_URL is the address under which peers, chargers and drivers reach this installation.",
            id="plugtill.E006",
        )
    if not _is_base_url(settings.PUBLIC_URL):
        yield Error(
            f"PUBLIC_URL {settings.PUBLIC_URL!r} is not the base of a web address.",
            hint="For example https://charging.example.com, without query and fragment.",
            id="plugtill.E007",
        )

    if settings.PUBLIC_URL.startswith("https://") and not settings.FORWARDED_ALLOW_IPS:
        yield Warning(
            "PUBLIC_URL is https, so a reverse proxy stands before Plugtill, but FORWARDED_ALLOW_IPS is empty.",
            hint="Name the proxy's addresses in FORWARDED_ALLOW_IPS. Until then every visitor has the proxy's "
            "address, so that limits hit all of them at once, and requests look unencrypted.",
            id="plugtill.W001",
        )


def _is_base_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        has_valid_port = parts.port is None or parts.port > 0
    except ValueError:
        return False
    is_web = parts.scheme in ("http", "https") and bool(parts.hostname)
    return is_web and has_valid_port and not (parts.query or parts.fragment or parts.username)


def _check_charger_authority() -> Iterator[CheckMessage]:
    """Imported late: checks are registered before the models are there."""
    from chargers.services import certificates

    certificate, key = settings.CHARGER_CA_CERTIFICATE_FILE, settings.CHARGER_CA_KEY_FILE
    if not certificate and not key:
        return
    hint = "Set both CHARGER_CA_CERTIFICATE_FILE and CHARGER_CA_KEY_FILE to readable PEM files, or neither."
    if not certificates.has_authority():
        yield Error("Only one of the files of the charger authority is set.", hint=hint, id="plugtill.E009")
        return
    try:
        certificates.read_authority()
    except ValueError as error:
        yield Error(str(error), hint=hint, id="plugtill.E010")


def _check_event_map() -> Iterator[CheckMessage]:
    for topic, consumers in settings.OUTBOX_CONSUMERS.items():
        for path in consumers:
            try:
                import_string(path)
            except ImportError as error:
                yield Error(
                    f"OUTBOX_CONSUMERS[{topic!r}] names {path!r}, which cannot be imported: {error}",
                    hint="Correct the dotted path or the module that it names.",
                    id="plugtill.E008",
                )
