"""Staff operate chargers from their pages: a GET only asks, a POST leaves the request of the charger's version."""

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils import timezone
from django.utils.html import escape

from chargers.admin_operations import OPERATIONS as OPERATIONS_OFFERED
from chargers.choices import OcppVersion
from chargers.models import (
    ChargerConnection,
    ChargerEvent,
    ChargerMessage,
    ChargerMonitor,
    ChargerVariable,
    ChargingSession,
    DisplayMessage,
    OutgoingCall,
    PendingCharger,
)
from chargers.services import calls, operations
from chargers.services.ocpp_requests import check_request
from infrastructure.models import Charger
from infrastructure.outbox import drain
from infrastructure.services import masterdata
from tests.chargers.factories import make_connector
from tests.infrastructure.factories import ChargerFactory, LocationFactory, make_staff

pytestmark = pytest.mark.django_db


@pytest.fixture
def connection() -> Any:
    connector = make_connector()
    ChargerConnection.objects.update(protocol="ocpp1.6")
    return connector.evse.charger.connection


@pytest.fixture
def staff(client: Any, connection: Any) -> Any:
    client.force_login(make_staff("operator", connection.charger.location.operator))
    return client


def page(obj: Any, action: str) -> str:
    return reverse(f"admin:chargers_{obj._meta.model_name}_{action}", args=[obj.pk])


def operate(connection: Any, do: str) -> str:
    return f"{page(connection, 'operate')}?do={do}"


AT = {"at_0": "2026-03-01", "at_1": "10:00:00"}
LOG = {"location": "ftp://files/logs"}
OPERATIONS = [
    ("reset", {"is_hard": "1"}, "Reset", {"type": "Hard"}, {"type": "Immediate"}),
    ("reset", {"is_hard": ""}, "Reset", {"type": "Soft"}, {"type": "OnIdle"}),
    (
        "availability",
        {"evse": "1", "is_operative": ""},
        "ChangeAvailability",
        {"connectorId": 1, "type": "Inoperative"},
        {"evse": {"id": 1}, "operationalStatus": "Inoperative"},
    ),
    (
        "availability",
        {"evse": "0", "is_operative": "1"},
        "ChangeAvailability",
        {"connectorId": 0, "type": "Operative"},
        {"operationalStatus": "Operative"},
    ),
    (
        "trigger",
        {"message": "StatusNotification", "evse": "1"},
        "TriggerMessage",
        {"requestedMessage": "StatusNotification", "connectorId": 1},
        {"requestedMessage": "StatusNotification", "evse": {"id": 1, "connectorId": 1}},
    ),
    (
        "trigger",
        {"message": "DiagnosticsStatusNotification", "evse": "0"},
        "TriggerMessage",
        {"requestedMessage": "DiagnosticsStatusNotification"},
        {"requestedMessage": "LogStatusNotification"},
    ),
    ("clear-cache", {}, "ClearCache", {}, {}),
    ("certificate", {"chain": "PEM"}, "CertificateSigned", {"certificateChain": "PEM"}, {"certificateChain": "PEM"}),
    (
        "read-certificates",
        {},
        "GetInstalledCertificateIds",
        {"certificateType": "CentralSystemRootCertificate"},
        {},
    ),
    ("request", {"action": "GetLocalListVersion", "payload": "{}"}, "GetLocalListVersion", {}, {}),
]


@pytest.mark.parametrize(("do", "form", "action", "in_16", "in_201"), OPERATIONS)
@pytest.mark.parametrize("protocol", ["ocpp1.6", "ocpp2.0.1"])
def test_an_operation_is_the_request_of_the_chargers_version(
    staff: Any, connection: Any, protocol: str, do: str, form: Any, action: str, in_16: Any, in_201: Any
):
    ChargerConnection.objects.update(protocol=protocol)
    assert staff.get(operate(connection, do)).status_code == 200
    assert not OutgoingCall.objects.exists()
    answer = staff.post(operate(connection, do), form)
    call = OutgoingCall.objects.get()
    assert answer.url == page(call, "change")
    assert call.payload == {"action": action, "payload": in_16 if protocol == "ocpp1.6" else in_201}


