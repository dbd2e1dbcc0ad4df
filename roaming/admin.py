"""Admin of roaming: our profiles, the partners' platforms, and what is exchanged with them."""

from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline
from unfold.decorators import action

from chargers.admin_actions import Pages
from infrastructure import access
from infrastructure.admin_base import PanelsFirst, ReadOnlyAdmin, ScopedRelatedFilter, ServiceAdmin, ShownMixin
from infrastructure.admin_display import display
from infrastructure.admin_filters import TimeFilter
from infrastructure.bulk_actions import bulk_action
from roaming import admin_messages, admin_pulls, admin_tokens  # noqa: F401 - register themselves
from roaming.admin_actions import ConnectionActions
from roaming.admin_circuit import CircuitActions
from roaming.admin_forms import PlatformForm, ProfileForm
from roaming.choices import PlatformState, PushState
from roaming.models import (
    Command,
    Document,
    PlatformEndpoint,
    PlatformRole,
    ProfileRequest,
    Push,
    PushAttempt,
    RoamingPlatform,
    RoamingProfile,
)
from roaming.price_page import PricePage
from roaming.services import documents, push, tokens

STATE_COLOURS = {
    PlatformState.NEW: "info",
    PlatformState.REGISTERED: "success",
    PlatformState.INVALIDATED: "danger",
}
OF_THE_CONNECTION = [
    "name",
    "code",
    "type",
    "country",
    "url",
    "expected_country_code",
    "expected_party_id",
    "retail_factor",
    "retail_surcharge",
    "retail_surcharge_vat",
    "token_prefix",
    "initiation",
    "encode_token",
]
PUSH_COLOURS = {
    PushState.PENDING: "info",
    PushState.IN_FLIGHT: "info",
    PushState.DONE: "success",
    PushState.DROPPED: "warning",
    PushState.FAILED: "danger",
    PushState.DISCARDED: "default",
}


@admin.register(RoamingProfile)
class RoamingProfileAdmin(ServiceAdmin):
    form = ProfileForm
    seen_through = "operators"
    needs_site = False
    list_display = ["name", "code", "country_code", "party_id", "protocol", "operator_names"]
    list_prefetch_related = ["operators"]
    search_fields = ["name", "code", "party_id"]
    autocomplete_fields = ["operators"]
    fieldsets = [
        (None, {"fields": ["name", "code", "protocol"]}),
        (_("In roaming"), {"fields": ["country_code", "party_id", "operators"]}),
    ]

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or access.is_theirs(obj, request.user))

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return super().has_delete_permission(request, obj) and (obj is None or access.is_theirs(obj, request.user))

    @display(description=_("operators"))
    def operator_names(self, profile: RoamingProfile) -> str:
        return ", ".join(operator.name for operator in profile.operators.all()) or gettext("none yet")


class ReadOnlyInline(ShownMixin, TabularInline):
    """What the partner said of itself during the handshake."""

    extra = 0
    can_delete = False

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        columns = self._columns()
        return [columns.get(name, name) for name in self.fields or ()]

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class PlatformRoleInline(ReadOnlyInline):
    model = PlatformRole
    hide_title = True
    fields = ["role", "country_code", "party_id", "business_name"]
    verbose_name_plural = _("parties behind this platform")


class PlatformEndpointInline(ReadOnlyInline):
    model = PlatformEndpoint
    hide_title = True
    fields = ["identifier", "role", "url"]
    verbose_name_plural = _("what the partner offers")


