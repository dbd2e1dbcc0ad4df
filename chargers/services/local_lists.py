"""Local authorisation lists: which tags a charger lets in while it cannot ask (OCPP 1.6, 3.5.2; 2.0.1, D)."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from chargers.choices import OcppVersion
from chargers.models import ChargerConnection, IdToken, LocalList, OutgoingCall
from chargers.services.lock_order import lock_charger
from chargers.services.ocpp_requests import ChargerOffline, request_command
from chargers.services.outgoing import Json
from infrastructure.models import Charger


def set_entries(charger: Charger, entries: Sequence[Json] | None) -> LocalList:
    """Replaces the list, as its next version; None: by all id tokens of the charger's operator. Sends nothing."""
    with transaction.atomic():
        lock_charger(charger.pk)
        local_list, _ = LocalList.objects.get_or_create(charger=charger)
        local_list.entries = _entries_of_operator(charger) if entries is None else list(entries)
        local_list.version += 1
        local_list.updated_at = timezone.now()
        local_list.save(update_fields=["entries", "version", "updated_at"])
    return local_list


def _entries_of_operator(charger: Charger) -> list[Json]:
    now = timezone.now()
    tokens = IdToken.objects.filter(operator=charger.location.operator_id)
    return [
        {
            "id_tag": token.id_tag,
            "type": token.type,
            "status": token.status_at(now).value,
            "parent_id_tag": token.parent_id_tag,
            "expires_at": token.expires_at.isoformat() if token.expires_at else None,
        }
        for token in tokens
    ]


def request_sending(charger: Charger, expires_at: datetime) -> OutgoingCall:
    """Sends the whole list. Raises ChargerOffline, or InvalidRequest when the charger's version cannot hold it."""
    with transaction.atomic():
        connection = lock_charger(charger.pk)
        if connection is None or not connection.is_online:
            raise ChargerOffline(f"{charger.identity} is offline.")
        local_list, _ = LocalList.objects.get_or_create(charger=charger)
        payload = _payload(local_list, connection)
        call = request_command(charger, "SendLocalList", payload, expires_at)
        local_list.call, local_list.sent_version = call, local_list.version
        local_list.save(update_fields=["call", "sent_version"])
    return call


def _payload(local_list: LocalList, connection: ChargerConnection) -> Json:
    if connection.protocol == OcppVersion.V201:
        entries = [_entry_201(entry) for entry in local_list.entries]
        payload: Json = {"versionNumber": local_list.version, "updateType": "Full"}
    else:
        entries = [_entry_16(entry) for entry in local_list.entries]
        payload = {"listVersion": local_list.version, "updateType": "Full"}
    # An empty list is said by leaving it out: 2.0.1 forbids one without entries.
    return payload | {"localAuthorizationList": entries} if entries else payload


def _entry_16(entry: Json) -> Json:
    info = {"expiryDate": entry["expires_at"], "parentIdTag": entry["parent_id_tag"], "status": entry["status"]}
    return {"idTag": entry["id_tag"], "idTagInfo": {name: value for name, value in info.items() if value}}


def _entry_201(entry: Json) -> Json:
    info: Json = {"status": entry["status"]}
    if entry["expires_at"]:
        info["cacheExpiryDateTime"] = entry["expires_at"]
    if entry["parent_id_tag"]:
        info["groupIdToken"] = {"idToken": entry["parent_id_tag"], "type": "Central"}
    return {"idToken": {"idToken": entry["id_tag"], "type": entry["type"]}, "idTokenInfo": info}
