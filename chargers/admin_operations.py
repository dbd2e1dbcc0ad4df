"""What staff ask of a charger: chosen, explained, confirmed, and the answer watched on the call's page."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from unfold.decorators import action

from chargers.admin_actions import Pages, reason_of
from chargers.admin_operation_forms import (
    AvailabilityForm,
    CertificateForm,
    ChangeVariableForm,
    ConfigurationForm,
    FirmwareForm,
    LogForm,
    OperationForm,
    RequestForm,
    ResetForm,
    SecurityForm,
    StartForm,
    TriggerForm,
    VariableForm,
)
from chargers.choices import CallState, OcppVersion
from chargers.models import ChargerConnection, ChargerVariable, OutgoingCall
from chargers.services import commands, connection_security, operations
from infrastructure.models import Charger, Connector

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


@dataclass(frozen=True, slots=True)
class Operation:
    """`perform` None: `operations.request_operation` builds the request of the charger's OCPP version."""

    title: str
    explanation: str
    icon: str
    form: type[OperationForm] = OperationForm
    is_danger: bool = False
    perform: Callable[[Charger, Json], OutgoingCall] | None = None
    versions: frozenset[OcppVersion] = frozenset(OcppVersion)


ONLY_16 = frozenset({OcppVersion.V16})

OPERATIONS: Mapping[str, Operation] = {
    "start": Operation(
        "Start charging",
        "The charger waits for the cable and charges without a partner: nobody pays for it.",
        "play_circle",
        StartForm,
        perform=_start,
    ),
    "reset": Operation(
        "Restart", "Running sessions end and are billed up to then.", "restart_alt", ResetForm, is_danger=True
    ),
    "availability": Operation(
        "Take in or out of service",
        "Out of service nobody can charge there. While a car charges, it counts from the end of its session.",
        "power_settings_new",
        AvailabilityForm,
        is_danger=True,
    ),
    "trigger": Operation(
        "Ask to tell again", "The charger sends a message that we may have missed.", "sync", TriggerForm
    ),
    "read-configuration": Operation(
        "Read configuration", "What it answers is listed under Configuration.", "tune", ConfigurationForm
    ),
    "change-configuration": Operation(
        "Change configuration",
        "Sets one key, also one that the charger has not told of. Those that were read are changed from their list.",
        "edit",
        VariableForm,
        perform=_change_configuration,
        versions=ONLY_16,
    ),
    "clear-cache": Operation(
        "Forget known cards", "The charger asks us again for each card that it has remembered.", "delete_sweep"
    ),
    "update-firmware": Operation(
        "Update firmware",
        "The charger fetches the file and installs it. How far it is stands among its events.",
        "system_update_alt",
        FirmwareForm,
        is_danger=True,
    ),
    "diagnostics": Operation(
        "Upload diagnostics", "How far the upload is stands among the charger's events.", "upload_file", LogForm
    ),
    "security-log": Operation(
        "Upload security log", "How far the upload is stands among the charger's events.", "policy", LogForm
    ),
    "certificate": Operation(
        "Send a signed certificate",
        "The answer to a charger that asked for a certificate.",
        "workspace_premium",
        CertificateForm,
    ),
    "request": Operation(
        "Any OCPP request",
        "For everything else that OCPP knows. It is sent as you write it.",
        "code",
        RequestForm,
        is_danger=True,
        perform=lambda charger, values: operations.request(charger, values["action"], values["payload"]),
    ),
}


class OperateActions(Pages):
    """Everything that can be asked of a charger, on the page of its connection."""

    @action(description="Operate", url_path="operate", icon="settings_remote", permissions=["operate"])
    def operate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        connection: ChargerConnection = self._object(request, object_id)
        name = request.GET.get("do", "")
        if not name:
            return self._choose(request, connection)
        operation = offered(connection).get(name)
        if operation is None:
            raise Http404
        return self._operate(request, connection, name, operation)

    def _choose(self, request: HttpRequest, connection: ChargerConnection) -> HttpResponse:
        context = {
            "title": f"{connection.charger}: Operate",
            "operations": offered(connection),
            "is_online": connection.is_online,
            "back_url": _page_of(connection.charger),
        }
        return TemplateResponse(request, "chargers/operate.html", {**self.admin_site.each_context(request), **context})

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
        note = "" if connection.is_online else " The charger is offline: it gets this only if it comes back at once."
        context = {
            "title": f"{charger}: {operation.title}",
            "explanation": operation.explanation + note,
            "form": form,
            "is_danger": operation.is_danger,
            "back_url": _page_of(charger),
        }
        return self._page(request, connection, operation.title, "chargers/confirm.html", context)

    @action(description="Security", url_path="security", icon="shield", permissions=["operate"])
    def security(self, request: HttpRequest, object_id: str) -> HttpResponse:
        connection: ChargerConnection = self._object(request, object_id)
        now = {"security_profile": connection.security_profile, "certificate_name": connection.certificate_name}
        form = SecurityForm(request.POST if request.method == "POST" else None, initial=now)
        if form.is_valid():
            connection_security.set_profile(connection, **form.cleaned_data)
            messages.success(request, f"{connection.charger} has to show this from its next connection on.")
            return HttpResponseRedirect(reverse("admin:chargers_chargerconnection_change", args=[connection.pk]))
        context = {
            "title": f"{connection.charger}: Security",
            "explanation": "A charger that does not show as much is refused.",
            "form": form,
        }
        return self._page(request, connection, "Security", "chargers/confirm.html", context)


def offered(connection: ChargerConnection) -> dict[str, Operation]:
    version = OcppVersion.V201 if connection.protocol == OcppVersion.V201 else OcppVersion.V16
    return {name: operation for name, operation in OPERATIONS.items() if version in operation.versions}


def _page_of(charger: Charger) -> str:
    return reverse("admin:infrastructure_charger_change", args=[charger.pk])


def _watch(request: HttpRequest, call: OutgoingCall) -> HttpResponse:
    """The call's page shows the answer as soon as it is there."""
    if call.state == CallState.DONE:
        messages.error(request, f"{call.charger} was not asked: {reason_of(call)}")
    return HttpResponseRedirect(reverse("admin:chargers_outgoingcall_change", args=[call.pk]))


class VariableActions(Pages):
    """A new value for what a charger has told."""

    actions_detail = ["change_value"]
    actions_row = ["change_value"]

    def has_operate_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("chargers.change_chargerconnection")

    @action(description="Change value", url_path="change-value", icon="edit", permissions=["operate"])
    def change_value(self, request: HttpRequest, object_id: str) -> HttpResponse:
        variable: ChargerVariable = self._object(request, object_id)
        form = ChangeVariableForm(request.POST if request.method == "POST" else None, initial={"value": variable.value})
        if form.is_valid():
            return _watch(request, operations.request_change(variable, form.cleaned_data["value"]))
        explanation = (
            f"{variable.charger} is asked to set {variable.name}. It says itself if it does not take the value."
        )
        if variable.is_readonly:
            explanation += " It has told that this is read only."
        context = {"explanation": explanation, "form": form}
        return self._page(request, variable, "Change value", "chargers/confirm.html", context)