def test_operations_of_ocpp_16_only_or_with_other_names(staff: Any, connection: Any):
    staff.post(operate(connection, "read-configuration"), {"keys": "A, B"})
    staff.post(operate(connection, "change-configuration"), {"key": "A", "value": " 1"})
    staff.post(operate(connection, "update-firmware"), {"location": "ftp://files/fw", **AT, "retries": "2"})
    staff.post(operate(connection, "diagnostics"), LOG)
    assert [call.payload for call in OutgoingCall.objects.order_by("pk")] == [
        {"action": "GetConfiguration", "payload": {"key": ["A", "B"]}},
        {"action": "ChangeConfiguration", "payload": {"key": "A", "value": " 1"}},
        {
            "action": "UpdateFirmware",
            "payload": {"location": "ftp://files/fw", "retrieveDate": "2026-03-01T09:00:00Z", "retries": 2},
        },
        {"action": "GetDiagnostics", "payload": LOG},
    ]


def test_operations_of_ocpp_201_have_its_shape(staff: Any, connection: Any):
    ChargerConnection.objects.update(protocol="ocpp2.0.1")
    staff.post(operate(connection, "read-configuration"), {})
    staff.post(operate(connection, "update-firmware"), {"location": "ftp://files/fw", **AT})
    staff.post(operate(connection, "diagnostics"), LOG)
    staff.post(operate(connection, "security-log"), LOG)
    sent = [(call.name, call.payload["payload"]) for call in OutgoingCall.objects.order_by("pk")]
    assert all(isinstance(payload.pop("requestId"), int) for _, payload in sent)
    assert sent == [
        ("GetBaseReport", {"reportBase": "FullInventory"}),
        ("UpdateFirmware", {"firmware": {"location": "ftp://files/fw", "retrieveDateTime": "2026-03-01T09:00:00Z"}}),
        ("GetLog", {"logType": "DiagnosticsLog", "log": {"remoteLocation": "ftp://files/logs"}}),
        ("GetLog", {"logType": "SecurityLog", "log": {"remoteLocation": "ftp://files/logs"}}),
    ]
    assert staff.get(operate(connection, "change-configuration")).status_code == 404


def test_a_charger_is_asked_to_renew_its_certificate_in_its_own_words(staff: Any, connection: Any):
    for protocol in ("ocpp1.6", "ocpp2.0.1"):
        ChargerConnection.objects.update(protocol=protocol)
        staff.post(operate(connection, "renew-certificate"), {})
    assert [call.payload for call in OutgoingCall.objects.order_by("pk")] == [
        {"action": "ExtendedTriggerMessage", "payload": {"requestedMessage": "SignChargePointCertificate"}},
        {"action": "TriggerMessage", "payload": {"requestedMessage": "SignChargingStationCertificate"}},
    ]


def test_no_two_requests_to_a_charger_have_the_same_id(staff: Any, connection: Any, monkeypatch: Any):
    """Else what it tells of one customer would be joined to what it told of another."""
    ChargerConnection.objects.update(protocol="ocpp2.0.1")
    now = timezone.now()
    monkeypatch.setattr(operations.timezone, "now", lambda: now)
    asked = {"id_tag": "CARD", "type": "ISO14443", "is_cleared": False}
    shown = {"text": "Out of order", "priority": "InFront", "end": None}
    for operation, values in (("customer-information", asked), ("show-message", shown)) * 2:
        operations.request_operation(connection.charger, operation, values)
    payloads = [call.payload["payload"] for call in OutgoingCall.objects.order_by("pk")]
    ids = [payload.get("requestId") or payload["message"]["id"] for payload in payloads]
    assert ids == [int(now.timestamp()) + number for number in range(4)]


DEVICE = [
    ("read-monitors", {}, "GetMonitoringReport", {}),
    ("read-messages", {}, "GetDisplayMessages", {}),
    (
        "customer-information",
        {"id_tag": "CARD", "type": "ISO14443", "is_cleared": "1"},
        "CustomerInformation",
        {"report": True, "clear": True, "idToken": {"idToken": "CARD", "type": "ISO14443"}},
    ),
]


@pytest.mark.parametrize(("do", "form", "action", "payload"), DEVICE)
def test_what_only_chargers_of_201_can_be_asked(
    staff: Any, connection: Any, do: str, form: Any, action: str, payload: Any
):
    assert staff.get(operate(connection, do)).status_code == 404
    ChargerConnection.objects.update(protocol="ocpp2.0.1")
    staff.post(operate(connection, do), form)
    sent = OutgoingCall.objects.get().payload
    check_request(OcppVersion.V201, action, sent["payload"])
    sent["payload"].pop("requestId")
    assert sent == {"action": action, "payload": payload}


