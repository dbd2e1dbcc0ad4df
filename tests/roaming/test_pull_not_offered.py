"""A partner need not have every list: what it does not offer is told plainly, and is no failure."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from roaming.choices import PlatformType
from roaming.models import Pull
from roaming.services import pulls, watch
from tests.roaming.factories import RegisteredPlatformFactory

pytestmark = pytest.mark.django_db


def test_a_list_that_is_not_offered_is_no_failure(admin_client: Any) -> None:
    platform = RegisteredPlatformFactory(name="Quiet", type=PlatformType.EMSP)
    pull = Pull.objects.create(platform=platform, source="tokens", failures=2, interval_minutes=600)
    before = timezone.now()
    pulls.run(pull.pk)
    pull.refresh_from_db()
    assert pull.last_error == "Quiet does not offer tokens: its version details list no such address."
    assert (pull.failures, pull.claimed_at) == (0, None)
    assert pull.next_run_at > before + timedelta(minutes=500)
    assert list(watch._pulls()) == []
    page = admin_client.get("/admin/roaming/pull/").content.decode()
    assert "not offered" in page and "failed" not in page
