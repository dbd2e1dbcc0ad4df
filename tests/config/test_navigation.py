"""The sidebar shows where one is: one entry, the nearest above the page."""

from typing import Any

import pytest
from django.urls import URLResolver, reverse

from config.navigation import _nearest_entry


@pytest.mark.parametrize(
    ("page", "entry"),
    [
        ("payments_paymentissue_changelist", "Payment work list"),
        ("payments_reconciliation", "Reconciliation"),
        ("payments_terminal_changelist", "Terminals"),
        ("payments_coverage", "Terminal coverage"),
        ("payments_priceevidence_changelist", "Displayed prices"),
        ("auth_user_add", "Users"),
    ],
)
def test_one_entry_is_active(admin_client: Any, page: str, entry: str) -> None:
    navigation = admin_client.get(reverse(f"admin:{page}")).context["sidebar_navigation"]
    active = [item["title"] for group in navigation for item in group["items"] if item["active"]]
    assert active == [entry]


def test_a_page_does_not_spell_all_addresses_for_each_entry(admin_client: Any, monkeypatch: Any) -> None:
    spelt: list[str] = []
    spell = URLResolver._reverse_with_prefix

    def noting(self: Any, name: str, *arguments: Any, **more: Any) -> str:
        spelt.append(name)
        return spell(self, name, *arguments, **more)

    monkeypatch.setattr(URLResolver, "_reverse_with_prefix", noting)
    _nearest_entry.cache_clear()
    context = admin_client.get(reverse("admin:chargers_cdr_changelist")).context
    entries = sum(len(group["items"]) for group in context["sidebar_navigation"])
    assert entries < len(spelt) < 8 * entries