def test_a_message_is_shown_listed_and_taken_away(staff: Any, connection: Any):
    ChargerConnection.objects.update(protocol="ocpp2.0.1")
    until = {"end_0": "2026-03-01", "end_1": "10:00:00"}
    staff.post(operate(connection, "show-message"), {"text": "Out of order", "priority": "InFront", **until})
    call = OutgoingCall.objects.get()
    check_request(OcppVersion.V201, "SetDisplayMessage", call.payload["payload"])
    calls.finish_call(call.pk, calls.CallResult.ACCEPTED, {"status": "Accepted"})
    drain()
    message = DisplayMessage.objects.get()
    assert (message.text, message.message_id) == ("Out of order", call.payload["payload"]["message"]["id"])
    assert "Out of order" in staff.get(page(connection, "change")).content.decode()
    staff.post(operate(connection, "clear-message"), {"message": message.message_id})
    calls.finish_call(OutgoingCall.objects.latest("pk").pk, calls.CallResult.ACCEPTED, {"status": "Accepted"})
    drain()
    assert not DisplayMessage.objects.exists()


def test_a_variable_is_watched_from_the_list(staff: Any, connection: Any):
    old = ChargerVariable.objects.create(charger=connection.charger, variable="HeartbeatInterval")
    assert staff.get(page(old, "watch_value")).status_code == 404
    variable = ChargerVariable.objects.create(
        charger=connection.charger, component="EVSE", evse_number=1, variable="Power", attribute="MaxSet"
    )
    assert staff.get(page(variable, "watch_value")).status_code == 200
    staff.post(page(variable, "watch_value"), {"kind": "UpperThreshold", "value": "11.5", "severity": "3"})
    call = OutgoingCall.objects.get()
    check_request(OcppVersion.V201, "SetVariableMonitoring", call.payload["payload"])
    (asked,) = call.payload["payload"]["setMonitoringData"]
    result = {"id": 5, "status": "Accepted", **{name: asked[name] for name in ("type", "severity", "component")}}
    answer = {"setMonitoringResult": [result | {"variable": asked["variable"]}]}
    calls.finish_call(call.pk, calls.CallResult.ACCEPTED, answer)
    drain()
    monitor = ChargerMonitor.objects.get()
    assert (monitor.monitor_id, monitor.name, monitor.value, monitor.severity) == (5, "EVSE[1].Power", 11.5, 3)
    gone = {"clearMonitoringResult": [{"id": 5, "status": "Accepted"}]}
    call = operations.request(connection.charger, "ClearVariableMonitoring", {"id": [5]})
    calls.finish_call(call.pk, calls.CallResult.ACCEPTED, gone)
    drain()
    assert not ChargerMonitor.objects.exists()


def test_staff_start_a_session_that_nobody_pays(staff: Any, connection: Any):
    connector = connection.charger.evses.get().connectors.get()
    staff.post(operate(connection, "start"), {"connector": connector.pk})
    session = ChargingSession.objects.get()
    assert (session.connector, session.peer_id, session.tariff_version, session.status) == (
        connector,
        "",
        None,
        "PENDING",
    )
    assert OutgoingCall.objects.get().action == "START_TRANSACTION"


@pytest.mark.parametrize(
    ("do", "form"),
    [
        ("request", {"action": "Reset", "payload": '{"type": "Never"}'}),
        ("request", {"action": "Reset", "payload": "{"}),
        ("request", {"action": "Reset", "payload": "[]"}),
        ("request", {"action": "Heartbeat", "payload": "{}"}),
        ("trigger", {"message": "Gossip", "evse": "0"}),
        ("availability", {"evse": "77", "is_operative": ""}),
        ("update-firmware", {"location": ""}),
        ("start", {"connector": "999999"}),
    ],
)
def test_what_is_wrong_is_said_and_not_sent(staff: Any, connection: Any, do: str, form: Any):
    answer = staff.post(operate(connection, do), form)
    assert answer.status_code == 200 and answer.context["form"].errors
    assert not OutgoingCall.objects.exists()


def test_the_page_of_a_call_looks_again_until_the_answer_is_there(staff: Any, connection: Any):
    staff.post(operate(connection, "read-configuration"), {})
    call = OutgoingCall.objects.get()
    assert "location.reload" in staff.get(page(call, "change")).content.decode()
    calls.finish_call(call.pk, calls.CallResult.ACCEPTED, {"configurationKey": []})
    text = staff.get(page(call, "change")).content.decode()
    assert "location.reload" not in text and "configuration</a>" in text


def test_a_value_is_changed_from_the_list_of_what_was_read(staff: Any, connection: Any):
    variable = ChargerVariable.objects.create(charger=connection.charger, variable="HeartbeatInterval", value="60")
    assert staff.get(page(variable, "change_value")).context["form"].initial == {"value": "60"}
    staff.post(page(variable, "change_value"), {"value": "30"})
    payload = {"key": "HeartbeatInterval", "value": "30"}
    assert OutgoingCall.objects.get().payload == {"action": "ChangeConfiguration", "payload": payload}


