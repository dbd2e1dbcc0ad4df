"""The forms of what staff ask of a charger."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext, gettext_lazy
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminSplitDateTimeWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from chargers.choices import IdTokenType, OcppVersion
from chargers.models import ChargerConnection
from chargers.models.connection import PROFILES
from chargers.services import ocpp_requests
from infrastructure.models import Charger, Connector

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise as StrPromise

Json = dict[str, Any]

TRIGGERS = (
    ("StatusNotification", _("Status of its EVSEs")),
    ("BootNotification", _("Maker, model and firmware")),
    ("MeterValues", _("Meter values")),
    ("Heartbeat", _("Heartbeat")),
    ("FirmwareStatusNotification", _("Progress of a firmware update")),
    ("DiagnosticsStatusNotification", _("Progress of an upload of logs")),
)


class OperationForm(forms.Form):
    def __init__(self, charger: Charger, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.charger = charger
        if isinstance(evse := self.fields.get("evse"), forms.TypedChoiceField):
            numbers = [(one.number, str(one)) for one in charger.evses.order_by("number")]
            evse.choices = [(0, gettext("The whole charger")), *numbers]


def _choice(label: "StrPromise", choices: Any, **options: Any) -> forms.TypedChoiceField:
    return forms.TypedChoiceField(label=label, choices=choices, widget=UnfoldAdminSelectWidget, **options)


def _evse() -> forms.TypedChoiceField:
    return _choice(_("Where"), (), coerce=int)


def _moment(label: "StrPromise", help_text: "StrPromise") -> forms.SplitDateTimeField:
    return forms.SplitDateTimeField(
        required=False, label=label, help_text=help_text, widget=UnfoldAdminSplitDateTimeWidget
    )


def _number(label: "StrPromise", help_text: "StrPromise") -> forms.IntegerField:
    return forms.IntegerField(
        required=False, min_value=0, label=label, help_text=help_text, widget=UnfoldAdminIntegerFieldWidget
    )


def _address(help_text: "StrPromise") -> forms.CharField:
    # Any scheme and any host, also one without a dot: the charger must reach it, not we.
    return forms.CharField(max_length=512, label=_("Address"), help_text=help_text, widget=UnfoldAdminTextInputWidget)


class ResetForm(OperationForm):
    is_hard = _choice(
        _("How"),
        [
            ("", _("Softly: sessions are stopped in order, then it restarts")),
            ("1", _("At once: as if its power was cut")),
        ],
        coerce=bool,
        empty_value=False,
        required=False,
    )


class AvailabilityForm(OperationForm):
    evse = _evse()
    is_operative = _choice(
        _("State"),
        [("1", _("In service")), ("", _("Out of service"))],
        coerce=bool,
        empty_value=False,
        required=False,
    )


class TriggerForm(OperationForm):
    message = _choice(_("What it shall tell"), TRIGGERS)
    evse = _evse()


class ConfigurationForm(OperationForm):
    keys = forms.CharField(
        required=False,
        label=_("Keys"),
        help_text=_("Separated by commas, for example HeartbeatInterval; empty: all. OCPP 2.0.1 always reads all."),
        widget=UnfoldAdminTextInputWidget,
    )

    def clean_keys(self) -> list[str]:
        return [key.strip() for key in self.cleaned_data["keys"].split(",") if key.strip()]


class FirmwareForm(OperationForm):
    location = _address(_("Where the charger fetches the firmware, for example https://files.example.com/fw-1.2.bin."))
    at = _moment(_("Not before"), _("Empty: now."))
    retries = _number(_("Retries"), _("Empty: the charger decides."))
    retry_interval = _number(_("Seconds between retries"), _("Empty: the charger decides."))


class LogForm(OperationForm):
    location = _address(_("The folder to which the charger uploads, for example ftp://user:password@files/logs."))
    begin = _moment(_("From"), _("Empty: from the beginning."))
    end = _moment(_("To"), _("Empty: until now."))


class CertificateForm(OperationForm):
    chain = forms.CharField(
        label=_("Certificate chain"),
        help_text=_("PEM: the signed certificate, then those above it. The request stands among the charger's events."),
        widget=UnfoldAdminTextareaWidget,
    )


class ShowMessageForm(OperationForm):
    text = forms.CharField(max_length=512, label=_("Text"), widget=UnfoldAdminTextInputWidget)
    priority = _choice(
        _("How"),
        [
            ("NormalCycle", _("In turn with others")),
            ("InFront", _("In front of others")),
            ("AlwaysFront", _("Always in front, also of the charger's own")),
        ],
    )
    end = _moment(_("Until"), _("Empty: until it is taken away."))


class ClearMessageForm(OperationForm):
    message = forms.IntegerField(label=_("Number of the message"), widget=UnfoldAdminIntegerFieldWidget)


class CustomerForm(OperationForm):
    id_tag = forms.CharField(max_length=36, label=_("Card"), widget=UnfoldAdminTextInputWidget)
    type = _choice(_("Kind"), [(one.value, one.value) for one in IdTokenType], initial=IdTokenType.ISO14443.value)
    is_cleared = _choice(
        _("Afterwards"),
        [("", _("Keep it")), ("1", _("The charger forgets it"))],
        coerce=bool,
        empty_value=False,
        required=False,
    )


class MonitorForm(forms.Form):
    kind = _choice(
        _("When it tells"),
        [
            ("UpperThreshold", _("Above the value")),
            ("LowerThreshold", _("Below the value")),
            ("Delta", _("When it has changed by the value")),
            ("Periodic", _("Every so many seconds")),
        ],
    )
    value = forms.FloatField(label=_("Value"), widget=UnfoldAdminTextInputWidget)
    severity = forms.IntegerField(
        min_value=0,
        max_value=9,
        initial=5,
        label=_("Severity"),
        help_text=_("0 (danger) to 9 (debug)."),
        widget=UnfoldAdminIntegerFieldWidget,
    )


class StartForm(OperationForm):
    connector = forms.ModelChoiceField(
        Connector.objects.none(), empty_label=None, label=_("Connector"), widget=UnfoldAdminSelectWidget
    )

    def __init__(self, charger: Charger, *args: Any, **kwargs: Any) -> None:
        super().__init__(charger, *args, **kwargs)
        field = self.fields["connector"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = Connector.objects.filter(evse__charger=charger).order_by("evse__number", "number")


class VariableForm(OperationForm):
    key = forms.CharField(max_length=50, label=_("Key"), widget=UnfoldAdminTextInputWidget)
    value = forms.CharField(
        max_length=500, required=False, label=_("Value"), widget=UnfoldAdminTextInputWidget, strip=False
    )


class RequestForm(OperationForm):
    action = _choice(_("Request"), ())
    payload = forms.JSONField(
        required=False,
        initial=dict,
        label=_("Payload"),
        help_text=_("A JSON object as the charger's OCPP version defines it."),
        widget=UnfoldAdminTextareaWidget,
    )

    def __init__(self, charger: Charger, *args: Any, **kwargs: Any) -> None:
        super().__init__(charger, *args, **kwargs)
        self.version = version_of(charger)
        field = self.fields["action"]
        assert isinstance(field, forms.TypedChoiceField)
        field.choices = [(name, name) for name in sorted(ocpp_requests.ACTIONS[self.version])]

    def clean(self) -> Json:
        data: Json = super().clean() or {}
        if "action" in data and "payload" in data:
            data["payload"] = {} if data["payload"] is None else data["payload"]
            try:
                ocpp_requests.check_request(self.version, data["action"], data["payload"])
            except ocpp_requests.InvalidRequest as error:
                for field, texts in error.errors.items():
                    self.add_error("payload", [f"{field}: {text}" for text in texts])
        return data


class SecurityForm(forms.Form):
    security_profile = forms.TypedChoiceField(
        coerce=int,
        choices=[(value, gettext_lazy(label)) for value, label in PROFILES],
        label=_("Security profile"),
        help_text=_("The least that the charger has to show when it connects."),
        widget=UnfoldAdminSelectWidget,
    )
    certificate_name = forms.CharField(
        required=False,
        max_length=128,
        label=_("Name in its certificate"),
        help_text=_("The common name of the client certificate (profile 3); empty: the charger's identity."),
        widget=UnfoldAdminTextInputWidget,
    )

    def clean_security_profile(self) -> int:
        profile: int = self.cleaned_data["security_profile"]
        if profile == 0 and not settings.CHARGERS_WITHOUT_PASSWORD:
            raise forms.ValidationError(
                _("This installation lets nobody in without a password: set CHARGERS_WITHOUT_PASSWORD to allow it.")
            )
        return profile


class ChangeVariableForm(forms.Form):
    value = forms.CharField(
        max_length=2500, required=False, label=_("New value"), widget=UnfoldAdminTextInputWidget, strip=False
    )


def version_of(charger: Charger) -> OcppVersion:
    connection = ChargerConnection.objects.filter(charger=charger).first()
    known = connection is not None and connection.protocol == OcppVersion.V201
    return OcppVersion.V201 if known else OcppVersion.V16
