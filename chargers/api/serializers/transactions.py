from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from chargers.api.base import KnownFields
from chargers.api.fields import CostSerializer
from chargers.api.serializers.lists import CallCreatedSerializer
from chargers.choices import ConnectorType, IdTokenType, SessionStatus, StopReason
from chargers.models import ChargingSession, MeterSample, Reservation
from chargers.models.id_token import id_tag_validator
from infrastructure.choices import as_choices
from tariffs.pricing.rounding import money


class MeterValueSerializer(serializers.ModelSerializer[MeterSample]):
    """The energy register in Wh (`is_interval`: the energy since the value before), and the power then in W."""

    class Meta:
        model = MeterSample
        fields = ["at", "register_wh", "power_w", "is_interval"]
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
    cost = serializers.SerializerMethodField(
        help_text="By the tariff: what the partner owes, if there is one. Null without a tariff."
    )
    driver_price = serializers.SerializerMethodField(
        help_text="Including VAT: what the driver pays, which is not `cost` at a partner with a factor or a surcharge."
    )

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
            "driver_price",
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

    def get_driver_price(self, session: ChargingSession) -> str | None:
        return _rounded(session.driver_total_incl_vat, session.currency)


class TransactionDetailSerializer(TransactionSerializer):
    meter_values = MeterValueSerializer(source="samples", many=True, read_only=True)

    class Meta(TransactionSerializer.Meta):
        fields = [*TransactionSerializer.Meta.fields, "meter_values"]
        read_only_fields = fields


def _rounded(amount: Decimal | None, currency: str) -> str | None:
    return None if amount is None else str(money(amount, currency))


class CloseRequest(KnownFields, serializers.Serializer[Any]):
    force = serializers.BooleanField(
        default=False, help_text="Close it although its charger is online and reports that it charges."
    )


class ReservationRequest(KnownFields, serializers.Serializer[Any]):
    """For a card of the operator's own: whoever shows it charges without a partner and without a bill."""

    charge_point = serializers.CharField(max_length=48, help_text="Its identity.")
    evse = serializers.IntegerField(
        default=0, min_value=0, max_value=2**31 - 1, help_text="connectorId in OCPP 1.6. 0: any EVSE of the charger."
    )
    id_tag = serializers.CharField(
        max_length=36, validators=[id_tag_validator], help_text="As the charger reads it; in OCPP 1.6 at most 20."
    )
    type = serializers.ChoiceField(
        choices=[one.value for one in IdTokenType], default=IdTokenType.ISO14443.value, help_text="For OCPP 2.0.1."
    )
    connector_type = serializers.ChoiceField(
        choices=[one.value for one in ConnectorType],
        allow_blank=True,
        default="",
        help_text="OCPP 2.0.1 only: an EVSE with such a connector is kept, for example cCCS2. May be empty.",
    )
    parent_id_tag = serializers.CharField(
        max_length=20,
        allow_blank=True,
        default="",
        validators=[id_tag_validator],
        help_text="Other tags with this parent may use it too. May be empty.",
    )
    expires_at = serializers.DateTimeField(help_text="Until when it is kept.")
    reservation_id = serializers.CharField(
        max_length=36,
        allow_blank=True,
        default="",
        validators=[id_tag_validator],
        help_text="Yours; an open reservation with it is replaced. Empty: a new one is made up.",
    )

    def validate_expires_at(self, expires_at: datetime) -> datetime:
        if expires_at <= timezone.now():
            raise serializers.ValidationError(_("This lies in the past."))
        return expires_at


class ReservationCallSerializer(CallCreatedSerializer):
    """`reservation` is its id here and at the charger."""

    reservation = serializers.IntegerField(source="session.reservation.pk", allow_null=True, default=None)


class ReservationSerializer(serializers.ModelSerializer[Reservation]):
    """`id` is the reservation's id at the charger, `reservation_id` that of whoever reserved. `evse` 0: any."""

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
