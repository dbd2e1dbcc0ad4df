"""What Plugtill refuses to start with."""

from collections.abc import Callable
from typing import Any

import pytest
from cryptography.fernet import Fernet
from pytest_django import Settings

from config.checks import check_installation


@pytest.fixture
def installation(settings: Settings) -> Callable[..., list[str]]:
    """Checks a sound cluster with the given settings changed; the ids of what is wrong."""

    def check(**changes: Any) -> list[str]:
        sound = {
            "DATABASE_URL": "postgres://db/plugtill",
            "REDIS_URL": "redis://cache/0",
            "EMBEDDED": False,
            "DEBUG": False,
            "SECRET_KEY": "long and random",
            "FIELD_ENCRYPTION_KEYS": [Fernet.generate_key().decode()],
            "HAS_PUBLIC_HOST": True,
            "PUBLIC_URL": "https://charging.example.com",
            "FORWARDED_ALLOW_IPS": ["10.0.0.1"],
            "OUTBOX_CONSUMERS": {},
        }
        for name, value in {**sound, **changes}.items():
            setattr(settings, name, value)
        return [str(message.id) for message in check_installation()]

    return check


def test_a_sound_cluster_passes(installation: Callable[..., list[str]]) -> None:
    assert installation() == []


def test_embedded_passes(installation: Callable[..., list[str]]) -> None:
    assert installation(DATABASE_URL="", REDIS_URL="", EMBEDDED=True, HAS_PUBLIC_HOST=False) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"REDIS_URL": ""}, "plugtill.E001"),
        ({"DATABASE_URL": ""}, "plugtill.E001"),
        ({"DATABASE_URL": "sqlite:///shared.db"}, "plugtill.E002"),
        ({"SECRET_KEY": ""}, "plugtill.E003"),
        ({"FIELD_ENCRYPTION_KEYS": []}, "plugtill.E004"),
        ({"FIELD_ENCRYPTION_KEYS": ["not a key"]}, "plugtill.E005"),
        ({"HAS_PUBLIC_HOST": False}, "plugtill.E006"),
        ({"OUTBOX_CONSUMERS": {"cdr": ["config.health.healthz", "config.health.gone"]}}, "plugtill.E008"),
        ({"OUTBOX_CONSUMERS": {"cdr": ["nowhere.at.all"]}}, "plugtill.E008"),
    ],
)
def test_refuses(installation: Callable[..., list[str]], changes: dict[str, Any], expected: str) -> None:
    assert installation(**changes) == [expected]


@pytest.mark.parametrize(
    "url",
    ["", "charging.example.com", "ftp://example.com", "https://", "https://example.com/?a=1", "http://h:port"],
)
def test_refuses_a_public_url_that_is_no_base(installation: Callable[..., list[str]], url: str) -> None:
    assert installation(PUBLIC_URL=url) == ["plugtill.E007"]


def test_https_without_a_known_proxy_is_a_warning(installation: Callable[..., list[str]]) -> None:
    assert installation(FORWARDED_ALLOW_IPS=[]) == ["plugtill.W001"]
    assert installation(FORWARDED_ALLOW_IPS=[], PUBLIC_URL="http://charging.example.com") == []


def test_debug_needs_no_public_host(installation: Callable[..., list[str]]) -> None:
    assert installation(HAS_PUBLIC_HOST=False, DEBUG=True) == []
