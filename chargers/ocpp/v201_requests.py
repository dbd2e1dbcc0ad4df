"""What we ask of an OCPP 2.0.1 charger, and its answers as outcomes."""

from typing import Any

from ocpp.v201 import ChargePoint

from chargers.choices import CallResult
from chargers.ocpp.adapter import Outcome
from chargers.ocpp.v201_answers import ANSWERS, judge
from chargers.ocpp.v201_profiles import ocpi_schedule, tx_profile, wire_instant
from chargers.ocpp.wire import Wire

Json = dict[str, Any]

# Of tokens that we made up (IdTokenEnumType).
CENTRAL = "Central"
# An EVSE's connector, where the neutral call names none.
FIRST_CONNECTOR = 1


class Requests201(Wire, ChargePoint):
    """The half of a connection that calls the charger."""

    async def start_transaction(self, evse_number: int, id_tag: str, start_id: int) -> Outcome:
        wanted = {"evseId": evse_number, "remoteStartId": start_id, "idToken": _token(id_tag)}
        return await self.request("RequestStartTransaction", wanted)

    async def stop_transaction(self, transaction_id: str) -> Outcome:
        return await self.request("RequestStopTransaction", {"transactionId": transaction_id})

    async def reserve(self, wanted: Json) -> Outcome:
        reservation: Json = {
            "id": wanted["reservation"],
            "expiryDateTime": wire_instant(wanted["expires_at"]),
            "idToken": _token(wanted["id_tag"], wanted.get("id_tag_type", CENTRAL)),
        }
        if wanted["evse"]:
            reservation["evseId"] = wanted["evse"]
        if wanted.get("connector_type"):
            reservation["connectorType"] = wanted["connector_type"]
        if wanted["parent_id_tag"]:
            reservation["groupIdToken"] = _token(wanted["parent_id_tag"])
        return await self.request("ReserveNow", reservation)

    async def cancel_reservation(self, reservation_id: int) -> Outcome:
        return await self.request("CancelReservation", {"reservationId": reservation_id})

    async def unlock_connector(self, evse_number: int) -> Outcome:
        wanted = {"evseId": evse_number, "connectorId": FIRST_CONNECTOR}
        return await self.request("UnlockConnector", wanted)

    async def set_charging_profile(self, wanted: Json) -> Outcome:
        profile = {"evseId": wanted["evse"], "chargingProfile": tx_profile(wanted)}
        return await self.request("SetChargingProfile", profile)

    async def clear_charging_profile(self, profile_id: int) -> Outcome:
        return await self.request("ClearChargingProfile", {"chargingProfileId": profile_id})

    async def get_composite_schedule(self, evse_number: int, seconds: int) -> Outcome:
        wanted = {"duration": seconds, "evseId": evse_number}
        answer = await self.ask_strictly("GetCompositeSchedule", wanted)
        told = {"status": answer["status"]} | ocpi_schedule(answer)
        return Outcome(judge("GetCompositeSchedule", answer).result, told)

    async def request(self, action: str, payload: Json) -> Outcome:
        if action not in ANSWERS:
            return Outcome(CallResult.NOT_SUPPORTED, {"reason": f"OCPP 2.0.1 has no {action} to a charger."})
        return judge(action, await self.ask(action, payload))


def _token(id_tag: str, kind: str = CENTRAL) -> Json:
    return {"idToken": id_tag, "type": kind}
