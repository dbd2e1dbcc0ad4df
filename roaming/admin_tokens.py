"""Admin of drivers' tokens and of the parties behind hubs, both as partners told us."""

from typing import Any

from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from chargers.models import Token
from infrastructure import access
from infrastructure.admin_base import ReadOnlyAdmin, ScopedRelatedFilter
from infrastructure.admin_display import display
from roaming.choices import ConnectionStatus
from roaming.models import ClientInfo, RoamingPlatform

STATUS_COLOURS: dict[str, str] = {
    ConnectionStatus.CONNECTED: "success",
    ConnectionStatus.OFFLINE: "warning",
    ConnectionStatus.PLANNED: "info",
    ConnectionStatus.SUSPENDED: "danger",
}


class PlatformFilter(admin.SimpleListFilter):
    title = _("platform")
    parameter_name = "platform"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(platform.peer_id, str(platform)) for platform in _platforms(request)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Token]) -> QuerySet[Token]:
        return queryset.filter(peer_id=self.value()) if self.value() else queryset


@admin.register(Token)
class TokenAdmin(ReadOnlyAdmin):
    """Shows of a card no more than helps to tell it from others: its number opens chargers."""

    list_display = ["masked_uid", "type", "party", "platform", "whitelist", "is_valid", "last_updated"]
    list_filter = [PlatformFilter, "type", "whitelist", "is_valid"]
    search_fields = ["=uid"]
    search_help_text = _("The card's whole number")
    fields = [
        "masked_uid",
        "type",
        "party",
        "platform",
        "issuer",
        "group",
        "whitelist",
        "is_valid",
        "last_updated",
        "received_at",
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Token]:
        """Those of the platforms that the user sees: a token itself leads to no operator."""
        tokens: QuerySet[Token] = super().get_queryset(request)
        platforms = _platforms(request)
        name = platforms.filter(peer_id=OuterRef("peer_id")).values("name")[:1]
        return tokens.filter(peer_id__in=platforms.values("peer_id")).annotate(platform_name=Subquery(name))

    @display(description=_("number"), ordering="uid")
    def masked_uid(self, token: Token) -> str:
        return token.masked_uid

    @display(description=_("party"), ordering="party_id")
    def party(self, token: Token) -> str:
        return f"{token.country_code}-{token.party_id}"

    @display(description=_("platform"), ordering="platform_name")
    def platform(self, token: Any) -> str:
        return str(token.platform_name)

    @display(description=_("issuer"))
    def issuer(self, token: Token) -> str:
        return str(token.body.get("issuer") or "")

    @display(description=_("group"))
    def group(self, token: Token) -> str:
        return str(token.body.get("group_id") or "")


@admin.register(ClientInfo)
class ClientInfoAdmin(ReadOnlyAdmin):
    list_display = ["__str__", "platform", "status_label", "last_updated", "received_at"]
    list_filter = ["status", "role", ("platform", ScopedRelatedFilter)]
    list_select_related = ["platform"]
    search_fields = ["country_code", "party_id"]

    @display(description=_("status"), label=STATUS_COLOURS, ordering="status")
    def status_label(self, client: ClientInfo) -> tuple[str, str]:
        return client.status, client.get_status_display()


def _platforms(request: HttpRequest) -> QuerySet[RoamingPlatform]:
    return access.scope(RoamingPlatform.objects.order_by("name"), request.user)
