"""What staff ask of a charger: chosen, explained, confirmed, and the answer watched on the call's page."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action

from chargers.admin_actions import Pages, reason_of
from chargers.admin_operation_forms import (
    AvailabilityForm,
    CertificateForm,
    ChangeVariableForm,
    ClearMessageForm,
    ConfigurationForm,
    CustomerForm,
    FirmwareForm,
    LogForm,
    MonitorForm,
    OperationForm,
    RequestForm,
    ResetForm,
    SecurityForm,
    ShowMessageForm,
    StartForm,
    TriggerForm,
    VariableForm,
)
from chargers.choices import CallState, OcppVersion
from chargers.models import ChargerConnection, ChargerVariable, OutgoingCall
from chargers.services import commands, connection_security, operations
from infrastructure.models import Charger, Connector

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise as StrPromise

Json = dict[str, Any]


def _start(charger: Charger, values: Json) -> OutgoingCall:
    """A session without partner and tariff."""
    connector: Connector = values["connector"]
    return commands.request_start(
        commands.StartRequest(
            connector=connector,
            peer_id="",
            country_code="",
            party_id="",
            authorization_reference=f"STAFF-{secrets.token_hex(6).upper()}",
            cdr_token=None,
            tariff_version=None,
            limit=None,
            place={},
            expires_at=timezone.now() + settings.COMMAND_TIMEOUT,
        )
    )


def _change_configuration(charger: Charger, values: Json) -> OutgoingCall:
    return operations.request(charger, "ChangeConfiguration", {"key": values["key"], "value": values["value"]})


# In the order of need; what a driver on the phone waits for comes first.
GROUPS: Mapping[str, "StrPromise"] = {
    "driver": _("With a driver on the phone"),
    "availability": _("Availability and status"),
    "configuration": _("Configuration"),
    "diagnostics": _("Diagnostics and firmware"),
    "certificates": _("Certificates"),
    "cards": _("Cards and customers"),
    "display": _("Display"),
    "any": _("Everything else"),
}


@dataclass(frozen=True, slots=True)
class Operation:
    """`perform` None: `operations.request_operation` builds the request of the charger's OCPP version."""

    group: str
    title: "StrPromise"
    explanation: "StrPromise"
    icon: str
    form: type[OperationForm] = OperationForm
    is_danger: bool = False
    perform: Callable[[Charger, Json], OutgoingCall] | None = None
    versions: frozenset[OcppVersion] = frozenset(OcppVersion)


ONLY_16 = frozenset({OcppVersion.V16})
ONLY_201 = frozenset({OcppVersion.V201})

