"""Reservations, and the connector that a driver's cable is stuck in."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action
from unfold.widgets import UnfoldAdminSelectWidget

from chargers.admin_actions import Pages, reason_of
from chargers.choices import CallState, ReservationState
from chargers.models import ChargerConnection, Reservation
from chargers.services import commands, reserving
from infrastructure.admin_base import ReadOnlyAdmin
from infrastructure.admin_display import display, link
from infrastructure.bulk_actions import bulk_action
from infrastructure.models import EVSE, Charger

STATE_COLOURS: dict[str, str] = {
    ReservationState.PENDING: "info",
    ReservationState.ACCEPTED: "success",
    ReservationState.USED: "default",
    ReservationState.EXPIRED: "warning",
    ReservationState.CANCELLED: "warning",
    ReservationState.REJECTED: "danger",
}


CANCELLED = _(
    "The EVSE is free for everybody again, the driver's partner is told, and nothing is billed for the time "
    "that it was reserved."
)


class CancelActions(Pages):
    """Taking a reservation back, from the list and from its own page."""

    actions = ["cancel_reservations"]
    actions_detail = ["cancel_now"]

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        actions: list[Any] = super().get_actions_detail(request, object_id)  # type: ignore[misc]
        is_open = Reservation.objects.filter(pk=object_id, state=ReservationState.ACCEPTED).exists()
        return [one for one in actions if is_open or not one.action_name.endswith("_cancel_now")]

    def has_operate_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("chargers.change_reservation")

    @bulk_action(description=_("Cancel reservation"), permission="operate", explanation=CANCELLED, is_danger=True)
    def cancel_reservations(self, request: HttpRequest, reservation: Reservation) -> None:
        _cancel(reservation)

    @action(description=_("Cancel reservation"), url_path="cancel", icon="event_busy", permissions=["operate"])
    def cancel_now(self, request: HttpRequest, object_id: str) -> HttpResponse:
        reservation: Reservation = self._object(request, object_id)
        if request.method == "POST":
            try:
                messages.success(request, _cancel(reservation))
            except ValidationError as error:
                messages.error(request, " ".join(error.messages))
            return HttpResponseRedirect(reverse("admin:chargers_reservation_change", args=[reservation.pk]))
        context = {"explanation": CANCELLED, "is_danger": True}
        return self._page(request, reservation, gettext("Cancel reservation"), "chargers/confirm.html", context)


def _cancel(reservation: Reservation) -> str:
    """What is done now, in words. Raises ValidationError where nothing is reserved any more."""
    if reserving.cancel_reservation(reservation):
        text = gettext("Reservation %(reservation)s is cancelled, and its partner is told.")
        return text % {"reservation": reservation}
    named = {"reservation": reservation, "lower": reservation.get_state_display().lower()}
    raise ValidationError(gettext("Reservation %(reservation)s is %(lower)s.") % named)


class ReservationAdmin(CancelActions, ReadOnlyAdmin):
    list_display = ["reservation_id", "state_label", "place", "session_link", "created_at", "expires_at", "ended_at"]
    list_filter = ["state", "created_at"]
    read_with = ["charger__location__operator", "session"]
    search_fields = ["reservation_id", "charger__identity", "session__uid", "session__authorization_reference"]
    search_help_text = _("Partner's reservation id, charger identity, session id or authorization reference")
    date_hierarchy = "created_at"
    fields = [
        "reservation_id",
        "state_label",
        "location",
        "place",
        "session_link",
        "id_tag",
        "number",
        "created_at",
        "expires_at",
        "ended_at",
    ]

    @display(description=_("state"), label=STATE_COLOURS, ordering="state")
    def state_label(self, reservation: Reservation) -> tuple[str, str]:
        return reservation.state, reservation.get_state_display()

    @display(description=_("charger"), ordering="charger__identity")
    def place(self, reservation: Reservation) -> str:
        if reservation.charger is None:
            return gettext("no longer configured")
        return f"{reservation.charger.identity} / {reservation.evse_number or gettext('any')}"

    @display(description=_("session"))
    def session_link(self, reservation: Reservation) -> str:
        return str(link(reservation.session))

    @display(description=_("id tag"))
    def id_tag(self, reservation: Reservation) -> str:
        return reservation.session.id_tag

    @display(description=_("number at the charger"))
    def number(self, reservation: Reservation) -> int:
        return reservation.pk


class UnlockForm(forms.Form):
    evse = forms.ModelChoiceField(
        EVSE.objects.none(), empty_label=None, label=_("EVSE"), widget=UnfoldAdminSelectWidget
    )

    def __init__(self, charger: Charger, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["evse"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = charger.evses.order_by("number")


class UnlockActions(Pages):
    """Letting go of a stuck cable, for whoever talks to the driver."""

    @action(description=_("Unlock connector"), url_path="unlock", icon="lock_open", permissions=["operate"])
    def unlock(self, request: HttpRequest, object_id: str) -> HttpResponse:
        connection: ChargerConnection = self._object(request, object_id)
        data = request.POST if request.method == "POST" else None
        form = UnlockForm(connection.charger, data, initial={"evse": request.GET.get("evse")})
        if form.is_valid():
            evse = form.cleaned_data["evse"]
            _unlock(request, evse)
            # Where the answer is told as soon as it is there.
            return HttpResponseRedirect(reverse("admin:infrastructure_evse_change", args=[evse.pk]))
        explanation = gettext(
            "The charger lets go of the cable. A session that runs there ends and is billed up to then."
        )
        context = {"explanation": explanation, "form": form, "is_danger": True}
        return self._page(request, connection, gettext("Unlock connector"), "chargers/confirm.html", context)


def _unlock(request: HttpRequest, evse: EVSE) -> None:
    call = commands.request_unlock(evse, timezone.now() + settings.COMMAND_TIMEOUT)
    if call.state == CallState.DONE:
        messages.error(request, _("%(evse)s stays locked: %(call)s") % {"evse": evse, "call": reason_of(call)})
    else:
        messages.success(
            request, format_html(gettext("{} is asked to unlock: {}."), evse, link(call, gettext("see its answer")))
        )
