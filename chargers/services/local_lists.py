"""Local authorisation lists: which tags a charger lets in while it cannot ask (OCPP 1.6, 3.5.2; 2.0.1, D)."""

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from chargers.choices import CallAction, CallResult, OcppVersion
from chargers.models import ChargerConnection, ChargerVariable, IdToken, LocalList, OutgoingCall
from chargers.services.id_tokens import LONGEST_TAG_16
from chargers.services.lock_order import lock_charger, lock_connection
from chargers.services.ocpp_requests import ChargerOffline, InvalidRequest, request_command
from chargers.services.outgoing import Json
from infrastructure.models import Charger

logger = logging.getLogger(__name__)

DIFFERENTIAL = "Differential"
# Component and variable of what bounds the whole list, and one request (OCPP 1.6, 9.3; 2.0.1, LocalAuthListCtrlr).
AMOUNTS_16 = (("", "LocalAuthListMaxLength"), ("", "SendLocalListMaxLength"))
ENTRIES_201 = ("LocalAuthListCtrlr", "Entries")
AMOUNTS_201 = (ENTRIES_201, ("LocalAuthListCtrlr", "ItemsPerMessage"))
# Failed or VersionMismatch, or an error in words: the charger holds another list than we think.
_REFUSED = (CallResult.FAILED, CallResult.REJECTED)


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
    """Sends what is new since the list that the charger holds, and all of it where that is not known or not less.

    Raises ChargerOffline, or InvalidRequest when the charger's version cannot hold it.
    """
    with transaction.atomic():
        connection = lock_connection(charger.pk)
        if connection is None or not connection.is_online:
            raise ChargerOffline(f"{charger.identity} is offline.")
        local_list, _ = LocalList.objects.get_or_create(charger=charger)
        payload = _payload(local_list, connection)
        call = request_command(charger, "SendLocalList", payload, expires_at)
        local_list.call, local_list.sent_version = call, local_list.version
        # Until it is confirmed, the charger may hold either.
        local_list.sent_entries, local_list.held_version = local_list.entries, None
        local_list.save(update_fields=["call", "sent_version", "sent_entries", "held_version"])
    return call


def follow_call(call_id: int) -> None:
    """Outbox consumer of "call": keeps what the charger holds now, and sends the whole list where changes failed."""
    call = OutgoingCall.objects.filter(pk=call_id, action=CallAction.OCPP).select_related("charger").first()
    if call is None or call.name not in ("SendLocalList", "GetLocalListVersion"):
        return
    with transaction.atomic():
        lock_charger(call.charger_id)
        local_list = LocalList.objects.filter(charger=call.charger_id).first()
        if local_list is None:
            return
        if call.name == "GetLocalListVersion":
            if call.result == CallResult.ACCEPTED and local_list.held_version not in _versions(call.answer or {}):
                _hold(local_list, None)
        elif local_list.call_id != call.pk:
            # Somebody sent another one.
            _hold(local_list, None)
        elif call.result == CallResult.ACCEPTED:
            _hold(local_list, local_list.sent_version)
        elif call.payload["payload"].get("updateType") == DIFFERENTIAL and call.result in _REFUSED:
            _send_whole(call.charger)


def _send_whole(charger: Charger) -> None:
    """What cannot be sent now goes whole with the next sending: nobody knows what the charger holds."""
    try:
        request_sending(charger, timezone.now() + settings.COMMAND_TIMEOUT)
    except (ChargerOffline, InvalidRequest) as error:
        logger.warning("charger %s refused changes of its local list, and cannot be sent all of it: %s", charger, error)


def _hold(local_list: LocalList, version: int | None) -> None:
    local_list.held_version = version
    local_list.held_entries = [] if version is None else local_list.sent_entries
    local_list.save(update_fields=["held_version", "held_entries"])


def _versions(answer: Json) -> tuple[Any, ...]:
    return answer.get("listVersion"), answer.get("versionNumber")


def _payload(local_list: LocalList, connection: ChargerConnection) -> Json:
    is_v201 = connection.protocol == OcppVersion.V201
    if not is_v201:
        _check_lengths(local_list.entries)
    whole = [_entry_201(entry) if is_v201 else _entry_16(entry) for entry in local_list.entries]
    changed = _changes(local_list, is_v201)
    is_less = changed is not None and len(changed) < max(len(whole), 1)
    payload: Json = {
        "versionNumber" if is_v201 else "listVersion": local_list.version,
        "updateType": DIFFERENTIAL if is_less else "Full",
    }
    entries = (changed if is_less else whole) or []
    _check_amounts(local_list, len(entries), is_v201=is_v201)
    # An empty list is said by leaving it out: 2.0.1 forbids one without entries.
    return payload | {"localAuthorizationList": entries} if entries else payload


def _changes(local_list: LocalList, is_v201: bool) -> list[Json] | None:
    """What to add, to replace and (without idTagInfo or idTokenInfo) to take out; None if the charger may hold
    something else, or this very version already."""
    if local_list.held_version is None or local_list.held_version >= local_list.version:
        return None
    held, wanted = (
        {(entry["id_tag"].upper(), entry["type"] if is_v201 else ""): entry for entry in entries}
        for entries in (local_list.held_entries, local_list.entries)
    )
    render = _entry_201 if is_v201 else _entry_16
    changed = [render(entry) for key, entry in wanted.items() if held.get(key) != entry]
    gone = [render(entry) for key, entry in held.items() if key not in wanted]
    named = "idToken" if is_v201 else "idTag"
    return changed + [{named: entry[named]} for entry in gone]


def _check_lengths(entries: Sequence[Json]) -> None:
    """Raises InvalidRequest with the tags that no charger of OCPP 1.6 can hold (7.28, IdToken: CiString20)."""
    too_long = [entry["id_tag"] for entry in entries if len(entry["id_tag"]) > LONGEST_TAG_16]
    if too_long:
        text = _(
            "This charger speaks OCPP 1.6, whose id tags have at most %(most)d characters. Take these from its list: "
            "%(tags)s."
        )
        raise InvalidRequest({"entries": [text % {"most": LONGEST_TAG_16, "tags": ", ".join(too_long)}]})


def _check_amounts(local_list: LocalList, sent: int, *, is_v201: bool) -> None:
    """Raises InvalidRequest for more entries than the charger said that it takes, if it did."""
    of_list, of_request = AMOUNTS_201 if is_v201 else AMOUNTS_16
    told = ChargerVariable.objects.filter(charger=local_list.charger_id, is_known=True, attribute="Actual")
    for (component, variable), amount in ((of_list, len(local_list.entries)), (of_request, sent)):
        known = told.filter(component__iexact=component, variable__iexact=variable).first()
        most = None if known is None else _most(known, is_limit=(component, variable) == ENTRIES_201)
        if most is not None and amount > most:
            text = _("This charger takes at most %(most)d entries (%(name)s), and these are %(amount)d.")
            raise InvalidRequest({"entries": [text % {"most": most, "name": variable, "amount": amount}]})


def _most(variable: ChargerVariable, *, is_limit: bool) -> int | None:
    """`is_limit`: its value is how many there are, and its limit how many there can be."""
    told = variable.characteristics.get("maxLimit") if is_limit else variable.value
    try:
        return int(float(told))
    except (TypeError, ValueError, OverflowError):
        return None


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
