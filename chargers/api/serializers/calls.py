from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from chargers.choices import CallResult
from chargers.models import OutgoingCall
from infrastructure.choices import as_choices

_HIDDEN = "…"


class CallSerializer(serializers.ModelSerializer[OutgoingCall]):
    """A request to a charger. `state` DONE: `result` says how it ended and `answer` is the charger's own."""

    charge_point = serializers.CharField(source="charger.identity", read_only=True)
    action = serializers.CharField(source="name", read_only=True)
    payload = serializers.SerializerMethodField(help_text="What was asked; secrets are left out.")
    result = serializers.ChoiceField(
        choices=as_choices(CallResult), allow_blank=True, read_only=True, help_text="Empty: not answered yet."
    )
    transaction = serializers.CharField(source="session.uid", read_only=True, allow_null=True, default=None)

    class Meta:
        model = OutgoingCall
        fields = [
            "id",
            "charge_point",
            "transaction",
            "action",
            "payload",
            "state",
            "result",
            "answer",
            "created_at",
            "sent_at",
            "finished_at",
            "expires_at",
        ]
        read_only_fields = fields

    @extend_schema_field(OpenApiTypes.OBJECT)
    def get_payload(self, call: OutgoingCall) -> Any:
        is_wire = set(call.payload) == {"action", "payload"}
        return _without_secrets(call.payload["payload"] if is_wire else call.payload)


def _without_secrets(payload: dict[str, Any]) -> dict[str, Any]:
    """A charger's password is set as a configuration key (1.6) or variable (2.0.1)."""
    if str(payload.get("key", "")).lower() == "authorizationkey":
        return payload | {"value": _HIDDEN}
    variables = payload.get("setVariableData")
    if isinstance(variables, list):
        return payload | {"setVariableData": [_hidden_variable(one) for one in variables]}
    return payload


def _hidden_variable(one: dict[str, Any]) -> dict[str, Any]:
    is_password = str(one.get("variable", {}).get("name", "")).lower() == "basicauthpassword"
    return one | {"attributeValue": _HIDDEN} if is_password else one
