"""What staff keep: id tokens and charging profiles."""

from typing import Any

from django.db.models import F, QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import mixins
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from chargers.api.base import ApiViewSet, call_deadline
from chargers.api.filters import ChargingProfileFilter, IdTokenFilter
from chargers.api.serializers.lists import (
    CallCreatedSerializer,
    ChargingProfileSerializer,
    IdTokenSerializer,
    SetProfileRequest,
)
from chargers.api.views.charge_points import dispatched
from chargers.choices import ApiScope
from chargers.models import ChargingProfileTemplate, IdToken
from chargers.models.profile_template import FIRST_WIRE_ID
from chargers.services import profile_templates
from infrastructure.models import Charger
from infrastructure.services import masterdata


class KeptViewSet(
    mixins.ListModelMixin,
    mixins.CreateModelMixin,
    mixins.RetrieveModelMixin,
    mixins.UpdateModelMixin,
    mixins.DestroyModelMixin,
    ApiViewSet,
):
    """Rows that programs create, change (PATCH) and delete."""

    http_method_names = ["get", "post", "patch", "delete"]

    def perform_destroy(self, instance: Any) -> None:
        masterdata.delete(instance)


class IdTokenViewSet(KeptViewSet):
    """Cards of an operator's own staff and fleet: they charge at its chargers without a bill."""

    queryset = IdToken.objects.order_by("id_tag", "pk")
    serializer_class = IdTokenSerializer
    filterset_class = IdTokenFilter
    lookup_value_regex = r"[0-9]{1,18}"
    read_scope = ApiScope.ID_TOKENS_READ
    write_scope = ApiScope.ID_TOKENS_WRITE

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "now": timezone.now()}


class ChargingProfileViewSet(KeptViewSet):
    """Charging profiles to set at chargers. Their ids are those at the chargers."""

    queryset = ChargingProfileTemplate.objects.annotate(wire=F("pk") + FIRST_WIRE_ID).order_by("pk")
    serializer_class = ChargingProfileSerializer
    filterset_class = ChargingProfileFilter
    lookup_field = "wire"
    lookup_url_kwarg = "id"
    lookup_value_regex = r"[0-9]{1,18}"
    read_scope = ApiScope.CHARGING_PROFILES_READ
    write_scope = ApiScope.CHARGING_PROFILES_WRITE
    scopes = {"set_at_charger": ApiScope.COMMANDS_SEND}

    @extend_schema(request=SetProfileRequest, responses={202: CallCreatedSerializer})
    @action(detail=True, methods=["post"], url_path="set", filterset_class=None)
    def set_at_charger(self, request: Request, id: str) -> Response:
        """Sets the profile at a charger (SetChargingProfile), in the words of its OCPP version."""
        template: ChargingProfileTemplate = self.get_object()
        given = SetProfileRequest(data=request.data)
        given.is_valid(raise_exception=True)
        # The profile's own operator: a token of several must not carry it to another's chargers.
        there = self._chargers(template).filter(identity=given.validated_data["charge_point"]).first()
        if there is None:
            raise ValidationError({"charge_point": ["The profile's operator has no charge point of this identity."]})
        evse = given.validated_data["evse"]
        return dispatched(lambda: profile_templates.request_setting(template, there, evse, call_deadline()))

    def _chargers(self, template: ChargingProfileTemplate) -> QuerySet[Charger]:
        return Charger.objects.filter(location__operator=template.operator_id)
