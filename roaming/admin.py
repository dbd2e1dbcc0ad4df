"""Admin of roaming: our profiles, the partners' platforms, and what is exchanged with them."""

from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from unfold.admin import TabularInline
from unfold.decorators import action

from infrastructure.admin_base import ReadOnlyAdmin, ScopedRelatedFilter, ServiceAdmin
from infrastructure.admin_display import display
from roaming import admin_messages, admin_pulls, admin_tokens  # noqa: F401 - register themselves
from roaming.admin_actions import ConnectionActions, is_theirs
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
        ("In roaming", {"fields": ["country_code", "party_id", "operators"]}),
    ]

    @display(description="operators")
    def operator_names(self, profile: RoamingProfile) -> str:
        return ", ".join(operator.name for operator in profile.operators.all()) or "none yet"


class ReadOnlyInline(TabularInline):
    """What the partner said of itself during the handshake."""

    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class PlatformRoleInline(ReadOnlyInline):
    model = PlatformRole
    fields = ["role", "country_code", "party_id", "business_name"]
    verbose_name_plural = "parties behind this platform"


class PlatformEndpointInline(ReadOnlyInline):
    model = PlatformEndpoint
    fields = ["identifier", "role", "url"]
    verbose_name_plural = "what the partner offers"


@admin.register(RoamingPlatform)
class RoamingPlatformAdmin(PricePage, CircuitActions, ConnectionActions, ServiceAdmin):
    form = PlatformForm
    seen_through = "profiles"
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
        ("Partner", {"fields": ["name", "code", "type", "country", "url"]}),
        ("Who we expect", {"fields": ["expected_country_code", "expected_party_id", "token_prefix"]}),
        ("Profiles and tariffs", {"fields": ["profiles", "tariffs"]}),
        ("Connection initiation", {"fields": ["initiation"]}),
        (
            "Credentials exchange",
            {
                "description": "We initiate: enter the partner's token, save, and choose “Register credentials” "
                "under “Connection” above. The partner initiates: choose “Generate token” there, and give the "
                "partner the token and our versions URL.",
                "fields": ["partner_token", "our_versions_url", "encode_token"],
            },
        ),
        (
            "State",
            {"fields": ["state", "ocpi_version", "registered_at", "party_warning", "last_error", "last_error_at"]},
        ),
        ("Delivery", {"fields": ["delivery", "delivery_in_words"]}),
    ]

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        """The connection of a platform that also serves operators of others is not for one of them to change."""
        own = list(super().get_readonly_fields(request, obj))
        if isinstance(obj, RoamingPlatform) and not is_theirs(request, obj):
            own += OF_THE_CONNECTION
        return own

    def get_fieldsets(self, request: HttpRequest, obj: Model | None = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        if not isinstance(obj, RoamingPlatform) or is_theirs(request, obj):
            return fieldsets
        return [
            (title, {**options, "fields": [name for name in options["fields"] if name != "partner_token"]})
            for title, options in fieldsets
        ]

    @display(description="state", label=STATE_COLOURS, ordering="state")
    def state_label(self, platform: RoamingPlatform) -> tuple[str, str]:
        return platform.state, platform.get_state_display()

    @display(description="our versions URL")
    def our_versions_url(self, platform: RoamingPlatform) -> str:
        return f"{settings.PUBLIC_URL}/ocpi/versions"

    def save_model(self, request: HttpRequest, obj: Model, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        token = form.cleaned_data.get("partner_token")
        if token and isinstance(obj, RoamingPlatform) and (not change or is_theirs(request, obj)):
            tokens.store_partner_token(obj, token)


class PushAttemptInline(ReadOnlyInline):
    model = PushAttempt
    hide_title = True
    fields = ["number", "started_at", "duration_ms", "method", "url", "http_status", "error", "correlation_id"]
    verbose_name_plural = "attempts"


@admin.register(Push)
class PushAdmin(ReadOnlyAdmin):
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
    inlines = [PushAttemptInline]
    fieldsets = [
        (None, {"fields": ["platform", "module", "object_id", "state_label", "decision", "last_error"]}),
        ("Sending", {"fields": ["method", "url", "attempts", "not_before", "give_up_at", "sequence"]}),
        ("Times", {"fields": ["created_at", "queued_at", "claimed_at", "finished_at"]}),
        ("Body, if it is a fixed document", {"fields": ["body"]}),
    ]

    @display(description="state", label=PUSH_COLOURS, ordering="state")
    def state_label(self, row: Push) -> tuple[str, str]:
        return row.state, row.get_state_display()

    @display(description="decision", label={"needed": "danger"}, ordering="needs_operator")
    def decision(self, row: Push) -> tuple[str, str] | None:
        return ("needed", "needs your decision") if row.needs_operator else None

    def has_deliver_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("roaming.change_push")

    @action(description="Send again now", permissions=["deliver"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[Push]) -> None:
        for row in queryset.select_related("platform"):
            push.send_again(row)
        messages.success(request, "The newest state of what you chose is sent again now.")

    @action(description="Discard", permissions=["deliver"])
    def discard(self, request: HttpRequest, queryset: QuerySet[Push]) -> None:
        for row in queryset:
            push.discard(row)
        messages.success(request, "Discarded: the platforms will not be told.")


@admin.register(Command)
class CommandAdmin(ReadOnlyAdmin):
    list_display = ["__str__", "platform", "response", "result", "received_at"]
    list_filter = ["type", "response", "result", ("platform", ScopedRelatedFilter)]
    list_select_related = ["platform"]
    search_fields = ["authorization_reference", "uid", "session__uid"]
    date_hierarchy = "received_at"


@admin.register(ProfileRequest)
class ProfileRequestAdmin(ReadOnlyAdmin):
    list_display = ["type", "session", "platform", "result", "received_at"]
    list_filter = ["type", "result", ("platform", ScopedRelatedFilter)]
    list_select_related = ["platform", "session"]
    search_fields = ["uid", "session__uid", "session__authorization_reference"]
    date_hierarchy = "received_at"


@admin.register(Document)
class DocumentAdmin(ReadOnlyAdmin):
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
        ("Times", {"fields": ["created_at", "last_updated", "acknowledged_at", "peer_url"]}),
        ("As the partner may read it", {"fields": ["body"]}),
        ("As the partner last confirmed it", {"classes": ["collapse"], "fields": ["acknowledged"]}),
    ]

    @display(
        description="state",
        label={"withdrawn": "warning", "offered": "default", "cannot be sent": "danger", "change not sent": "danger"},
        ordering="is_deleted",
    )
    def offer(self, document: Document) -> str:
        if document.problem:
            return "cannot be sent" if document.is_deleted else "change not sent"
        return "withdrawn" if document.is_deleted else "offered"

    @action(description="Check and send again", permissions=["send"])
    def render_again(self, request: HttpRequest, queryset: QuerySet[Document]) -> None:
        for document in queryset:
            documents.render_again(document)
        messages.success(request, "What you chose is made anew; what is sound now goes out within seconds.")

    def has_send_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("roaming.change_document")

    @display(description="partner", label={"up to date": "success", "not yet told": "warning"})
    def partner(self, document: Document) -> str:
        return "up to date" if document.acknowledged == document.body else "not yet told"