OPERATIONS: Mapping[str, Operation] = {
    "reset": Operation(
        "driver",
        _("Restart"),
        _("Running sessions end and are billed up to then."),
        "restart_alt",
        ResetForm,
        is_danger=True,
    ),
    "start": Operation(
        "driver",
        _("Start charging"),
        _("The charger waits for the cable and charges without a partner: nobody pays for it."),
        "play_circle",
        StartForm,
        perform=_start,
    ),
    "availability": Operation(
        "availability",
        _("Take in or out of service"),
        _("Out of service nobody can charge there. While a car charges, it counts from the end of its session."),
        "power_settings_new",
        AvailabilityForm,
        is_danger=True,
    ),
    "trigger": Operation(
        "availability",
        _("Ask to tell again"),
        _("The charger sends a message that we may have missed."),
        "sync",
        TriggerForm,
    ),
    "read-configuration": Operation(
        "configuration",
        _("Read configuration"),
        _("What it answers is listed under Configuration."),
        "tune",
        ConfigurationForm,
    ),
    "change-configuration": Operation(
        "configuration",
        _("Change configuration"),
        _("Sets one key, also one that the charger has not told of. Those that were read are changed from their list."),
        "edit",
        VariableForm,
        perform=_change_configuration,
        versions=ONLY_16,
    ),
    "clear-cache": Operation(
        "cards",
        _("Forget known cards"),
        _("The charger asks us again for each card that it has remembered."),
        "delete_sweep",
    ),
    "update-firmware": Operation(
        "diagnostics",
        _("Update firmware"),
        _("The charger fetches the file and installs it. How far it is stands among its events."),
        "system_update_alt",
        FirmwareForm,
        is_danger=True,
    ),
    "diagnostics": Operation(
        "diagnostics",
        _("Upload diagnostics"),
        _("How far the upload is stands among the charger's events."),
        "upload_file",
        LogForm,
    ),
    "security-log": Operation(
        "diagnostics",
        _("Upload security log"),
        _("How far the upload is stands among the charger's events."),
        "policy",
        LogForm,
    ),
    "certificate": Operation(
        "certificates",
        _("Send a signed certificate"),
        _("The answer to a charger that asked for a certificate."),
        "workspace_premium",
        CertificateForm,
    ),
    "renew-certificate": Operation(
        "certificates",
        _("Renew its certificate"),
        _("The charger makes a new key and asks for a certificate: ours is sent at once, else its request waits here."),
        "autorenew",
    ),
    "read-certificates": Operation(
        "certificates",
        _("Read its certificates"),
        _("Which authorities it trusts. Until when they are valid is known of those that came from here."),
        "verified",
    ),
    "read-monitors": Operation(
        "configuration",
        _("Read what it watches"),
        _("What it answers is listed on its page. To watch something new, open it in the configuration."),
        "monitor_heart",
        versions=ONLY_201,
    ),
    "show-message": Operation(
        "display",
        _("Show a message"),
        _("The text appears on the charger's display."),
        "chat",
        ShowMessageForm,
        versions=ONLY_201,
    ),
    "read-messages": Operation(
        "display", _("Read its messages"), _("What it shows is listed on its page."), "forum", versions=ONLY_201
    ),
    "clear-message": Operation(
        "display",
        _("Take a message away"),
        _("The text leaves the charger's display. Its number stands on the page of its connection."),
        "speaker_notes_off",
        ClearMessageForm,
        versions=ONLY_201,
    ),
    "customer-information": Operation(
        "cards",
        _("Ask what it knows of a customer"),
        _("What it answers stands among its events. It may be asked to forget it."),
        "person_search",
        CustomerForm,
        versions=ONLY_201,
    ),
    "request": Operation(
        "any",
        _("Any OCPP request"),
        _("For everything else that OCPP knows. It is sent as you write it."),
        "code",
        RequestForm,
        is_danger=True,
        perform=lambda charger, values: operations.request(charger, values["action"], values["payload"]),
    ),
}


class OperateActions(Pages):
    """Everything that can be asked of a charger, one page each; the panel "Operate" leads to them."""

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        actions: list[Any] = super().get_actions_detail(request, object_id)  # type: ignore[misc]
        return [one for one in actions if not one.action_name.endswith(("_operate", "_unlock"))]

    @action(description=_("Operate"), url_path="operate", icon="settings_remote", permissions=["operate"])
    def operate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        connection: ChargerConnection = self._object(request, object_id)
        name = request.GET.get("do", "")
        if not name:
            return HttpResponseRedirect(reverse("admin:chargers_chargerconnection_change", args=[connection.pk]))
        operation = offered(connection).get(name)
        if operation is None:
            raise Http404
        return self._operate(request, connection, name, operation)

    def _operate(
        self, request: HttpRequest, connection: ChargerConnection, name: str, operation: Operation
    ) -> HttpResponse:
        charger = connection.charger
        data = request.POST if request.method == "POST" else None
        form = operation.form(charger, data, initial=dict(request.GET.items()))
        # A form without fields is confirmed by sending it.
        if data is not None and form.is_valid():
            perform = operation.perform or (lambda one, values: operations.request_operation(one, name, values))
            return _watch(request, perform(charger, form.cleaned_data))
        explanation = [operation.explanation]
        if not connection.is_online:
            explanation.append(_("The charger is offline: it gets this only if it comes back at once."))
        context = {
            "title": f"{charger}: {operation.title}",
            "explanation": " ".join(map(str, explanation)),
            "form": form,
            "is_danger": operation.is_danger,
            "back_url": _page_of(charger),
        }
        return self._page(request, connection, str(operation.title), "chargers/confirm.html", context)

    @action(description=_("Security"), url_path="security", icon="shield", permissions=["operate"])
    def security(self, request: HttpRequest, object_id: str) -> HttpResponse:
        connection: ChargerConnection = self._object(request, object_id)
        now = {"security_profile": connection.security_profile, "certificate_name": connection.certificate_name}
        form = SecurityForm(request.POST if request.method == "POST" else None, initial=now)
        if form.is_valid() and _secured(connection, form):
            messages.success(
                request,
                _("%(charger)s has to show this from its next connection on.") % {"charger": connection.charger},
            )
            return HttpResponseRedirect(reverse("admin:chargers_chargerconnection_change", args=[connection.pk]))
        context = {
            "title": f"{connection.charger}: {gettext('Security')}",
            "explanation": gettext("A charger that does not show as much is refused."),
            "form": form,
        }
        return self._page(request, connection, gettext("Security"), "chargers/confirm.html", context)


