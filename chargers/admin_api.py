"""What the operator API stands on: its tokens, and the id tokens, charging profiles and local lists it works with."""

from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action

from chargers.admin_actions import Pages
from chargers.choices import ApiScope, AuthorizationStatus, OcppVersion
from chargers.models import ApiToken, ChargingProfileTemplate, IdToken, LocalList
from chargers.services import api_tokens
from chargers.services.ocpp_requests import InvalidRequest
from chargers.services.profile_templates import check_profile
from infrastructure import access
from infrastructure.admin_base import ReadOnlyAdmin, ServiceAdmin
from infrastructure.admin_display import display
from infrastructure.admin_forms import ServiceForm
from infrastructure.models import Operator

STATUS_COLOURS = {"active": "success", "new": "warning", "expired": "danger", "revoked": "danger"}
TAG_COLOURS: dict[str, str] = {
    AuthorizationStatus.ACCEPTED: "success",
    AuthorizationStatus.BLOCKED: "danger",
    AuthorizationStatus.EXPIRED: "warning",
}
# Nobody gives a program more than they may do themselves: all that its requests make, change and delete.
PERMISSIONS: dict[ApiScope, tuple[str, ...]] = {
    ApiScope.CHARGE_POINTS_READ: ("infrastructure.view_charger",),
    ApiScope.CHARGE_POINTS_WRITE: (
        "infrastructure.add_charger",
        "infrastructure.add_evse",
        "infrastructure.add_connector",
    ),
    ApiScope.CREDENTIALS_WRITE: ("chargers.change_chargerconnection",),
    ApiScope.COMMANDS_READ: ("chargers.view_outgoingcall",),
    ApiScope.COMMANDS_SEND: ("chargers.change_chargerconnection",),
    ApiScope.TRANSACTIONS_READ: ("chargers.view_chargingsession",),
    ApiScope.TRANSACTIONS_CLOSE: ("chargers.change_chargingsession",),
    ApiScope.RESERVATIONS_READ: ("chargers.view_reservation",),
    ApiScope.RESERVATIONS_WRITE: ("chargers.change_reservation",),
    ApiScope.CHARGING_PROFILES_READ: ("chargers.view_chargingprofiletemplate",),
    ApiScope.CHARGING_PROFILES_WRITE: (
        "chargers.add_chargingprofiletemplate",
        "chargers.change_chargingprofiletemplate",
        "chargers.delete_chargingprofiletemplate",
    ),
    ApiScope.ID_TOKENS_READ: ("chargers.view_idtoken",),
    ApiScope.ID_TOKENS_WRITE: ("chargers.add_idtoken", "chargers.change_idtoken", "chargers.delete_idtoken"),
    ApiScope.LOCAL_LISTS_READ: ("chargers.view_locallist",),
    ApiScope.LOCAL_LISTS_WRITE: ("chargers.change_chargerconnection",),
    ApiScope.MESSAGES_READ: ("chargers.view_chargermessage",),
}


class KeyActions(Pages):
    """Making and ending a token's key: explained, asked for, shown once."""

    actions_detail = ["generate_key", "revoke_key"]

    def has_operate_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("chargers.change_apitoken")

    @action(description=_("Generate key"), url_path="key", icon="key", permissions=["operate"])
    def generate_key(self, request: HttpRequest, object_id: str) -> HttpResponse:
        token: ApiToken = self._object(request, object_id)
        lacking = _lacking(request, token.scopes)
        if lacking:
            messages.error(
                request,
                _("You may not do yourself what this token may: %(lacking)s.") % {"lacking": ", ".join(lacking)},
            )
            return HttpResponseRedirect(reverse("admin:chargers_apitoken_change", args=[token.pk]))
        context: dict[str, Any] = {"token": token}
        if request.method == "POST":
            context["key"] = api_tokens.generate_key(token)
            context["address"] = request.build_absolute_uri("/api/v1/")
        answer = self._page(request, token, gettext("Generate key"), "chargers/api_key.html", context)
        answer["Cache-Control"] = "no-store"
        return answer

    @action(description=_("Revoke"), url_path="revoke", icon="block", permissions=["operate"])
    def revoke_key(self, request: HttpRequest, object_id: str) -> HttpResponse:
        token: ApiToken = self._object(request, object_id)
        if request.method == "POST":
            api_tokens.revoke(token)
            messages.success(request, _("%(token)s is revoked: its key opens nothing any more.") % {"token": token})
            return HttpResponseRedirect(reverse("admin:chargers_apitoken_change", args=[token.pk]))
        explanation = gettext("Whoever uses the key is refused from now on. A new key can be generated later.")
        context = {"explanation": explanation, "is_danger": True}
        return self._page(request, token, gettext("Revoke"), "chargers/confirm.html", context)