def test_the_security_profile_is_set_and_0_only_where_allowed(staff: Any, connection: Any, settings: Any):
    address = page(connection, "security")
    staff.post(address, {"security_profile": "3", "certificate_name": "SN-1"})
    connection.refresh_from_db()
    assert (connection.security_profile, connection.certificate_name) == (3, "SN-1")
    assert staff.post(address, {"security_profile": "0"}).context["form"].errors
    settings.CHARGERS_WITHOUT_PASSWORD = True
    staff.post(address, {"security_profile": "0"})
    connection.refresh_from_db()
    assert connection.security_profile == 0


@pytest.mark.parametrize(("identity", "name"), [("CP-B", ""), ("CP-C", "CP-B")])
def test_a_name_that_proves_another_operators_charger_is_not_set(staff: Any, connection: Any, identity: str, name: str):
    ChargerConnection.objects.create(charger=ChargerFactory(identity=identity), certificate_name=name)
    answer = staff.post(page(connection, "security"), {"security_profile": "3", "certificate_name": "CP-B"})
    assert "each needs one of its own" in str(answer.context["form"].errors["certificate_name"])
    connection.refresh_from_db()
    assert connection.certificate_name == ""


def test_no_charger_is_created_or_renamed_to_what_another_ones_certificate_says(connection: Any):
    ChargerConnection.objects.update(certificate_name="SN-1")
    other = ChargerFactory()
    for charger in (Charger(location=other.location, identity="SN-1"), other):
        charger.identity = "SN-1"
        with pytest.raises(ValidationError) as refused:
            masterdata.save(charger)
        assert list(refused.value.message_dict) == ["identity"]
    own = connection.charger
    own.identity = "SN-1"
    masterdata.save(own)


@pytest.fixture
def records(connection: Any) -> Any:
    charger, now = connection.charger, timezone.now()
    frame = '[2,"1","Authorize",{"idTag":"***CCDD"}]'
    for _ in range(3):
        ChargerMessage.objects.create(
            charger=charger, at=now, direction="IN", kind="CALL", action="Authorize", frame=frame, size=40
        )
        ChargerEvent.objects.create(charger=charger, kind="FAULT", name="GroundFailure", info="RCD", at=now)
    ChargerVariable.objects.create(charger=charger, variable="HeartbeatInterval", value="60")
    ChargerConnection.objects.update(channel_name="", refused_at=now, refusal="It showed a wrong password.")
    return charger


def test_a_chargers_page_shows_what_it_told_and_how_to_operate_it(staff: Any, connection: Any, records: Any):
    text = staff.get(reverse("admin:infrastructure_charger_change", args=[records.pk])).content.decode()
    for shown in ("It showed a wrong password.", "GroundFailure", "***CCDD", operate(connection, "reset")):
        assert shown in text
    assert f"chargermessage/?charger__id__exact={records.pk}" in text
    text = staff.get(page(connection, "change")).content.decode()
    assert "GroundFailure" in text and operate(connection, "reset") in text


@pytest.mark.parametrize("model", [ChargerMessage, ChargerEvent, ChargerVariable, OutgoingCall, PendingCharger])
def test_lists_and_pages_open(staff: Any, records: Any, connection: Any, model: Any):
    staff.post(operate(connection, "clear-cache"))
    PendingCharger.objects.create(identity="NEW")
    name = model._meta.model_name
    assert staff.get(reverse(f"admin:chargers_{name}_changelist")).status_code == 200
    assert staff.get(page(model.objects.first(), "change")).status_code == 200


def test_the_message_list_costs_the_same_however_long_it_is(
    staff: Any, records: Any, django_assert_max_num_queries: Any
):
    address = reverse("admin:chargers_chargermessage_changelist")
    staff.get(address)
    with django_assert_max_num_queries(12):
        staff.get(f"{address}?charger__id__exact={records.pk}&action=Authorize&direction__exact=IN")


def test_a_filter_of_messages_names_no_charger_but_the_chosen_one_of_ours(client: Any, connection: Any, records: Any):
    """Ten thousand of them would be written into each page."""
    others, foreign = ChargerFactory(location=records.location), ChargerFactory()
    client.force_login(make_staff("mine", records.location.operator))
    address = reverse("admin:chargers_chargervariable_changelist")
    assert str(others) not in client.get(address).content.decode()
    assert f">{others}</option>" in client.get(f"{address}?charger__id__exact={others.pk}").content.decode()
    assert str(foreign) not in client.get(f"{address}?charger__id__exact={foreign.pk}").content.decode()