def _secured(connection: ChargerConnection, form: SecurityForm) -> bool:
    try:
        connection_security.set_profile(connection, **form.cleaned_data)
    except ValidationError as error:
        form.add_error("certificate_name", error)
    return form.is_valid()


def offered(connection: ChargerConnection) -> dict[str, Operation]:
    version = OcppVersion.V201 if connection.protocol == OcppVersion.V201 else OcppVersion.V16
    return {name: operation for name, operation in OPERATIONS.items() if version in operation.versions}


def _page_of(charger: Charger) -> str:
    return reverse("admin:infrastructure_charger_change", args=[charger.pk])


def _watch(request: HttpRequest, call: OutgoingCall) -> HttpResponse:
    """The call's page shows the answer as soon as it is there."""
    if call.state == CallState.DONE:
        messages.error(
            request, _("%(charger)s was not asked: %(call)s") % {"charger": call.charger, "call": reason_of(call)}
        )
    return HttpResponseRedirect(reverse("admin:chargers_outgoingcall_change", args=[call.pk]))


class VariableActions(Pages):
    """A new value for what a charger has told."""

    actions_detail = ["change_value", "watch_value"]
    actions_row = ["change_value"]

    def has_operate_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("chargers.change_chargerconnection")

    @action(description=_("Change value"), url_path="change-value", icon="edit", permissions=["operate"])
    def change_value(self, request: HttpRequest, object_id: str) -> HttpResponse:
        variable: ChargerVariable = self._object(request, object_id)
        form = ChangeVariableForm(request.POST if request.method == "POST" else None, initial={"value": variable.value})
        if form.is_valid():
            return _watch(request, operations.request_change(variable, form.cleaned_data["value"]))
        explanation = gettext(
            "%(charger)s is asked to set %(variable)s. It says itself if it does not take the value."
        ) % {"charger": variable.charger, "variable": variable.name}
        if variable.is_readonly:
            explanation = f"{explanation} {gettext('It has told that this is read only.')}"
        context = {"explanation": explanation, "form": form}
        return self._page(request, variable, gettext("Change value"), "chargers/confirm.html", context)

    @action(description=_("Watch"), url_path="watch", icon="monitor_heart", permissions=["operate"])
    def watch_value(self, request: HttpRequest, object_id: str) -> HttpResponse:
        variable: ChargerVariable = self._object(request, object_id)
        if not variable.component:  # OCPP 1.6 watches nothing
            raise Http404
        form = MonitorForm(request.POST if request.method == "POST" else None)
        if form.is_valid():
            return _watch(request, operations.request_monitor(variable, **form.cleaned_data))
        explanation = gettext(
            "%(charger)s watches %(variable)s by itself and tells us. What it tells stands among its events."
        ) % {"charger": variable.charger, "variable": variable.name}
        context = {"explanation": explanation, "form": form}
        return self._page(request, variable, gettext("Watch"), "chargers/confirm.html", context)