@admin.register(RoamingPlatform)
class RoamingPlatformAdmin(PanelsFirst, PricePage, CircuitActions, ConnectionActions, ServiceAdmin):
    form = PlatformForm
    seen_through = "profiles"
    sentences = ("party_warning", "last_error")
    needs_site = False
    actions_detail = [*ConnectionActions.actions_detail, "try_now", "which_price"]
    list_display = ["name", "type", "country", "state_label", "delivery", "registered_at", "last_error"]
    list_select_related = ["circuit"]
    list_filter = ["type", "state", ("profiles", ScopedRelatedFilter)]
    search_fields = ["name", "code", "url", "roles__party_id", "roles__business_name"]
    autocomplete_fields = ["profiles", "tariffs"]
    inlines = [PlatformRoleInline, PlatformEndpointInline]
    readonly_fields = [
        "state",
        "delivery",
        "delivery_in_words",
        "our_versions_url",
        "ocpi_version",
        "registered_at",
        "party_warning",
        "last_error",
        "last_error_at",
    ]
    fieldsets = [
        (_("Partner"), {"fields": ["name", "code", "type", "country", "url"]}),
        (_("Who we expect"), {"fields": ["expected_country_code", "expected_party_id", "token_prefix"]}),
        (_("Profiles and tariffs"), {"fields": ["profiles", "tariffs"]}),
        (
            _("Driver's price"),
            {
                "classes": ["collapse"],
                "description": _(
                    "For a payment terminal provider that gets only a wholesale tariff: the tariff is what it owes us, "
                    "and its drivers pay the tariff times the factor plus the surcharge. Price texts, the amount "
                    "blocked on the card, the stop in time and our invoices follow the driver's price."
                ),
                "fields": ["retail_factor", "retail_surcharge", "retail_surcharge_vat"],
            },
        ),
        (_("Connection initiation"), {"fields": ["initiation"]}),
        (
            _("Credentials exchange"),
            {
                "description": _(
                    "We initiate: enter the partner's token, save, and choose “Register credentials” "
                    "under “Connection” above. The partner initiates: choose “Generate token” there, and give the "
                    "partner the token and our versions URL."
                ),
                "fields": ["partner_token", "our_versions_url", "encode_token"],
            },
        ),
        (
            _("State"),
            {"fields": ["state", "ocpi_version", "registered_at", "party_warning", "last_error", "last_error_at"]},
        ),
        (_("Delivery"), {"fields": ["delivery", "delivery_in_words"]}),
    ]

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return super().has_delete_permission(request, obj) and (obj is None or access.is_theirs(obj, request.user))

    def get_form(self, request: HttpRequest, obj: Model | None = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        form.user = request.user
        return form

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        """The connection of a platform that also serves operators of others is not for one of them to change."""
        own = list(super().get_readonly_fields(request, obj))
        if isinstance(obj, RoamingPlatform) and not access.is_theirs(obj, request.user):
            own += OF_THE_CONNECTION
        return own

    def get_fieldsets(self, request: HttpRequest, obj: Model | None = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        if not isinstance(obj, RoamingPlatform) or access.is_theirs(obj, request.user):
            return fieldsets
        return [
            (title, {**options, "fields": [name for name in options["fields"] if name != "partner_token"]})
            for title, options in fieldsets
        ]

    @display(description=_("state"), label=STATE_COLOURS, ordering="state")
    def state_label(self, platform: RoamingPlatform) -> tuple[str, str]:
        return platform.state, platform.get_state_display()

    @display(description=_("our versions URL"))
    def our_versions_url(self, platform: RoamingPlatform) -> str:
        return f"{settings.PUBLIC_URL}/ocpi/versions"

    def save_model(self, request: HttpRequest, obj: Model, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        token = form.cleaned_data.get("partner_token")
        if token and isinstance(obj, RoamingPlatform) and (not change or access.is_theirs(obj, request.user)):
            tokens.store_partner_token(obj, token)


class PushAttemptInline(ReadOnlyInline):
    model = PushAttempt
    hide_title = True
    sentences = ("error",)
    fields = ["number", "started_at", "duration_ms", "method", "url", "http_status", "error", "correlation_id"]
    verbose_name_plural = _("attempts")


@admin.register(Push)
class PushAdmin(Pages, ReadOnlyAdmin):
    sentences = ("last_error",)
    list_display = [
        "__str__",
        "method",
        "state_label",
        "attempts",
        "queued_at",
        "not_before",
        "decision",
        "last_error",
    ]
    list_filter = ["state", "needs_operator", "module", ("platform", ScopedRelatedFilter)]
    list_select_related = ["platform"]
    search_fields = ["object_id", "last_error"]
    actions = ["send_again", "discard"]
    actions_detail = ["send_now"]
    inlines = [PushAttemptInline]
    fieldsets = [
        (None, {"fields": ["platform", "module", "object_id", "state_label", "decision", "last_error"]}),
        (_("Sending"), {"fields": ["method", "url", "attempts", "not_before", "give_up_at", "sequence"]}),
        (_("Times"), {"fields": ["created_at", "queued_at", "claimed_at", "finished_at"]}),
        (_("Body, if it is a fixed document"), {"fields": ["body"]}),
    ]

    @display(description=_("state"), label=PUSH_COLOURS, ordering="state")
    def state_label(self, row: Push) -> tuple[str, str]:
        return row.state, row.get_state_display()

    @display(description=_("decision"), label={"needed": "danger"}, ordering="needs_operator")
    def decision(self, row: Push) -> tuple[str, str] | None:
        return ("needed", gettext("needs your decision")) if row.needs_operator else None

    def has_deliver_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("roaming.change_push")

    @bulk_action(
        description=_("Send again now"),
        permission="deliver",
        explanation=_("The platforms are sent the newest state of these again, whatever they answered before."),
    )
    def send_again(self, request: HttpRequest, row: Push) -> None:
        push.send_again(row)

    @action(description=_("Send again now"), url_path="send-now", icon="send", permissions=["deliver"])
    def send_now(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row: Push = self._object(request, object_id)
        if request.method == "POST":
            push.send_again(row)
            messages.success(request, _("The newest state is sent again now."))
            return HttpResponseRedirect(reverse("admin:roaming_push_change", args=[row.pk]))
        explanation = _("%(platform)s is sent %(module)s %(object)s again, whatever it answered before.") % {
            "platform": row.platform,
            "module": row.module,
            "object": row.object_id,
        }
        return self._page(request, row, str(_("Send again now")), "chargers/confirm.html", {"explanation": explanation})

    @bulk_action(
        description=_("Discard"),
        permission="deliver",
        explanation=_("The platforms will not be told. What they hold stays as it is until something changes again."),
        is_danger=True,
    )
    def discard(self, request: HttpRequest, row: Push) -> None:
        if not push.discard(row):
            raise ValidationError(_("It has been sent or discarded already, or is on its way."))


@admin.register(Command)
class CommandAdmin(ReadOnlyAdmin):
    list_display = ["__str__", "platform", "response", "result", "received_at"]
    list_filter = ["type", "response", "result", ("platform", ScopedRelatedFilter), ("received_at", TimeFilter)]
    list_filter_submit = True
    list_select_related = ["platform"]
    search_fields = ["authorization_reference", "uid", "session__uid"]


@admin.register(ProfileRequest)
class ProfileRequestAdmin(ReadOnlyAdmin):
    list_display = ["type", "session", "platform", "result", "received_at"]
    list_filter = ["type", "result", ("platform", ScopedRelatedFilter)]
    list_select_related = ["platform", "session"]
    search_fields = ["uid", "session__uid", "session__authorization_reference"]
    date_hierarchy = "received_at"


@admin.register(Document)
class DocumentAdmin(ReadOnlyAdmin):
    sentences = ("problem",)
    list_display = ["object_id", "module", "platform", "offer", "partner", "last_updated"]
    list_filter = ["module", "is_deleted", ("problem", admin.EmptyFieldListFilter), ("platform", ScopedRelatedFilter)]
    list_select_related = ["platform"]
    search_fields = ["object_id"]
    actions = ["render_again"]

    fieldsets = [
        (
            None,
            {"fields": ["object_id", "module", "platform", "country_code", "party_id", "offer", "partner", "problem"]},
        ),
        (_("Times"), {"fields": ["created_at", "last_updated", "acknowledged_at", "peer_url"]}),
        (_("As the partner may read it"), {"fields": ["body"]}),
        (_("As the partner last confirmed it"), {"classes": ["collapse"], "fields": ["acknowledged"]}),
    ]

    @display(
        description=_("state"),
        label={"withdrawn": "warning", "offered": "default", "unsendable": "danger", "unsent": "danger"},
        ordering="is_deleted",
    )
    def offer(self, document: Document) -> tuple[str, str]:
        if document.problem and document.is_deleted:
            return "unsendable", gettext("cannot be sent")
        if document.problem:
            return "unsent", gettext("change not sent")
        return ("withdrawn", gettext("withdrawn")) if document.is_deleted else ("offered", gettext("offered"))

    @bulk_action(
        description=_("Check and send again"),
        permission="send",
        explanation=_("What you chose is made anew; what is sound now goes out within seconds."),
    )
    def render_again(self, request: HttpRequest, document: Document) -> None:
        documents.render_again(document)

    def has_send_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("roaming.change_document")

    @display(description=_("partner"), label={"told": "success", "waiting": "warning"})
    def partner(self, document: Document) -> tuple[str, str]:
        is_told = document.acknowledged == document.body
        return ("told", gettext("up to date")) if is_told else ("waiting", gettext("not yet told"))