def test_who_may_only_look_operates_nothing(client: Any, connection: Any):
    user = make_staff("viewer", connection.charger.location.operator)
    user.user_permissions.set(user.user_permissions.model.objects.filter(codename__startswith="view_"))
    client.force_login(user)
    row = PendingCharger.objects.create(identity="NEW")
    assert client.post(operate(connection, "clear-cache")).status_code == 403
    assert client.post(page(connection, "security"), {"security_profile": "3"}).status_code == 403
    assert client.post(page(row, "accept"), {"location": connection.charger.location_id, "evses": 1}).status_code == 403
    variable = ChargerVariable.objects.create(charger=connection.charger, variable="A")
    assert client.post(page(variable, "change_value"), {"value": "x"}).status_code == 403
    assert not OutgoingCall.objects.exists() and PendingCharger.objects.exists()


def test_others_chargers_are_not_found(client: Any, records: Any, connection: Any):
    client.force_login(make_staff())
    assert client.post(operate(connection, "clear-cache")).status_code == 404
    assert client.post(page(ChargerVariable.objects.get(), "change_value"), {"value": "x"}).status_code == 404
    for model in (ChargerMessage, ChargerEvent):
        text = client.get(reverse(f"admin:chargers_{model._meta.model_name}_changelist")).content.decode()
        assert "GroundFailure" not in text and "CCDD" not in text


def test_a_pending_charger_is_accepted_into_an_area_of_ones_own(staff: Any, connection: Any):
    row = PendingCharger.objects.create(identity="NEW-1", password_hash="x" * 64)
    assert staff.get(page(row, "accept")).status_code == 200
    foreign = LocationFactory()
    assert staff.post(page(row, "accept"), {"location": foreign.pk, "evses": 1}).context["form"].errors
    location = connection.charger.location
    staff.post(page(row, "accept"), {"location": location.pk, "name": "Yard", "evses": 2})
    charger = Charger.objects.get(identity="NEW-1")
    assert (charger.location, charger.evses.count(), charger.connection.password_hash) == (location, 2, "x" * 64)


def test_a_pending_charger_is_discarded_only_by_a_post(staff: Any):
    row = PendingCharger.objects.create(identity="NEW-1")
    staff.get(page(row, "discard"))
    assert PendingCharger.objects.exists()
    staff.post(page(row, "discard"))
    assert not PendingCharger.objects.exists()


def _panel(staff: Any, obj: Any) -> str:
    text = staff.get(reverse(f"admin:{obj._meta.label_lower.replace('.', '_')}_change", args=[obj.pk])).content.decode()
    start = text.index('<ul class="desk-ways"')
    return text[start : text.index("</div>", start)]


def test_what_a_driver_on_the_phone_needs_comes_first(staff: Any, connection: Any) -> None:
    for obj in (connection, connection.charger):
        shown = _panel(staff, obj)
        first = shown[: shown.index("<details")]
        places = [first.index(one) for one in (page(connection, "unlock"), "do=reset", "do=start")]
        assert places == sorted(places)
        assert "do=update-firmware" not in first and "do=update-firmware" in shown
        # Links and folds of the browser's own: all of them are reached with the tabulator.
        assert shown.count("<details>") == shown.count("<summary>") == 6


def test_what_disturbs_charging_is_marked_and_every_operation_explained(staff: Any, connection: Any) -> None:
    shown = _panel(staff, connection)
    entries = {one.split("</a>")[0].rsplit("do=")[-1].split('"')[0]: one for one in shown.split("<li>") if "do=" in one}
    assert len(entries) == 14
    for name, entry in entries.items():
        assert ("desk-danger" in entry) == OPERATIONS_OFFERED[name].is_danger, name
        assert f'<p class="text-sm">{escape(OPERATIONS_OFFERED[name].explanation)}</p>' in entry


def test_only_what_the_version_knows_is_offered(staff: Any, connection: Any) -> None:
    assert "<summary>Display</summary>" not in _panel(staff, connection)
    ChargerConnection.objects.update(protocol="ocpp2.0.1")
    assert "<summary>Display</summary>" in _panel(staff, connection)


def test_to_operate_without_saying_what_leads_to_the_choice(staff: Any, connection: Any) -> None:
    answer = staff.get(page(connection, "operate"))
    assert answer["Location"] == page(connection, "change")
