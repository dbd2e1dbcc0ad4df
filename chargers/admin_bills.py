"""Crediting and correcting a session's bill, from the page of its CDR or of the session itself."""

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action
from unfold.widgets import UnfoldAdminDecimalFieldWidget, UnfoldAdminSplitDateTimeWidget, UnfoldAdminTextInputWidget

from chargers.admin_actions import Pages
from chargers.models import CDR, ChargingSession
from chargers.services import corrections
from chargers.services.cdrs import credit_cdr
from chargers.services.corrections import Correction
from tariffs.pricing.rounding import money

ENERGY_STEP = Decimal("0.001")
CREDIT_EXPLANATION = _(
    "A credit CDR with the negated total cost goes to the partner, which gives the money back. If we invoiced the "
    "driver, a credit note to that invoice is issued with it. The CDR and the invoice themselves stay as they are."
)


class CreditForm(forms.Form):
    reason = forms.CharField(
        max_length=255,
        widget=UnfoldAdminTextInputWidget(),
        label=_("Reason"),
        help_text=_("Partner and driver read it, for example: Charged by mistake, the cable was defective."),
    )


class CorrectionForm(CreditForm):
    ended_at = forms.SplitDateTimeField(label=_("End of the session"), widget=UnfoldAdminSplitDateTimeWidget())
    kwh = forms.DecimalField(
        label=_("Energy (kWh)"), min_value=0, max_digits=9, decimal_places=3, widget=UnfoldAdminDecimalFieldWidget()
    )
    most = forms.DecimalField(
        label=_("Highest total (gross)"),
        required=False,
        max_digits=10,
        decimal_places=2,
        widget=UnfoldAdminDecimalFieldWidget(),
        help_text=_("Only to charge less than the tariff says, as a gesture of goodwill."),
    )

    field_order = ["ended_at", "kwh", "most", "reason"]

    def correction(self, cdr: CDR) -> Correction:
        """The form shows no fractions of a second: an end that was left alone stays exact."""
        data, ended_at = self.cleaned_data, self.cleaned_data["ended_at"]
        is_unchanged = ended_at == cdr.end_date_time.replace(microsecond=0)
        return Correction(cdr.end_date_time if is_unchanged else ended_at, data["kwh"], data["most"])


class BillActions(Pages):
    """The object of the page is a CDR or a session."""

    bill_actions = ("credit", "correct")

    def _bill(self, obj: Any) -> CDR | None:
        return obj if isinstance(obj, CDR) else corrections.bill_of(obj)

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        actions: list[Any] = super().get_actions_detail(request, object_id)  # type: ignore[misc]
        possible = self._possible(request, object_id)
        hidden = tuple(f"_{name}" for name in self.bill_actions if name not in possible)
        return [one for one in actions if not hidden or not one.action_name.endswith(hidden)]

    def _possible(self, request: HttpRequest, object_id: Any) -> set[str]:
        obj = self.get_object(request, object_id)
        cdr = self._bill(obj) if obj is not None else None
        if cdr is None or cdr.is_credit:
            return set()
        is_last = isinstance(obj, ChargingSession) or cdr == corrections.bill_of(cdr.session)
        has_charged = cdr.session.meter_start is not None
        return {name for name, may in (("credit", not cdr.credited_at), ("correct", is_last and has_charged)) if may}

    def has_bill_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("chargers.change_cdr")

    @action(description=_("Credit"), url_path="credit", icon="undo", permissions=["bill"])
    def credit(self, request: HttpRequest, object_id: str) -> HttpResponse:
        obj = self._object(request, object_id)
        cdr = self._bill(obj)
        if cdr is None or cdr.is_credit:
            return _back(request, obj, gettext("There is nothing to credit here."))
        form = CreditForm(request.POST if request.method == "POST" else None)
        if form.is_valid():
            credit = credit_cdr(cdr, form.cleaned_data["reason"])
            messages.success(
                request, _("Credit CDR %(uid)s is written and on its way to the partner.") % {"uid": credit.uid}
            )
            return HttpResponseRedirect(reverse("admin:chargers_cdr_change", args=[credit.pk]))
        context = {"explanation": CREDIT_EXPLANATION, "is_danger": True, "form": form}
        return self._page(request, obj, gettext("Credit"), "chargers/confirm.html", context)

    @action(
        description=_("Credit and correct"), url_path="correct", icon="published_with_changes", permissions=["bill"]
    )
    def correct(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """`?ended_at=` and `?kwh=` propose values, for example those of a StopTransaction that came late."""
        obj = self._object(request, object_id)
        cdr = self._bill(obj)
        if cdr is None or cdr.is_credit:
            return _back(request, obj, gettext("There is nothing to correct here."))
        form = (
            CorrectionForm(request.POST)
            if request.method == "POST"
            else CorrectionForm(initial=_proposed(request, cdr))
        )
        context = {"form": form, "cdr": cdr, "before": _amount(cdr.driver_total_incl_vat, cdr)}
        if request.method == "POST" and form.is_valid():
            try:
                priced = corrections.price_correction(cdr, form.correction(cdr))
                if "confirm" in request.POST:
                    corrected = corrections.correct_cdr(cdr, form.correction(cdr), form.cleaned_data["reason"])
                    messages.success(
                        request,
                        _("CDR %(uid)s is credited, and CDR %(uid_)s takes its place.")
                        % {"uid": cdr.uid, "uid_": corrected.uid},
                    )
                    return HttpResponseRedirect(reverse("admin:chargers_cdr_change", args=[corrected.pk]))
                context["after"] = _amount(priced.driver_total, cdr)
            except ValidationError as error:
                form.add_error(None, error)
        return self._page(request, obj, gettext("Credit and correct"), "chargers/correct.html", context)


def _proposed(request: HttpRequest, cdr: CDR) -> dict[str, Any]:
    now = corrections.correction_of(cdr)
    proposed: dict[str, Any] = {"ended_at": now.ended_at, "kwh": now.kwh.quantize(ENERGY_STEP)}
    fields: dict[str, forms.Field] = {"kwh": CorrectionForm().fields["kwh"], "ended_at": forms.DateTimeField()}
    for name, field in fields.items():
        try:
            proposed[name] = field.clean(request.GET.get(name, "")) or proposed[name]
        except ValidationError:
            continue
    return proposed


def _amount(value: Any, cdr: CDR) -> str:
    return f"{money(value, cdr.currency)} {cdr.currency}"


def _back(request: HttpRequest, obj: Model, why: str) -> HttpResponse:
    messages.info(request, why)
    return HttpResponseRedirect(reverse(f"admin:{obj._meta.app_label}_{obj._meta.model_name}_change", args=[obj.pk]))
