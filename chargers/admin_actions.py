"""What staff do to chargers and sessions from their pages. A GET only asks: links may be followed by machines."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action
from unfold.widgets import UnfoldAdminTextInputWidget

from chargers.choices import CallAction, CallResult, CallState, SessionStatus, StopReason
from chargers.models import ChargerConnection, ChargingSession, OutgoingCall
from chargers.services import commands, lifecycle
from chargers.services.charge_points import ocpp_address
from infrastructure.bulk_actions import bulk_action
from infrastructure.models import Charger
from infrastructure.sentences import said

STATUS_COLOURS = {
    SessionStatus.PENDING: "info",
    SessionStatus.RESERVATION: "info",
    SessionStatus.ACTIVE: "success",
    SessionStatus.COMPLETED: "default",
    SessionStatus.INVALID: "danger",
}
RUNNING = (SessionStatus.PENDING, SessionStatus.ACTIVE)


def reason_of(call: OutgoingCall) -> str:
    """Why a call ended as it did, in our words or the charger's."""
    answer = call.answer or {}
    return said(str(answer.get("reason") or answer.get("description") or answer.get("status") or ""))


def why_not_started(session: ChargingSession) -> str:
    """Why nothing was charged, of a session that is INVALID."""
    starts = [c for c in session.calls.all() if c.action in (CallAction.START_TRANSACTION, CallAction.RESERVE_NOW)]
    if not starts:
        return gettext("The charger was not asked.")
    call = max(starts, key=lambda call: call.pk)
    if call.result == CallResult.ACCEPTED:
        return gettext("The charger accepted, but no car was plugged in before the session was given up.")
    return reason_of(call) or str(call.get_result_display() or call.get_state_display())


def stop_state(session: ChargingSession) -> tuple[str, datetime] | None:
    """What became of the newest request to stop a session that still runs, in words, and when it was asked."""
    stops = [call for call in session.calls.all() if call.action == CallAction.STOP_TRANSACTION]
    if not stops or session.status != SessionStatus.ACTIVE:
        return None
    call = max(stops, key=lambda call: call.pk)
    if call.state != CallState.DONE:
        return gettext("The charger is asked to stop and has not answered yet."), call.created_at
    if call.result == CallResult.ACCEPTED:
        return gettext("The charger agreed to stop but has not said that it is over."), call.created_at
    text = gettext("The charger did not stop: %(reason)s Unlocking the connector ends the session at most chargers.")
    reason = reason_of(call) or f"{call.get_result_display()}."
    return text % {"reason": reason}, call.created_at


class Pages:
    """What the mixins need of the model's admin."""

    admin_site: Any
    get_object: Callable[..., Any]

    def _object(self, request: HttpRequest, object_id: str) -> Any:
        obj = self.get_object(request, object_id)
        if obj is None:
            raise Http404
        return obj

    def _page(
        self, request: HttpRequest, obj: Model, title: str, template: str, context: dict[str, Any]
    ) -> HttpResponse:
        name = f"admin:{obj._meta.app_label}_{obj._meta.model_name}_change"
        shared = {"title": f"{obj}: {title}", "button": title, "back_url": reverse(name, args=[obj.pk])}
        return TemplateResponse(request, template, {**self.admin_site.each_context(request), **shared, **context})


