"""Whether a charger is connected, by which socket, and what it said of itself."""

import logging
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
    ChargerConnection.objects.update_or_create(charger=charger, defaults={"password_hash": password_hash})


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
    lost = EVSE.objects.filter(
        charger__connection__channel_name="", charger__connection__disconnected_at__lt=now - UNKNOWN_AFTER
    )
    for evse_id in lost.exclude(status__in=SETTLED_STATUSES).values_list("pk", flat=True):
        set_evse_status(evse_id, EVSEStatus.UNKNOWN)
