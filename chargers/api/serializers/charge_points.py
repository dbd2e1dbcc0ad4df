from typing import Any

from django.core.validators import RegexValidator
from rest_framework import serializers

from chargers.api.base import KnownFields, written_or_refused
from chargers.api.fields import ScopedRelatedField
from chargers.models import ChargerConnection
from chargers.services.charge_points import create_charge_point, ocpp_address
from infrastructure.models import EVSE, Charger, Connector, Location


class AreaSerializer(serializers.ModelSerializer[Location]):
    operator_name = serializers.CharField(source="operator.name", read_only=True)

    class Meta:
        model = Location
        fields = ["id", "name", "operator", "operator_name", "roaming_id", "address", "postal_code", "city"]
        read_only_fields = fields


class ConnectorSerializer(KnownFields, serializers.ModelSerializer[Connector]):
    class Meta:
        model = Connector
        fields = [
            "number",
            "roaming_id",
            "standard",
            "format",
            "power_type",
            "max_voltage",
            "max_amperage",
            "max_electric_power",
        ]
        # Without the EVSE no constraint can be judged here; the service does.
        validators: list[Any] = []


class EVSESerializer(KnownFields, serializers.ModelSerializer[EVSE]):
    connectors = ConnectorSerializer(many=True, required=False)

    class Meta:
        model = EVSE
        fields = ["number", "uid", "evse_id", "physical_reference", "status", "connectors"]
        read_only_fields = ["status"]
        validators: list[Any] = []


class ConnectionSerializer(serializers.ModelSerializer[ChargerConnection]):
    """Whether the charger is connected, and what it said of itself."""

    is_online = serializers.BooleanField(read_only=True)
    has_password = serializers.SerializerMethodField()

    class Meta:
        model = ChargerConnection
        fields = [
            "is_online",
            "protocol",
            "has_password",
            "vendor",
            "model",
            "serial_number",
            "firmware_version",
            "connected_at",
            "disconnected_at",
            "last_seen_at",
            "booted_at",
        ]
        read_only_fields = fields

    def get_has_password(self, connection: ChargerConnection) -> bool:
        return bool(connection.password_hash)


class ChargePointSerializer(KnownFields, serializers.ModelSerializer[Charger]):
    """`area` is the id of one of the token's areas: see `/areas`."""

    area = ScopedRelatedField(source="location", queryset=Location.objects.all())
    ocpp_address = serializers.SerializerMethodField(help_text="Where the charger connects.")
    connection = ConnectionSerializer(read_only=True, allow_null=True)
    evses = EVSESerializer(many=True, required=False)

    class Meta:
        model = Charger
        fields = ["identity", "name", "area", "roaming_id", "roaming", "ocpp_address", "connection", "evses"]

    def get_ocpp_address(self, charger: Charger) -> str:
        return ocpp_address(charger)

    def create(self, validated_data: dict[str, Any]) -> Charger:
        evses = validated_data.pop("evses", [])
        with written_or_refused():
            return create_charge_point(Charger(**validated_data), evses)


class CredentialsRequest(KnownFields, serializers.Serializer[Any]):
    password = serializers.CharField(
        required=False,
        min_length=16,
        max_length=40,
        trim_whitespace=False,
        validators=[RegexValidator(r"^[\x21-\x7e]*\Z", "Use letters, digits and signs of ASCII, without spaces.")],
        help_text="Your own; without it we make one.",
    )


class CredentialsSerializer(serializers.Serializer[Any]):
    """The password is told this one time only."""

    identity = serializers.CharField()
    password = serializers.CharField()
    ocpp_address = serializers.CharField()
