"""Chargers that knocked and that nobody has configured: accepted with one click, or discarded."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from chargers.admin_actions import Pages
from chargers.models import PendingCharger
from chargers.services import pending as pending_service
from infrastructure import access
from infrastructure.admin_base import ReadOnlyAdmin
from infrastructure.admin_display import display
from infrastructure.bulk_actions import bulk_action
from infrastructure.models import Location

DISCARDED = _("It is refused as before, and listed again with its next attempt.")


class AcceptForm(forms.Form):
    location = forms.ModelChoiceField(Location.objects.none(), label=_("Area"), widget=UnfoldAdminSelectWidget)
    name = forms.CharField(max_length=100, required=False, label=_("Name"), widget=UnfoldAdminTextInputWidget)
    evses = forms.IntegerField(
        min_value=0,
        max_value=20,
        initial=1,
        label=_("EVSEs"),
        help_text=_("How many cars it can charge at a time. Their connectors and roaming ids are added on its page."),
        widget=UnfoldAdminIntegerFieldWidget,
    )

    def __init__(self, locations: QuerySet[Location], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["location"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = locations
        if len(locations) == 1:
            field.initial = locations[0]


class PendingChargerAdmin(Pages, ReadOnlyAdmin):
    actions = ["discard_chosen"]
    actions_detail = ["accept", "discard"]
    actions_row = ["accept", "discard"]
    list_display = ["identity", "proof", "address", "protocols", "attempts", "first_seen_at", "last_seen_at"]
    search_fields = ["identity", "address"]
    fields = ["identity", "proof", "address", "protocols", "attempts", "first_seen_at", "last_seen_at"]

    def has_operate_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perms(["chargers.change_pendingcharger", "infrastructure.add_charger"])

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not settings.PENDING_CHARGERS:
            messages.info(
                request, _("Unknown chargers are refused and not listed: set PENDING_CHARGERS to see them here.")
            )
        elif PendingCharger.objects.count() >= pending_service.MAX_PENDING:
            messages.warning(request, _("The list is full: discard what you do not know, so that others find room."))
        return super().changelist_view(request, extra_context)

    @display(description=_("password"), label={"same": "success", "none": "warning", "different": "danger"})
    def proof(self, row: PendingCharger) -> tuple[str, str]:
        if row.has_conflict:
            return "different", gettext("different ones: who is it?")
        return ("same", gettext("shown")) if row.password_hash else ("none", gettext("none shown"))

    @action(description=_("Accept"), url_path="accept", icon="check_circle", permissions=["operate"])
    def accept(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row: PendingCharger = self._object(request, object_id)
        locations = access.scope(Location.objects.order_by("name"), request.user)
        form = AcceptForm(locations, request.POST if request.method == "POST" else None)
        if form.is_valid() and (answer := self._accepted(request, row, form)):
            return answer
        context = {"explanation": _what_follows(row), "form": form}
        return self._page(request, row, gettext("Accept"), "chargers/confirm.html", context)

    def _accepted(self, request: HttpRequest, row: PendingCharger, form: AcceptForm) -> HttpResponse | None:
        given = form.cleaned_data
        try:
            charger = pending_service.accept(row, given["location"], name=given["name"], evses=given["evses"])
        except ValidationError as error:
            form.add_error(None, error.messages)
            return None
        messages.success(request, _("%(charger)s is accepted and let in at its next attempt.") % {"charger": charger})
        return HttpResponseRedirect(reverse("admin:infrastructure_charger_change", args=[charger.pk]))

    @action(description=_("Discard"), url_path="discard", icon="delete", permissions=["operate"])
    def discard(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row: PendingCharger = self._object(request, object_id)
        if request.method == "POST":
            pending_service.discard(row)
            messages.success(request, _("%(row)s is forgotten.") % {"row": row})
            return HttpResponseRedirect(reverse("admin:chargers_pendingcharger_changelist"))
        context = {"explanation": DISCARDED, "is_danger": True}
        return self._page(request, row, gettext("Discard"), "chargers/confirm.html", context)

    @bulk_action(description=_("Discard"), permission="operate", explanation=DISCARDED, is_danger=True)
    def discard_chosen(self, request: HttpRequest, row: PendingCharger) -> None:
        pending_service.discard(row)


PAGES = {PendingCharger: PendingChargerAdmin}


def _what_follows(row: PendingCharger) -> str:
    if row.has_conflict:
        return gettext(
            "Attempts came with different passwords: somebody may use its name. It gets no password: set a new one "
            "on its page and enter it in the charger."
        )
    if row.password_hash:
        return gettext("It becomes a charger of ours and is let in with the password that it has shown.")
    return gettext(
        "It becomes a charger of ours. It has shown no password: set one on its page and enter it in the charger, or "
        "choose another security profile there."
    )
