import pytest
from django.urls import reverse
from django.utils import timezone

from payments.models import FinancialAdviceConfirmation, Terminal
from roaming.choices import PlatformState
from roaming.models import RoamingPlatform
from tests.infrastructure.factories import make_superuser
from tests.roaming.factories import PlatformFactory, RegisteredPlatformFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def root(client):
    client.force_login(make_superuser())
    return client


def delete(platform):
    return reverse("admin:roaming_roamingplatform_delete", args=[platform.pk])


def test_a_registered_platform_tells_to_invalidate_first(root):
    platform = RegisteredPlatformFactory()
    Terminal.objects.create(platform=platform, terminal_id="T1")
    page = root.get(delete(platform)).content.decode()
    assert "Invalidate credentials" in page and "permission" not in page
    root.post(delete(platform), {"post": "yes"})
    assert RoamingPlatform.objects.exists()


def test_a_platform_goes_with_its_terminals(root):
    platform = PlatformFactory()
    Terminal.objects.create(platform=platform, terminal_id="T1")
    assert "T1" in root.get(delete(platform)).content.decode()
    assert root.post(delete(platform), {"post": "yes"}).status_code == 302
    assert not Terminal.objects.exists()


def test_a_platform_with_captures_is_kept(root):
    platform = PlatformFactory(state=PlatformState.INVALIDATED)
    FinancialAdviceConfirmation.objects.create(
        platform=platform,
        advice_id="A1",
        authorization_reference="R1",
        total_gross=1,
        currency="EUR",
        capture_status_code="SUCCESS",
        raw={},
        last_updated=timezone.now(),
    )
    page = root.get(delete(platform)).content.decode()
    assert "1 card capture of" in page and "must stay readable" in page
    root.post(delete(platform), {"post": "yes"})
    assert RoamingPlatform.objects.exists()