def _lacking(request: HttpRequest, scopes: list[str]) -> list[str]:
    """Permissions of a token that its maker does not have."""
    known = [ApiScope(scope) for scope in scopes if scope in set(ApiScope)]
    return [scope.value for scope in known if not request.user.has_perms(PERMISSIONS[scope])]


class ApiTokenAdmin(KeyActions, ServiceAdmin):
    list_display = ["name", "state", "key_start", "expires_at", "last_used_at", "created_by"]
    list_select_related = ["created_by"]
    search_fields = ["name", "key_start"]
    search_help_text = _("Name or beginning of the key")
    choice_lists = {"scopes": ApiScope}
    seen_through = "operators"
    readonly_fields = ["state", "key_start", "created_by", "created_at", "last_used_at", "revoked_at"]
    fieldsets = [
        (None, {"fields": ["name", "operators", "scopes", "expires_at"]}),
        (_("Use"), {"fields": readonly_fields}),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Only tokens of which every operator is the user's: a new key would open the others, too."""
        tokens = super().get_queryset(request)
        if request.user.is_superuser:
            return tokens
        others = Operator.objects.exclude(pk__in=access.operators_of(request.user).values("pk"))
        return tokens.exclude(pk__in=ApiToken.objects.filter(operators__in=others).values("pk"))

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)

        class Checked(form):  # type: ignore[misc, valid-type]
            def clean_scopes(self) -> Any:
                lacking = _lacking(request, self.cleaned_data["scopes"])
                if lacking:
                    raise forms.ValidationError(
                        _("You may not do this yourself: %(lacking)s.") % {"lacking": ", ".join(lacking)}
                    )
                return self.cleaned_data["scopes"]

        if "scopes" in Checked.base_fields:
            # As programs and docs spell them.
            Checked.base_fields["scopes"].choices = [(scope.value, scope.value) for scope in ApiScope]
        return Checked

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if not change:
            obj.created_by = request.user
        super().save_model(request, obj, form, change)

    @display(description=_("state"), label=STATUS_COLOURS)
    def state(self, token: ApiToken) -> tuple[str, str]:
        if token.revoked_at is not None:
            return "revoked", gettext("revoked")
        if not token.key_hash:
            return "new", gettext("no key yet")
        is_over = token.expires_at is not None and token.expires_at <= timezone.now()
        return ("expired", gettext("expired")) if is_over else ("active", gettext("active"))


class IdTokenAdmin(ServiceAdmin):
    list_display = ["id_tag", "status", "operator", "parent_id_tag", "note", "expires_at"]
    list_filter = ["is_blocked"]
    list_select_related = ["operator"]
    search_fields = ["id_tag", "parent_id_tag", "note"]
    search_help_text = _("Id tag, parent id tag or note")
    fields = ["operator", "id_tag", "type", "parent_id_tag", "note", "is_blocked", "expires_at"]

    @display(description=_("status"), label=TAG_COLOURS)
    def status(self, token: IdToken) -> str:
        return token.status_at(timezone.now()).value


class ProfileForm(ServiceForm):
    def clean(self) -> Any:
        given = super().clean() or self.cleaned_data
        profile, version = given.get("profile"), given.get("ocpp_version")
        if isinstance(profile, dict) and version:
            try:
                check_profile(OcppVersion(version), profile)
            except InvalidRequest as error:
                texts = [f"{name}: {' '.join(said)}" for name, said in error.errors.items()]
                self.add_error("profile", forms.ValidationError(texts))
        elif "profile" in given:
            self.add_error("profile", gettext("Enter a JSON object."))
        return given


class ChargingProfileTemplateAdmin(ServiceAdmin):
    form = ProfileForm
    list_display = ["__str__", "number", "operator", "ocpp_version", "last_updated"]
    list_select_related = ["operator"]
    search_fields = ["description"]
    readonly_fields = ["number"]
    fields = ["operator", "description", "ocpp_version", "profile", "number"]

    @display(description=_("id at chargers"), empty_value="-")
    def number(self, template: ChargingProfileTemplate) -> int | None:
        return template.wire_id if template.pk else None


class LocalListAdmin(ReadOnlyAdmin):
    list_display = ["charger", "version", "sent_version", "outcome", "updated_at"]
    list_select_related = ["charger", "call__charger"]
    search_fields = ["charger__identity"]
    search_help_text = _("Charger identity")
    fields = ["charger", "version", "entries", "sent_version", "call", "outcome", "updated_at"]

    @display(description=_("outcome"), empty_value="-")
    def outcome(self, local_list: LocalList) -> str | None:
        call = local_list.call
        return call.get_result_display() or call.get_state_display() if call else None


PAGES: dict[Any, Any] = {
    ApiToken: ApiTokenAdmin,
    IdToken: IdTokenAdmin,
    ChargingProfileTemplate: ChargingProfileTemplateAdmin,
    LocalList: LocalListAdmin,
}