class StopActions(Pages):
    """Stopping a session, from the list and from its own page."""

    actions = ["stop_charging"]
    actions_detail = ["stop_now"]

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Read once for the page and for each of its buttons; what is done to it reads it anew."""
        if request.method != "GET":
            return super().get_object(request, object_id, from_field)
        read: dict[str, Any] = request.__dict__.setdefault("_session_read", {})
        if object_id not in read:
            read[object_id] = super().get_object(request, object_id, from_field)
        return read[object_id]

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        actions: list[Any] = super().get_actions_detail(request, object_id)  # type: ignore[misc]
        session = self.get_object(request, object_id)
        is_running = session is not None and session.status in RUNNING
        return [one for one in actions if is_running or not one.action_name.endswith("_stop_now")]

    def has_operate_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("chargers.change_chargingsession")

    @bulk_action(
        description=_("Stop charging"),
        permission="operate",
        explanation=_(
            "Chargers end the transactions, drivers can unplug, and each session is billed up to then. Where no car "
            "has been plugged in yet, the session is given up and nothing is billed."
        ),
        is_danger=True,
    )
    def stop_charging(self, request: HttpRequest, session: ChargingSession) -> None:
        if session.status not in RUNNING:
            raise ValidationError(_("It is not running."))
        _stop(session)

    @action(description=_("Stop charging"), url_path="stop", icon="stop_circle", permissions=["operate"])
    def stop_now(self, request: HttpRequest, object_id: str) -> HttpResponse:
        session: ChargingSession = self._object(request, object_id)
        page = HttpResponseRedirect(reverse("admin:chargers_chargingsession_change", args=[session.pk]))
        if session.status not in RUNNING:
            messages.info(request, _already_over(session))
            return page
        if request.method == "POST":
            try:
                messages.success(request, _stop(session))
            except ValidationError as error:
                messages.error(request, " ".join(error.messages))
            return page
        explanation = (
            gettext("The charger ends the transaction, the driver can unplug, and the session is billed up to then.")
            if session.status == SessionStatus.ACTIVE
            else gettext("The car has not been plugged in. The session is given up and nothing is billed.")
        )
        return self._page(
            request,
            session,
            gettext("Stop charging"),
            "chargers/confirm.html",
            {"explanation": explanation, "is_danger": True},
        )


def _already_over(session: ChargingSession) -> str:
    return gettext("Session %(session)s is over already: there is nothing to stop.") % {"session": session}


def _stop(session: ChargingSession) -> str:
    """What is done now, in words. Raises ValidationError with the reason why it cannot be stopped."""
    asked_before = session.calls.filter(action=CallAction.STOP_TRANSACTION).exclude(state=CallState.DONE).exists()
    try:
        call = commands.request_stop(session, StopReason.STAFF, timezone.now() + settings.COMMAND_TIMEOUT)
    except ChargingSession.DoesNotExist as error:
        text = gettext("Session %(session)s cannot be stopped: %(error)s")
        raise ValidationError(text % {"session": session, "error": error}) from error
    if call.state != CallState.DONE:
        text = (
            gettext("%(identity)s has already been asked to stop session %(session)s, and has not answered yet.")
            if asked_before
            else gettext("%(identity)s is asked to stop session %(session)s.")
        )
        return text % {"identity": call.charger.identity, "session": session}
    if call.result == CallResult.ACCEPTED:
        session.refresh_from_db(fields=["status"])
        if session.status != SessionStatus.INVALID:
            return _already_over(session)
        return gettext("Session %(session)s is given up: its car had not been plugged in.") % {"session": session}
    text = gettext("Session %(session)s runs on: %(call)s")
    raise ValidationError(text % {"session": session, "call": reason_of(call)})


class PasswordForm(forms.Form):
    password = forms.CharField(
        required=False,
        min_length=16,
        max_length=40,
        validators=[RegexValidator(r"^[\x21-\x7e]*$", _("Use letters, digits and signs of ASCII, without spaces."))],
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off", "spellcheck": "false"}),
        label=_("Your own password"),
        help_text=_("16 to 40 printable characters without spaces. Empty: we make one."),
    )


class PasswordActions(Pages):
    """A new password of a charger: explained, asked for, shown once."""

    actions_detail = ["new_password"]
    actions_row = ["new_password"]

    def has_operate_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("chargers.change_chargerconnection")

    @action(description=_("Set a new password"), url_path="password", icon="key", permissions=["operate"])
    def new_password(self, request: HttpRequest, object_id: str) -> HttpResponse:
        connection: ChargerConnection = self._object(request, object_id)
        form = PasswordForm(request.POST if request.method == "POST" else None)
        context: dict[str, Any] = {"form": form, "connection": connection, "charger": connection.charger}
        title = gettext("Set a new password")
        context["title"] = f"{connection.charger}: {title}"
        if form.is_valid():
            context["password"] = _renew(connection.charger, form.cleaned_data["password"])
            context["address"] = ocpp_address(connection.charger)
        answer = self._page(request, connection, title, "chargers/password.html", context)
        answer["Cache-Control"] = "no-store"
        return answer


def _renew(charger: Charger, own: str) -> str:
    if not own:
        return lifecycle.renew_password(charger)
    lifecycle.set_password(charger, own)
    return own
