"""The sidebar shows where one is: one entry, the nearest above the page."""

from typing import Any

import pytest
from django.urls import reverse


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
