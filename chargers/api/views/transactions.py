"""What was charged, what is reserved, and what was said."""

from typing import Any

from django.db.models import F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import mixins
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from chargers.api.base import ApiViewSet, Conflict, LogPages, call_deadline
from chargers.api.filters import MessageFilter, ReservationFilter, TransactionFilter
from chargers.api.serializers.lists import CallCreatedSerializer, MessageSerializer
from chargers.api.serializers.transactions import (
    CloseRequest,
    ReservationCallSerializer,
    ReservationRequest,
    ReservationSerializer,
    TransactionDetailSerializer,
    TransactionSerializer,
)
from chargers.api.views.charge_points import dispatched
from chargers.choices import ApiScope, IdTokenType
from chargers.models import ChargerMessage, ChargingSession, OutgoingCall, Reservation
from chargers.services import api_tokens, own_reservations, sessions
from chargers.services.reserving import NotHeld
from infrastructure.models import Charger


class TransactionViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, ApiViewSet):
    """Charging sessions that have begun, newest first."""

    queryset = ChargingSession.objects.exclude(started_at=None).select_related("connector__evse")
    serializer_class = TransactionSerializer
    filterset_class = TransactionFilter
    lookup_field = "uid"
    lookup_url_kwarg = "ref"
    lookup_value_regex = r"[0-9A-Za-z-]{1,36}"
    read_scope = ApiScope.TRANSACTIONS_READ
    scopes = {"close": ApiScope.TRANSACTIONS_CLOSE}

    def get_queryset(self) -> QuerySet[Any]:
        calls = OutgoingCall.objects.filter(session=OuterRef("pk"))
        asked = Subquery(calls.values("charger__identity")[:1])
        named = Coalesce(F("connector__evse__charger__identity"), asked)
        return super().get_queryset().annotate(charge_point=named).order_by("-started_at", "-pk")

    def scoped(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Also those at an outlet that is not configured: the call that stops them knows the charger."""
        if getattr(self, "swagger_fake_view", False):
            return queryset.none()
        operators = api_tokens.operators_of(self.token)
        calls = OutgoingCall.objects.filter(charger__location__operator__in=operators).exclude(session=None)
        here = Q(connector__evse__charger__location__operator__in=operators)
        return queryset.filter(here | Q(connector=None, pk__in=calls.values("session")))

    def get_serializer_class(self) -> Any:
        return TransactionSerializer if self.action == "list" else TransactionDetailSerializer

    @extend_schema(request=CloseRequest, responses=TransactionDetailSerializer)
    @action(detail=True, methods=["post"], filterset_class=None)
    def close(self, request: Request, ref: str) -> Response:
        """Ends a transaction whose charger never will: with its last reading, and billed up to then.

        409 when it is closed already, or (without `force`) while its charger is online and reports charging.
        """
        session = self.get_object()
        given = CloseRequest(data=request.data)
        given.is_valid(raise_exception=True)
        try:
            sessions.close_stale(session.pk, although_charging=given.validated_data["force"])
        except sessions.NotStale as error:
            raise Conflict(str(error)) from error
        return Response(self.get_serializer(self.get_object()).data)


class ReservationViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, ApiViewSet):
    """Reservations for partners' drivers and for cards of the operators' own, and what became of them."""

    queryset = Reservation.objects.select_related("charger", "session").order_by("-pk")
    serializer_class = ReservationSerializer
    filterset_class = ReservationFilter
    lookup_value_regex = r"[0-9]{1,18}"
    read_scope = ApiScope.RESERVATIONS_READ
    write_scope = ApiScope.RESERVATIONS_WRITE

    @extend_schema(request=ReservationRequest, responses={202: ReservationCallSerializer})
    def create(self, request: Request) -> Response:
        """Asks the charger to keep an EVSE for a card (ReserveNow), also one that is not configured here.

        202 as soon as it is dispatched: `state` of the reservation says what the charger answered.
        """
        given = ReservationRequest(data=request.data)
        given.is_valid(raise_exception=True)
        data = given.validated_data
        charger = self.scoped(Charger.objects.select_related("location__operator__site")).filter(
            identity=data["charge_point"]
        )
        wanted = own_reservations.OwnReservation(
            charger=_one(charger.first()),
            evse_number=data["evse"],
            id_tag=data["id_tag"],
            id_tag_type=IdTokenType(data["type"]),
            parent_id_tag=data["parent_id_tag"],
            reserve_until=data["expires_at"],
            reservation_id=data["reservation_id"],
            connector_type=data["connector_type"],
        )
        return dispatched(lambda: own_reservations.reserve(wanted, call_deadline()), ReservationCallSerializer)

    @extend_schema(request=None, responses={202: CallCreatedSerializer})
    @action(detail=True, methods=["post"], filterset_class=None)
    def cancel(self, request: Request, pk: str) -> Response:
        """Takes it back: nothing is billed, its partner is told, and the charger forgets it (CancelReservation).

        409 when it is over, its charger has not answered yet, or is offline.
        """
        reservation = self.get_object()
        try:
            return dispatched(lambda: own_reservations.cancel(reservation))
        except NotHeld:
            text = _("It is %(state)s: only an accepted reservation can be cancelled.")
            raise Conflict(text % {"state": reservation.state}) from None


def _one(charger: Charger | None) -> Charger:
    if charger is None:
        raise ValidationError({"charge_point": [_("There is no charge point of this identity.")]})
    return charger


class MessageViewSet(mixins.ListModelMixin, ApiViewSet):
    """Frames from and to chargers, newest first, as long as the log is kept."""

    queryset = ChargerMessage.objects.select_related("charger")
    serializer_class = MessageSerializer
    filterset_class = MessageFilter
    pagination_class = LogPages
    read_scope = ApiScope.MESSAGES_READ
