"""Admin of the price evidence: looked up, never written."""

from typing import Any

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from infrastructure.admin_base import ReadOnlyAdmin
from infrastructure.admin_display import display, shown_json
from payments.models import PriceEvidence
from payments.prices_page import PricesPage


@admin.register(PriceEvidence)
class PriceEvidenceAdmin(PricesPage, ReadOnlyAdmin):
    list_select_related = ["tariff"]
    fieldsets: list[Any] = [
        (None, {"fields": ["valid_from", "valid_until", "author_name", "ended_by", "text", "shown_tariff"]}),
        (
            _("Where"),
            {
                "fields": [
                    *("operator_name", "location_name", "location_uid", "charger_identity", "evse_id", "evse_uid"),
                    *("time_zone", "platform_name", "party"),
                ]
            },
        ),
    ]
    readonly_fields = ["text", "shown_tariff"]

    @display(description=_("text shown"))
    def text(self, row: PriceEvidence) -> str:
        return "\n".join(f"{one['language']}: {one['text']}" for one in row.tariff.body.get("tariff_alt_text", []))

    @display(description=_("tariff as the partner got it"))
    def shown_tariff(self, row: PriceEvidence) -> Any:
        return shown_json(row.tariff.body | ({"retail": row.tariff.retail} if row.tariff.retail else {}))
