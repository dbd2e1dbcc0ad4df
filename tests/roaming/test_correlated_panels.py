"""From an OCPI message to the call it led to, the charger's frames, and back."""

from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from chargers.choices import CallAction, Direction, FrameKind
from chargers.models import ChargerMessage
from chargers.services.outgoing import create_call
from infrastructure import correlation
from tests.infrastructure.factories import ChargerFactory
from tests.roaming.factories import message_row

pytestmark = pytest.mark.django_db


def page_of(client: Any, row: Any) -> str:
    name = f"admin:{row._meta.app_label}_{row._meta.model_name}_change"
    return str(client.get(reverse(name, args=[row.pk])).content.decode())


def test_each_page_leads_to_all_of_the_same_request(admin_client: Any) -> None:
    charger = ChargerFactory()
    with correlation.correlated("asked-by-a-partner"):
        call = create_call(charger.pk, None, CallAction.UNLOCK_CONNECTOR, {"evse": 1}, timezone.now())
    frame = ChargerMessage.objects.create(
        charger=charger,
        at=timezone.now(),
        direction=Direction.OUT,
        kind=FrameKind.CALL,
        action="UnlockConnector",
        correlation_id="asked-by-a-partner",
        frame="[]",
        size=2,
    )
    message = message_row(correlation_id="asked-by-a-partner")
    stranger = message_row(correlation_id="another")
    rows = [message, call, frame]
    for row in rows:
        page = page_of(admin_client, row)
        assert "Of the same request" in page
        for other in rows:
            address = reverse(f"admin:{other._meta.app_label}_{other._meta.model_name}_change", args=[other.pk])
            assert address in page
    assert "Of the same request" not in page_of(admin_client, stranger)
