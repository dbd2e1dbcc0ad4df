"""Reservations that programs make: asked of the charger, used by the card, taken back."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from chargers.choices import CallResult
from chargers.models import CDR, ChargerConnection, ChargingSession, OutgoingCall, Reservation
from chargers.services import calls, sessions
from chargers.services.events import TransactionEnded, TransactionStarted
from tests.chargers.test_reservations import reserve


def body(charger: Any, **changes: Any) -> dict[str, Any]:
    until = (timezone.now() + timedelta(hours=1)).isoformat()
    return {"charge_point": charger.identity, "evse": 1, "id_tag": "fleet-1", "expires_at": until} | changes


def make(caller: Any, charger: Any, **changes: Any) -> Any:
    return caller.send("post", "reservations", body(charger, **changes))


def state(caller: Any, pk: int) -> str:
    return str(caller.send("get", f"reservations/{pk}").json()["state"])


def answered(call_id: int, result: CallResult = CallResult.ACCEPTED) -> None:
    calls.finish_call(call_id, result, {"status": "..."})


@pytest.mark.parametrize("evse", [1, 0, 77], ids=["one", "any", "not configured"])
def test_the_charger_is_asked_and_its_answer_is_the_state(caller: Any, charger: Any, evse: int):
    made = make(caller, charger, evse=evse, parent_id_tag="FLEET")
    assert made.status_code == 202
    call = OutgoingCall.objects.get(pk=made.json()["id"])
    asked = {name: call.payload[name] for name in ("evse", "id_tag", "id_tag_type", "parent_id_tag", "reservation")}
    assert asked == {
        "evse": evse,
        "id_tag": "FLEET-1",
        "id_tag_type": "ISO14443",
        "parent_id_tag": "FLEET",
        "reservation": made.json()["reservation"],
    }
    assert state(caller, made.json()["reservation"]) == "PENDING"
    answered(call.pk)
    assert state(caller, made.json()["reservation"]) == "ACCEPTED"


def test_a_type_of_connector_is_for_chargers_that_know_them(caller: Any, charger: Any):
    refused = make(caller, charger, evse=0, connector_type="cCCS2")
    assert refused.status_code == 400 and "connector_type" in refused.json()
    ChargerConnection.objects.update(protocol="ocpp2.0.1")
    made = make(caller, charger, evse=0, connector_type="cCCS2")
    assert OutgoingCall.objects.get(pk=made.json()["id"]).payload["connector_type"] == "cCCS2"


def test_what_the_charger_refuses_is_rejected(caller: Any, charger: Any):
    made = make(caller, charger).json()
    answered(made["id"], CallResult.EVSE_OCCUPIED)
    assert state(caller, made["reservation"]) == "REJECTED"


@pytest.mark.parametrize("evse", [1, 0, 77])
def test_the_card_charges_on_it_without_a_bill(caller: Any, charger: Any, evse: int):
    made = make(caller, charger, evse=evse).json()
    answered(made["id"])
    began = timezone.now()
    started = sessions.start_session(charger.pk, TransactionStarted(evse or 1, "FLEET-1", Decimal(0), began))
    assert started.is_accepted
    sessions.end_session(charger.pk, TransactionEnded(started.transaction_id, Decimal(500), timezone.now()))
    assert state(caller, made["reservation"]) == "USED"
    session = ChargingSession.objects.get()
    assert (session.status, session.network, session.total_cost_incl_vat) == ("COMPLETED", "HOME", None)
    assert CDR.objects.get().total_cost_incl_vat in (None, 0)


def test_the_same_id_replaces(caller: Any, charger: Any):
    first = make(caller, charger, reservation_id="MINE").json()
    answered(first["id"])
    second = make(caller, charger, reservation_id="mine", evse=0).json()
    answered(second["id"])
    assert first["reservation"] == second["reservation"]
    assert Reservation.objects.get().evse_number == 0


def test_it_is_taken_back_at_the_charger(caller: Any, charger: Any):
    made = make(caller, charger).json()
    path = f"reservations/{made['reservation']}/cancel"
    early = caller.send("post", path)
    assert (early.status_code, early.json()["detail"][:13]) == (409, "It is PENDING")
    answered(made["id"])
    cancelled = caller.send("post", path)
    assert cancelled.status_code == 202
    call = OutgoingCall.objects.get(pk=cancelled.json()["id"])
    assert (call.action, call.payload) == ("CANCEL_RESERVATION", {"reservation": made["reservation"]})
    assert state(caller, made["reservation"]) == "CANCELLED"
    assert caller.send("post", path).status_code == 409


def test_a_partners_reservation_is_taken_back_as_by_staff(caller: Any, connector: Any):
    reservation = reserve(connector)
    assert caller.send("post", f"reservations/{reservation.pk}/cancel").status_code == 202
    assert ChargingSession.objects.get().stop_reason == "STAFF"


def test_an_offline_charger_is_409_and_nothing_is_written(caller: Any, charger: Any):
    made = make(caller, charger).json()
    answered(made["id"])
    ChargerConnection.objects.update(channel_name="")
    assert make(caller, charger, id_tag="other").status_code == 409
    assert caller.send("post", f"reservations/{made['reservation']}/cancel").status_code == 409
    assert (Reservation.objects.count(), state(caller, made["reservation"])) == (1, "ACCEPTED")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"id_tag": "X" * 21}, "id_tag"),
        ({"id_tag": "with space"}, "id_tag"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"charge_point": "NOT-MINE"}, "charge_point"),
        ({"evse": -1}, "evse"),
        ({"type": "Nonsense"}, "type"),
    ],
)
def test_what_is_wrong_is_told_by_field(caller: Any, charger: Any, changes: Any, field: str):
    refused = make(caller, charger, **changes)
    assert (refused.status_code, list(refused.json())) == (400, [field])
    assert not Reservation.objects.exists()


def test_2_0_1_has_longer_tags(caller: Any, charger: Any):
    ChargerConnection.objects.update(protocol="ocpp2.0.1")
    assert make(caller, charger, id_tag="X" * 36).status_code == 202


def test_a_charger_of_another_operator_is_unknown(charger: Any):
    from tests.api.caller import make_caller
    from tests.infrastructure.factories import OperatorFactory

    assert make(make_caller(OperatorFactory()), charger).json().keys() == {"charge_point"}
