import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command

from infrastructure import secrets
from tests.roaming.factories import PlatformFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def keys(settings):
    """Sets FIELD_ENCRYPTION_KEYS, which are otherwise read once."""

    def choose(*chosen: str) -> None:
        settings.FIELD_ENCRYPTION_KEYS = list(chosen)
        secrets._fernet.cache_clear()

    yield choose
    secrets._fernet.cache_clear()


OLD, NEW = (Fernet.generate_key().decode() for _ in range(2))


def test_after_rotation_the_old_key_is_no_longer_needed(keys, capsys):
    keys(OLD)
    platform = PlatformFactory(client_token_encrypted=secrets.encrypt("their-token"))
    keys(NEW, OLD)
    call_command("rotate_keys")
    keys(NEW)
    platform.refresh_from_db()
    assert secrets.decrypt(platform.client_token_encrypted) == "their-token"
    assert "1 secrets" in capsys.readouterr().out


def test_a_secret_of_a_lost_key_is_kept_and_told(keys):
    keys(OLD)
    stored = secrets.encrypt("their-token")
    platform = PlatformFactory(client_token_encrypted=stored)
    keys(NEW)
    with pytest.raises(CommandError, match="1 secrets were made with a key"):
        call_command("rotate_keys")
    platform.refresh_from_db()
    assert platform.client_token_encrypted == stored
