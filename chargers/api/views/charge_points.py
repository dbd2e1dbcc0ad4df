"""Charge points and what is asked of them."""

from collections.abc import Callable
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from chargers.api.base import ApiViewSet, Conflict, call_deadline
from chargers.api.filters import AreaFilter, CallFilter, ChargePointFilter
from chargers.api.serializers.calls import CallSerializer
from chargers.api.serializers.charge_points import (
    AreaSerializer,
    ChargePointSerializer,
    ConnectionSerializer,
    CredentialsRequest,
    CredentialsSerializer,
)
from chargers.api.serializers.lists import (
    CallCreatedSerializer,
    LocalListRequest,
    LocalListSerializer,
)
from chargers.choices import ApiScope
from chargers.models import ChargerConnection, LocalList, OutgoingCall
from chargers.services import lifecycle, local_lists
from chargers.services.charge_points import ocpp_address
from chargers.services.ocpp_requests import ChargerOffline, InvalidRequest, request_command
from infrastructure.models import Charger, Location

IDENTITY = r"[A-Za-z0-9*\-_=:+|@.]{1,48}"


def dispatched(
    request: Callable[[], OutgoingCall], serializer: type[CallCreatedSerializer] = CallCreatedSerializer
) -> Response:
    """202 with the call's id; 400 with the fields, 409 for an offline charger."""
    try:
        call = request()
    except InvalidRequest as error:
        raise ValidationError(error.errors) from error
    except ChargerOffline as error:
        raise Conflict(str(error)) from error
    address = reverse("api:calls-detail", args=[call.pk])
    return Response(serializer(call).data, status=status.HTTP_202_ACCEPTED, headers={"Location": address})


class AreaViewSet(mixins.ListModelMixin, ApiViewSet):
    """Areas with their operators: where new charge points can stand."""

    queryset = Location.objects.select_related("operator").order_by("name", "pk")
    serializer_class = AreaSerializer
    filterset_class = AreaFilter
    read_scope = ApiScope.CHARGE_POINTS_READ


class ChargePointViewSet(mixins.ListModelMixin, mixins.CreateModelMixin, mixins.RetrieveModelMixin, ApiViewSet):
    queryset = Charger.objects.select_related("connection").prefetch_related("evses__connectors").order_by("identity")
    serializer_class = ChargePointSerializer
    filterset_class = ChargePointFilter
    lookup_field = "identity"
    lookup_value_regex = IDENTITY
    read_scope = ApiScope.CHARGE_POINTS_READ
    write_scope = ApiScope.CHARGE_POINTS_WRITE
    scopes = {
        "connection": ApiScope.CHARGE_POINTS_READ,
        "credentials": ApiScope.CREDENTIALS_WRITE,
        "commands": ApiScope.COMMANDS_SEND,
        "local_list": ApiScope.LOCAL_LISTS_READ,
        "set_local_list": ApiScope.LOCAL_LISTS_WRITE,
        "send_local_list": ApiScope.LOCAL_LISTS_WRITE,
    }

    def perform_create(self, serializer: Any) -> None:
        serializer.save()
        # As it is now, with the rows below it.
        serializer.instance = self.get_queryset().get(pk=serializer.instance.pk)

    @extend_schema(responses=ConnectionSerializer)
    @action(detail=True)
    def connection(self, request: Request, identity: str) -> Response:
        """Whether the charger is connected, and what it said of itself."""
        charger = self.charger(identity)
        found = ChargerConnection.objects.filter(charger=charger).first()
        connection = found or ChargerConnection(charger=charger)
        return Response(ConnectionSerializer(connection).data)

    @extend_schema(request=CredentialsRequest, responses=CredentialsSerializer)
    @action(detail=True, methods=["post"], filterset_class=None)
    def credentials(self, request: Request, identity: str) -> Response:
        """Sets a new password, told this one time only. A socket that is open stays open."""
        charger = self.charger(identity)
        given = CredentialsRequest(data=request.data)
        given.is_valid(raise_exception=True)
        password = given.validated_data.get("password")
        if password:
            lifecycle.set_password(charger, password)
        else:
            password = lifecycle.renew_password(charger)
        told = {"identity": charger.identity, "password": password, "ocpp_address": ocpp_address(charger)}
        return Response(told, headers={"Cache-Control": "no-store"})

    @extend_schema(
        request=OpenApiTypes.OBJECT,
        responses={202: CallCreatedSerializer},
        parameters=[
            OpenApiParameter(
                "action", str, OpenApiParameter.PATH, description="An action of the charger's OCPP version."
            )
        ],
        examples=[
            OpenApiExample("RemoteStartTransaction (1.6)", {"connectorId": 1, "idTag": "FLEET-1"}, request_only=True),
            OpenApiExample("Reset (1.6)", {"type": "Soft"}, request_only=True),
        ],
    )
    @action(detail=True, methods=["post"], url_path=r"commands/(?P<action>[A-Za-z0-9]{1,40})", filterset_class=None)
    def commands(self, request: Request, identity: str, action: str) -> Response:
        """Asks the charger. The body is the request's payload as in OCPP; whatever its schema allows goes out.

        202 as soon as it is dispatched: how it ended is at the call. 409 while the charger is offline.
        """
        charger = self.charger(identity)
        return dispatched(lambda: request_command(charger, action, request.data, call_deadline()))

    @extend_schema(responses=LocalListSerializer)
    @action(detail=True, url_path="local-list", filterset_class=None)
    def local_list(self, request: Request, identity: str) -> Response:
        """The tags that the charger should let in while it cannot ask."""
        charger = self.charger(identity)
        found = LocalList.objects.select_related("charger", "call").filter(charger=charger).first()
        return Response(LocalListSerializer(found or LocalList(charger=charger)).data)

    @extend_schema(request=LocalListRequest, responses=LocalListSerializer)
    @local_list.mapping.put
    def set_local_list(self, request: Request, identity: str) -> Response:
        """Replaces the list by its next version. It is not sent yet."""
        charger = self.charger(identity)
        given = LocalListRequest(data=request.data)
        given.is_valid(raise_exception=True)
        changed = local_lists.set_entries(charger, given.validated_data.get("entries"))
        return Response(LocalListSerializer(changed).data)

    @extend_schema(request=None, responses={202: CallCreatedSerializer})
    @action(detail=True, methods=["post"], url_path="local-list/send", filterset_class=None)
    def send_local_list(self, request: Request, identity: str) -> Response:
        """Sends what is new since the list that the charger holds (SendLocalList, Differential); the whole list (Full)
        where that is not known, and by itself when the charger cannot do with the changes."""
        charger = self.charger(identity)
        return dispatched(lambda: local_lists.request_sending(charger, call_deadline()))


class CallViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, ApiViewSet):
    """Requests to chargers and how they ended, whoever asked."""

    queryset = OutgoingCall.objects.select_related("charger", "session").order_by("-pk")
    serializer_class = CallSerializer
    filterset_class = CallFilter
    lookup_value_regex = r"[0-9]{1,18}"
    read_scope = ApiScope.COMMANDS_READ
