from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from chargers.api.fields import CostSerializer
from chargers.choices import SessionStatus, StopReason
from chargers.models import ChargingSession, MeterSample, Reservation
from infrastructure.choices import as_choices
from tariffs.pricing.rounding import money


class MeterValueSerializer(serializers.ModelSerializer[MeterSample]):
    """The energy register in Wh, and the power then in W."""

    class Meta:
        model = MeterSample
        fields = ["at", "register_wh", "power_w"]
        read_only_fields = fields


class TransactionSerializer(serializers.ModelSerializer[ChargingSession]):
    """`ref` is ours and never changes; `transaction_id` is OCPP's. Registers are Wh, `kwh` is the energy so far."""

    ref = serializers.CharField(source="uid", read_only=True)
    charge_point = serializers.CharField(read_only=True, allow_null=True)
    evse = serializers.IntegerField(source="connector.evse.number", read_only=True, allow_null=True, default=None)
    is_open = serializers.SerializerMethodField()
    stop_reason = serializers.ChoiceField(
        choices=as_choices(StopReason), allow_blank=True, read_only=True, help_text="Empty: it runs."
    )
    cost = serializers.SerializerMethodField()

    class Meta:
        model = ChargingSession
        fields = [
            "ref",
            "charge_point",
            "evse",
            "transaction_id",
            "id_tag",
            "parent_id_tag",
            "network",
            "is_open",
            "started_at",
            "ended_at",
            "stop_reason",
            "meter_start",
            "meter_stop",
            "kwh",
            "cost",
            "last_updated",
        ]
        read_only_fields = fields

    def get_is_open(self, session: ChargingSession) -> bool:
        return session.status == SessionStatus.ACTIVE

    @extend_schema_field(CostSerializer(allow_null=True))
    def get_cost(self, session: ChargingSession) -> dict[str, Any] | None:
        if session.total_cost_incl_vat is None:
            return None
        return {
            "currency": session.currency,
            "excl_vat": _rounded(session.total_cost_excl_vat, session.currency),
            "incl_vat": _rounded(session.total_cost_incl_vat, session.currency),
        }


class TransactionDetailSerializer(TransactionSerializer):
    meter_values = MeterValueSerializer(source="samples", many=True, read_only=True)

    class Meta(TransactionSerializer.Meta):
        fields = [*TransactionSerializer.Meta.fields, "meter_values"]
        read_only_fields = fields


def _rounded(amount: Decimal | None, currency: str) -> str | None:
    return None if amount is None else str(money(amount, currency))


class CloseRequest(serializers.Serializer[Any]):
    force = serializers.BooleanField(
        default=False, help_text="Close it although its charger is online and reports that it charges."
    )


class ReservationSerializer(serializers.ModelSerializer[Reservation]):
    """`id` is the reservation's id at the charger, `reservation_id` the partner's. `evse` 0: any of the charger."""

    charge_point = serializers.CharField(source="charger.identity", read_only=True, allow_null=True, default=None)
    evse = serializers.IntegerField(source="evse_number", read_only=True)
    id_tag = serializers.CharField(source="session.id_tag", read_only=True)
    transaction = serializers.CharField(source="session.uid", read_only=True)

    class Meta:
        model = Reservation
        fields = [
            "id",
            "charge_point",
            "evse",
            "reservation_id",
            "id_tag",
            "state",
            "transaction",
            "created_at",
            "expires_at",
            "ended_at",
        ]
        read_only_fields = fields
