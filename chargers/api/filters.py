"""What lists can be filtered by."""

from datetime import UTC, datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django_filters import BooleanFilter
from django_filters import rest_framework as filters
from django_filters.fields import IsoDateTimeField

from chargers.choices import CallState, ReservationState, SessionStatus
from chargers.models import (
    ChargerMessage,
    ChargingProfileTemplate,
    ChargingSession,
    IdToken,
    OutgoingCall,
    Reservation,
)
from infrastructure.choices import as_choices
from infrastructure.models import Charger, Location

Rows = QuerySet[Any]


class InstantField(IsoDateTimeField):
    """In UTC: PostgreSQL takes no offset beyond 16 hours, and no database an instant before the year 1."""

    def to_python(self, value: Any) -> datetime | None:
        instant: datetime | None = super().to_python(value)
        try:
            return instant.astimezone(UTC) if instant else None
        except OverflowError:
            raise ValidationError("This date is out of range.") from None


class InstantFilter(filters.IsoDateTimeFilter):
    field_class = InstantField


class TruthField(forms.Field):
    """Django's own takes any other word for no word, which here would be everything."""

    def to_python(self, value: Any) -> bool | None:
        truth = {"true": True, "1": True, "false": False, "0": False, "": None}
        try:
            return truth[str(value or "").lower()]
        except KeyError:
            raise ValidationError("Use true or false.") from None


class TruthFilter(BooleanFilter):
    field_class = TruthField


class AreaFilter(filters.FilterSet):
    operator = filters.NumberFilter(min_value=0, max_value=2**62)
    name = filters.CharFilter(lookup_expr="icontains")

    class Meta:
        model = Location
        fields = ["operator", "name"]


class ChargePointFilter(filters.FilterSet):
    identity = filters.CharFilter(lookup_expr="icontains", help_text="Part of the identity.")
    area = filters.NumberFilter(field_name="location", min_value=0, max_value=2**62)
    online = TruthFilter(method="by_online")

    class Meta:
        model = Charger
        fields = ["identity", "area", "online"]

    def by_online(self, rows: Rows, name: str, value: bool) -> Rows:
        offline = Q(connection=None) | Q(connection__channel_name="")
        return rows.exclude(offline) if value else rows.filter(offline)


class CallFilter(filters.FilterSet):
    charge_point = filters.CharFilter(field_name="charger__identity")
    state = filters.ChoiceFilter(choices=as_choices(CallState))
    created_after = InstantFilter(field_name="created_at", lookup_expr="gte")
    created_before = InstantFilter(field_name="created_at", lookup_expr="lt")

    class Meta:
        model = OutgoingCall
        fields = ["charge_point", "state"]


class TransactionFilter(filters.FilterSet):
    charge_point = filters.CharFilter(field_name="charge_point")
    evse = filters.NumberFilter(field_name="connector__evse__number", min_value=0, max_value=2**31 - 1)
    id_tag = filters.CharFilter(lookup_expr="iexact")
    transaction_id = filters.CharFilter(help_text="The OCPP transaction id.")
    open = TruthFilter(method="by_open", help_text="True: running; false: ended.")
    started_after = InstantFilter(field_name="started_at", lookup_expr="gte")
    started_before = InstantFilter(field_name="started_at", lookup_expr="lt")
    ended_after = InstantFilter(field_name="ended_at", lookup_expr="gte")
    ended_before = InstantFilter(field_name="ended_at", lookup_expr="lt")

    class Meta:
        model = ChargingSession
        fields = ["charge_point", "id_tag", "transaction_id", "open"]

    def by_open(self, rows: Rows, name: str, value: bool) -> Rows:
        return rows.filter(status=SessionStatus.ACTIVE) if value else rows.exclude(status=SessionStatus.ACTIVE)


class ReservationFilter(filters.FilterSet):
    charge_point = filters.CharFilter(field_name="charger__identity")
    state = filters.ChoiceFilter(choices=as_choices(ReservationState))
    reservation_id = filters.CharFilter(lookup_expr="iexact", help_text="The partner's id.")

    class Meta:
        model = Reservation
        fields = ["charge_point", "state", "reservation_id"]


class IdTokenFilter(filters.FilterSet):
    id_tag = filters.CharFilter(lookup_expr="iexact")
    parent_id_tag = filters.CharFilter(lookup_expr="iexact")
    is_blocked = TruthFilter()
    expires_after = InstantFilter(field_name="expires_at", lookup_expr="gte")
    expires_before = InstantFilter(field_name="expires_at", lookup_expr="lt")

    class Meta:
        model = IdToken
        fields = ["id_tag", "parent_id_tag", "is_blocked"]


class ChargingProfileFilter(filters.FilterSet):
    description = filters.CharFilter(lookup_expr="icontains")

    class Meta:
        model = ChargingProfileTemplate
        fields = ["description", "ocpp_version"]


class MessageFilter(filters.FilterSet):
    charge_point = filters.CharFilter(field_name="charger__identity")
    action = filters.CharFilter(lookup_expr="iexact")
    unique_id = filters.CharFilter()
    after = InstantFilter(field_name="at", lookup_expr="gte")
    before = InstantFilter(field_name="at", lookup_expr="lt")

    class Meta:
        model = ChargerMessage
        fields = ["charge_point", "direction", "kind", "action", "unique_id"]
