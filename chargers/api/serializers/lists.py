"""Id tokens, local lists, charging profiles, messages."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.reverse import reverse

from chargers.api.base import KnownFields, ServiceSerializer
from chargers.api.fields import OperatorField
from chargers.choices import LISTED_STATUSES, AuthorizationStatus, IdTokenType, OcppVersion
from chargers.models import ChargerMessage, ChargingProfileTemplate, IdToken, LocalList
from chargers.models.id_token import id_tag_validator
from chargers.services.ocpp_requests import InvalidRequest
from chargers.services.profile_templates import check_profile


class IdTokenSerializer(ServiceSerializer[IdToken]):
    """Who shows it charges at the operator's chargers without a partner and without a bill."""

    operator = OperatorField()
    status = serializers.SerializerMethodField(help_text="What a charger is told of it now.")

    class Meta:
        model = IdToken
        fields = [
            "id",
            "operator",
            "id_tag",
            "type",
            "parent_id_tag",
            "note",
            "is_blocked",
            "expires_at",
            "status",
            "created_at",
            "last_updated",
        ]
        read_only_fields = ["created_at", "last_updated"]
        # The model's own constraint is asked by `full_clean`.
        validators: list[Any] = []

    @extend_schema_field(serializers.ChoiceField(choices=LISTED_STATUSES))
    def get_status(self, token: IdToken) -> str:
        return token.status_at(self.context["now"]).value


class LocalListEntry(KnownFields, serializers.Serializer[Any]):
    id_tag = serializers.CharField(max_length=36, validators=[id_tag_validator])
    type = serializers.ChoiceField(
        choices=[one.value for one in IdTokenType], default=IdTokenType.ISO14443.value, help_text="For OCPP 2.0.1."
    )
    status = serializers.ChoiceField(choices=LISTED_STATUSES, default=AuthorizationStatus.ACCEPTED.value)
    parent_id_tag = serializers.CharField(
        max_length=20, allow_blank=True, default="", validators=[id_tag_validator], help_text="May be empty."
    )
    expires_at = serializers.DateTimeField(allow_null=True, default=None)


class LocalListRequest(KnownFields, serializers.Serializer[Any]):
    entries = LocalListEntry(
        many=True, required=False, help_text="The whole list. Left out: all id tokens of the charger's operator."
    )

    def validate_entries(self, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
        seen: set[str] = set()
        for entry in entries:
            tag = entry["id_tag"].upper()
            if tag in seen:
                raise serializers.ValidationError(f"{entry['id_tag']} is there twice.")
            seen.add(tag)
            entry["expires_at"] = entry["expires_at"].isoformat() if entry["expires_at"] else None
        return entries


class LocalListSerializer(serializers.ModelSerializer[LocalList]):
    """`version` is the list's here, `sent_version` what was sent last, with `call_result` (empty: no answer yet), and
    `held_version` what the charger has confirmed (null: not known)."""

    charge_point = serializers.CharField(source="charger.identity", read_only=True)
    entries = LocalListEntry(many=True, read_only=True)
    call = serializers.PrimaryKeyRelatedField[Any](read_only=True, allow_null=True)
    call_result = serializers.CharField(source="call.result", read_only=True, allow_null=True, default=None)

    class Meta:
        model = LocalList
        fields = [
            "charge_point",
            "version",
            "entries",
            "updated_at",
            "sent_version",
            "held_version",
            "call",
            "call_result",
        ]
        read_only_fields = fields


class ChargingProfileSerializer(ServiceSerializer[ChargingProfileTemplate]):
    """`id` is also the profile's id at chargers: an id inside `profile` is replaced by it."""

    id = serializers.IntegerField(source="wire_id", read_only=True)
    operator = OperatorField()
    profile = serializers.DictField(help_text="csChargingProfiles of OCPP 1.6, or chargingProfile of OCPP 2.0.1.")

    class Meta:
        model = ChargingProfileTemplate
        fields = ["id", "operator", "description", "ocpp_version", "profile", "created_at", "last_updated"]
        read_only_fields = ["created_at", "last_updated"]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        stored = self.instance if isinstance(self.instance, ChargingProfileTemplate) else None
        version = attrs.get("ocpp_version") or (stored.ocpp_version if stored else OcppVersion.V16)
        profile = attrs.get("profile", stored.profile if stored else {})
        try:
            check_profile(OcppVersion(version), profile)
        except InvalidRequest as error:
            raise serializers.ValidationError({"profile": error.errors}) from error
        return attrs

    def to_representation(self, instance: ChargingProfileTemplate) -> dict[str, Any]:
        shown = super().to_representation(instance)
        name = "id" if instance.ocpp_version == OcppVersion.V201 else "chargingProfileId"
        return shown | {"profile": shown["profile"] | {name: instance.wire_id}}


class SetProfileRequest(KnownFields, serializers.Serializer[Any]):
    charge_point = serializers.CharField(max_length=48, help_text="Its identity.")
    evse = serializers.IntegerField(default=0, min_value=0, max_value=2**31 - 1, help_text="0: the whole charger.")


class MessageSerializer(serializers.ModelSerializer[ChargerMessage]):
    """One frame. Secrets are taken out of it, and of id tags all but the last four characters."""

    charge_point = serializers.CharField(source="charger.identity", read_only=True)

    class Meta:
        model = ChargerMessage
        fields = ["id", "charge_point", "at", "direction", "kind", "action", "unique_id", "frame", "size"]
        read_only_fields = fields


class CallCreatedSerializer(serializers.Serializer[Any]):
    """`id` of the call; its result will be at `url`."""

    id = serializers.IntegerField()
    url = serializers.SerializerMethodField()

    @extend_schema_field(OpenApiTypes.STR)
    def get_url(self, call: Any) -> str:
        return reverse("api:calls-detail", args=[call.pk])
