"""Whether a charger is connected, by which socket, and what it said of itself."""

import logging
from collections.abc import Callable
from datetime import timedelta
from secrets import token_urlsafe

from django.db import transaction
from django.utils import timezone

from chargers.models import ChargerConnection
from chargers.services.events import Booted
from infrastructure import secrets
from infrastructure.choices import EVSEStatus
from infrastructure.models import EVSE, Charger
from infrastructure.services.status import set_evse_status

logger = logging.getLogger(__name__)

HEARTBEAT_INTERVAL = timedelta(seconds=60)
# A charger talks more often than anybody reads when it last did.
WRITE_SEEN_EVERY = timedelta(seconds=20)
SILENT_AFTER = 3 * HEARTBEAT_INTERVAL
# Mobile links drop for seconds all the time; partners need not see each of them.
UNKNOWN_AFTER = timedelta(seconds=60)
PASSWORD_PURPOSE = "charger-password"
# Of those that a charger was sent and has not shown yet. More mean that it takes none of them.
MOST_PASSWORDS = 10

# States that a connection has no say in: not built yet, or gone.
SETTLED_STATUSES = (EVSEStatus.UNKNOWN, EVSEStatus.PLANNED, EVSEStatus.REMOVED)


def create_connection(charger: Charger) -> None:
    """Every charger has a connection row, so that staff can give it a password before it first calls.

    Follows each change of a charger, also its deletion.
    """
    if Charger.objects.filter(pk=charger.pk).exists():
        ChargerConnection.objects.get_or_create(charger_id=charger.pk)


def set_password(charger: Charger, password: str) -> None:
    """Only a keyed hash is kept. A socket that is open stays open."""
    password_hash = secrets.keyed_hash(password, purpose=PASSWORD_PURPOSE)
    hashes = {"password_hash": password_hash, "next_password_hashes": []}
    ChargerConnection.objects.update_or_create(charger=charger, defaults=hashes)


def expect_password(charger_id: int, password: str) -> None:
    """The charger is given a new password over OCPP. Until it shows it for the first time those before are good too:
    it may have it only after a reboot, or not at all."""
    next_hash = secrets.keyed_hash(password, purpose=PASSWORD_PURPOSE)
    _change_expected(charger_id, lambda expected: [*expected, next_hash][-MOST_PASSWORDS:])


def forget_password(charger_id: int, password: str) -> None:
    """The charger has said that it did not take it."""

    def without(expected: list[str]) -> list[str]:
        same = [number for number, one in enumerate(expected) if _is_password(password, one)]
        return [one for number, one in enumerate(expected) if number not in same[-1:]]

    _change_expected(charger_id, without)


def _change_expected(charger_id: int, change: Callable[[list[str]], list[str]]) -> None:
    with transaction.atomic():
        connections = ChargerConnection.objects.select_for_update(no_key=True).filter(charger_id=charger_id)
        connection = connections.order_by().first()
        if connection is not None:
            connection.next_password_hashes = change(connection.next_password_hashes)
            connection.save(update_fields=["next_password_hashes"])


def take_password(charger_id: int, password: str) -> None:
    """The charger has shown an expected password: those before it are worth nothing any more. What was sent after it
    may come into force yet."""
    with transaction.atomic():
        connections = ChargerConnection.objects.select_for_update(no_key=True).filter(charger_id=charger_id)
        connection = connections.order_by().first()
        if connection is None:
            return
        expected = connection.next_password_hashes
        shown = [number for number, one in enumerate(expected) if _is_password(password, one)]
        if shown:
            connection.password_hash = secrets.keyed_hash(password, purpose=PASSWORD_PURPOSE)
            connection.next_password_hashes = expected[shown[-1] + 1 :]
            connection.save(update_fields=["password_hash", "next_password_hashes"])


def _is_password(password: str, stored: str) -> bool:
    return secrets.is_hash_of(password, stored, purpose=PASSWORD_PURPOSE)


def keep_password(charger_id: int, stored: str, password: str) -> None:
    """The charger has shown the password that it has: kept under the key of now if it was under an old one."""
    password_hash = secrets.keyed_hash(password, purpose=PASSWORD_PURPOSE)
    if password_hash != stored:
        same = ChargerConnection.objects.filter(charger_id=charger_id, password_hash=stored)
        same.update(password_hash=password_hash)


def renew_password(charger: Charger) -> str:
    """Gives the charger a new password and returns it, the only time that anybody can read it.

    20 characters: chargers take 16 to 40 (OCPP 1.6 security whitepaper, AuthorizationKey).
    """
    password = token_urlsafe(15)
    set_password(charger, password)
    return password


def connected(charger_id: int, channel_name: str, protocol: str) -> str:
    """The newest socket of an identity wins. Returns the channel of the one it replaces, or ""."""
    now = timezone.now()
    with transaction.atomic():
        connections = ChargerConnection.objects.select_for_update().filter(charger_id=charger_id)
        replaced = connections.values_list("channel_name", flat=True).get()
        connections.update(channel_name=channel_name, protocol=protocol, connected_at=now, last_seen_at=now)
    return replaced


def disconnected(charger_id: int, channel_name: str) -> bool:
    """False when a newer socket has taken over: then the charger is still online."""
    mine = ChargerConnection.objects.filter(charger_id=charger_id, channel_name=channel_name)
    return bool(mine.update(channel_name="", disconnected_at=timezone.now()))


def seen(charger_id: int, channel_name: str) -> bool:
    """Keeps the connection fresh, also one that a sweep has given up; False when a newer socket took over."""
    known = ChargerConnection.objects.filter(charger_id=charger_id, channel_name__in=[channel_name, ""])
    return bool(known.update(channel_name=channel_name, last_seen_at=timezone.now()))


def booted(charger_id: int, event: Booted) -> None:
    ChargerConnection.objects.filter(charger_id=charger_id).update(
        vendor=event.vendor[:50],
        model=event.model[:50],
        serial_number=event.serial_number[:50],
        firmware_version=event.firmware_version[:50],
        booted_at=timezone.now(),
    )


def forget_connections() -> None:
    """For the start of the only process there is: no socket can have outlived the one before."""
    online = ChargerConnection.objects.exclude(channel_name="")
    online.update(channel_name="", disconnected_at=timezone.now())


def mark_silent_chargers() -> None:
    """Takes chargers offline whose process died without a word, and hides the status of those long gone."""
    now = timezone.now()
    silent = ChargerConnection.objects.exclude(channel_name="").filter(last_seen_at__lt=now - SILENT_AFTER)
    if count := silent.update(channel_name="", disconnected_at=now):
        logger.warning("%d chargers fell silent and are taken offline", count)
    gone = ChargerConnection.objects.filter(channel_name="", disconnected_at__lt=now - UNKNOWN_AFTER)
    lost = EVSE.objects.filter(charger__in=gone.values("charger")).exclude(status__in=SETTLED_STATUSES)
    for evse_id in lost.values_list("pk", flat=True):
        # Some come back meanwhile, and say how they are.
        set_evse_status(evse_id, EVSEStatus.UNKNOWN, among=lost)
