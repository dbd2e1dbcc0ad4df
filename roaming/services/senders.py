"""The smallest request that brings a platform's copy of a document up to date."""

from typing import Any

from django.utils import timezone

from infrastructure.choices import EVSEStatus
from roaming.choices import InterfaceRole, Module
from roaming.models import Document, Push
from roaming.ocpi.client import Reply
from roaming.ocpi.versions import join
from roaming.services import hub
from roaming.services.credentials import endpoint
from roaming.services.registry import Request, Sender

Json = dict[str, Any]


def document_of(push: Push) -> Document:
    """Raises Document.DoesNotExist."""
    country_code, party_id, object_id = push.object_id.split("/", 2)
    return Document.objects.select_related("platform").get(
        platform=push.platform,
        module=push.module,
        country_code=country_code,
        party_id=party_id,
        object_id__iexact=object_id,
    )


def build(push: Push) -> Request | None:
    """None when the platform has no receiver for the module or already holds this state, or when its hub says that
    the party is not connected."""
    url = endpoint(push.platform, push.module, InterfaceRole.RECEIVER)
    document = document_of(push)
    if url is None or (not document.is_deleted and document.acknowledged == document.body):
        return None
    if not hub.may_send(push.platform, document):
        return None
    return BUILDERS[Module(push.module)](document, url)


def _object_request(document: Document, url: str, method: str, *path: str, body: Any = None) -> Request:
    own = (document.country_code, document.party_id)
    return Request(
        method,
        join(url, *own, document.object_id, *path),
        body,
        country_code=own[0],
        party_id=own[1],
        addressee=hub.owner_of(document.platform, document),
        state=document.body,
    )


def _location(document: Document, url: str) -> Request:
    """PATCH of the one EVSE whose own fields changed (a status, mostly), else PUT of the Location."""
    evse = _only_changed_evse(document.acknowledged, document.body)
    if evse is None:
        return _object_request(document, url, "PUT", body=document.body)
    return _object_request(document, url, "PATCH", evse["uid"], body=evse["changes"])


def _only_changed_evse(old: Json | None, new: Json) -> Json | None:
    if old is None or not _same_but(old, new, {"evses", "last_updated"}):
        return None
    before = {evse["uid"]: evse for evse in old.get("evses", [])}
    changed = [evse for evse in new.get("evses", []) if before.get(evse["uid"]) != evse]
    if len(changed) != 1 or len(before) != len(new.get("evses", [])) or changed[0]["uid"] not in before:
        return None
    evse = changed[0]
    earlier = before[evse["uid"]]
    if earlier["connectors"] != evse["connectors"] or earlier["status"] == EVSEStatus.REMOVED:
        return None
    changes = {name: value for name, value in evse.items() if earlier.get(name) != value}
    # A PATCH cannot take a field away.
    return {"uid": evse["uid"], "changes": changes} if set(earlier) <= set(evse) else None


def _same_but(old: Json, new: Json, names: set[str]) -> bool:
    return {k: v for k, v in old.items() if k not in names} == {k: v for k, v in new.items() if k not in names}


def _tariff(document: Document, url: str) -> Request | None:
    if not document.is_deleted:
        return _object_request(document, url, "PUT", body=document.body)
    if document.acknowledged is None:
        return None
    return _object_request(document, url, "DELETE")


def _session(document: Document, url: str) -> Request:
    """PUT when charging periods change (a PATCH would append them), else PATCH of the changed fields."""
    old, new = document.acknowledged, document.body
    if old is None or not set(old) <= set(new) or old.get("charging_periods") != new.get("charging_periods"):
        return _object_request(document, url, "PUT", body=new)
    changes = {name: value for name, value in new.items() if old.get(name) != value}
    return _object_request(document, url, "PATCH", body=changes)


def _cdr(document: Document, url: str) -> Request:
    return Request(
        "POST",
        url,
        document.body,
        country_code=document.country_code,
        party_id=document.party_id,
        addressee=hub.owner_of(document.platform, document),
        state=document.body,
    )


BUILDERS = {
    Module.LOCATIONS: _location,
    Module.TARIFFS: _tariff,
    Module.SESSIONS: _session,
    Module.CDRS: _cdr,
}


def acknowledge(push: Push, request: Request, reply: Reply) -> None:
    """Keeps what was sent, not what is there now: the difference is the next push."""
    document = document_of(push)
    document.acknowledged = None if request.method == "DELETE" else request.state
    document.acknowledged_at = timezone.now()
    location = reply.headers.get("Location", "")[:255]
    if location and location.isascii() and location.isprintable():
        document.peer_url = location
    document.save(update_fields=["acknowledged", "acknowledged_at", "peer_url"])


def refused(push: Push) -> bool:
    """A refused PATCH means that the platform lost its copy: the whole object is sent instead."""
    if push.method != "PATCH":
        return False
    document = document_of(push)
    document.acknowledged = None
    document.save(update_fields=["acknowledged"])
    return True


DOCUMENTS = Sender(build, acknowledge, refused)


def build_command_result(push: Push) -> Request | None:
    """The result of a command, to the address that the platform gave with it, unchanged, and to the party that sent it.

    None when its hub says meanwhile that the party is not connected.
    """
    frozen: Json = push.body or {}
    to = hub.addressee(push.platform, frozen.get("to_country_code", ""), frozen.get("to_party_id", ""))
    if to is not None and not hub.is_reachable(push.platform, *to):
        return None
    own = {"country_code": frozen["country_code"], "party_id": frozen["party_id"]}
    return Request("POST", push.url, frozen["body"], **own, addressee=to)


COMMAND_RESULTS = Sender(build_command_result)
