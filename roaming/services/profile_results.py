"""What became of charging profile requests, and the limits in force once a partner has set some."""

from typing import Any

from django.utils import timezone

from chargers.choices import CallResult
from chargers.models import ChargingSession, OutgoingCall
from chargers.services.profiles import NotCharging, request_schedule
from infrastructure.models import Connector
from roaming.choices import ChargingProfileResultType, InterfaceRole, Module, ProfileRequestType
from roaming.models import ProfileRequest, Push
from roaming.ocpi.types import format_datetime
from roaming.ocpi.versions import join
from roaming.services import hub, push
from roaming.services.credentials import endpoint
from roaming.services.profiles import forward
from roaming.services.registry import Request, Sender

Json = dict[str, Any]

RESULTS = {
    CallResult.ACCEPTED: ChargingProfileResultType.ACCEPTED,
    CallResult.UNKNOWN: ChargingProfileResultType.UNKNOWN,
}
# Between five minutes and an hour (2.2.1 mod_charging_profiles, 14.2.2).
SHOWN_SECONDS = 3600


def report_profile_call(call_id: int) -> None:
    """Tells the partner how its request ended, once, and what is in force after a change (consumer of "call")."""
    asked = ProfileRequest.objects.select_for_update(of=("self",)).select_related(
        "platform", "session__connector", "call"
    )
    request = asked.filter(call=call_id, result="").first()
    if request is None or request.call is None:
        return
    call = request.call
    request.result = RESULTS.get(CallResult(call.result), ChargingProfileResultType.REJECTED)
    request.save(update_fields=["result"])
    is_accepted = request.result == ChargingProfileResultType.ACCEPTED
    if request.type == ProfileRequestType.SHOW:
        if is_accepted:
            _push_active(request, _active_profile(call, request.session))
        return
    _post_result(request, call, is_accepted)
    if is_accepted and request.type != ProfileRequestType.GET and _has_set(request):
        _look(request)


def _has_set(request: ProfileRequest) -> bool:
    """Who never set a profile is not told of changes (2.2.1 mod_charging_profiles, 14.2.2)."""
    mine = ProfileRequest.objects.filter(platform=request.platform, session=request.session)
    return mine.filter(type=ProfileRequestType.SET, result=ChargingProfileResultType.ACCEPTED).exists()


def _look(request: ProfileRequest) -> None:
    """What is in force may be less than what was set: the charger has limits of its own."""
    try:
        forward(
            request.platform,
            request.session,
            ProfileRequestType.SHOW,
            "",
            lambda session, deadline: request_schedule(session, SHOWN_SECONDS, deadline),
        )
    except NotCharging:
        return


def _post_result(request: ProfileRequest, call: OutgoingCall, is_accepted: bool) -> None:
    body: Json = {"result": request.result}
    if is_accepted and request.type == ProfileRequestType.GET:
        body["profile"] = _active_profile(call, request.session)
    push.enqueue(
        request.platform,
        Module.CHARGINGPROFILES,
        request.uid,
        method="POST",
        url=request.response_url,
        body=_frozen(request.session, body),
        give_up_at=request.expires_at,
    )


def _push_active(request: ProfileRequest, profile: Json) -> None:
    push.enqueue(
        request.platform,
        Module.CHARGINGPROFILES,
        request.session.uid,
        method="PUT",
        body=_frozen(request.session, profile, session_id=request.session.uid),
        give_up_at=timezone.now() + push.STATE_LIFETIME,
    )


def _frozen(session: ChargingSession, body: Json, *, session_id: str = "") -> Json:
    party = {"country_code": session.country_code, "party_id": session.party_id}
    token = session.cdr_token or {}
    to = {"to_country_code": token.get("country_code", ""), "to_party_id": token.get("party_id", "")}
    return {**party, **to, "session_id": session_id, "body": body}


def _active_profile(call: OutgoingCall, session: ChargingSession) -> Json:
    """OCPI ActiveChargingProfile of the charger's answer; without a limit, what the EVSE can give."""
    answer: Json = call.answer or {}
    start = answer.get("start") or format_datetime(call.finished_at or timezone.now())
    return {"start_date_time": start, "charging_profile": answer.get("profile") or _most(session.connector)}


def _most(connector: Connector | None) -> Json:
    if connector is None:
        return {"charging_rate_unit": "W", "charging_profile_period": []}
    unit, limit = "A", connector.max_amperage
    if connector.max_electric_power:
        unit, limit = "W", connector.max_electric_power
    return {"charging_rate_unit": unit, "charging_profile_period": [{"start_period": 0, "limit": limit}]}


def build(pushed: Push) -> Request | None:
    """A result to the address that came with the request, unchanged; a profile in force to the partner's module."""
    frozen: Json = pushed.body or {}
    own = {"country_code": frozen["country_code"], "party_id": frozen["party_id"]}
    to = hub.addressee(pushed.platform, frozen["to_country_code"], frozen["to_party_id"])
    if to is not None and not hub.is_reachable(pushed.platform, *to):
        return None
    if not frozen["session_id"]:
        return Request("POST", pushed.url, frozen["body"], **own, addressee=to)
    url = endpoint(pushed.platform, Module.CHARGINGPROFILES, InterfaceRole.SENDER)
    return Request("PUT", join(url, frozen["session_id"]), frozen["body"], **own, addressee=to) if url else None


PROFILES = Sender(build)
