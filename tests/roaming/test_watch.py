"""What in our dealings with partners needs a person becomes an alert, and resolves itself."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from infrastructure.models import Alert
from roaming.choices import Module, PushState
from roaming.models import Pull, Push, RoamingPlatform
from roaming.ocpi.errors import PeerRefused, PeerUnreachable
from roaming.services import circuit, push, watch
from tests.roaming.factories import ProfileFactory, RegisteredPlatformFactory, make_operator

pytestmark = pytest.mark.django_db


@pytest.fixture
def partner() -> RoamingPlatform:
    return RegisteredPlatformFactory(name="Nayax", profiles=[ProfileFactory(operators=[make_operator()])])


def titles() -> list[str]:
    watch.look()
    return sorted(Alert.objects.filter(state="OPEN").values_list("title", flat=True))


def waiting(platform: RoamingPlatform, number: int = 1, **fields: Any) -> Push:
    return Push.objects.create(platform=platform, module=Module.CDRS, object_id=f"AT/PLG/C{number}", **fields)


def test_where_all_is_well_there_is_none(partner: RoamingPlatform) -> None:
    waiting(partner)
    assert titles() == []


def test_refused_messages_of_one_kind_are_one_alert_until_somebody_decided(partner: RoamingPlatform) -> None:
    first, second = (waiting(partner, number, needs_operator=True, last_error="no kwh") for number in (1, 2))
    assert titles() == ["Nayax refuses cdrs of ours (2)"]
    alert = Alert.objects.get()
    assert "no kwh" in alert.text and "needs_operator" in alert.path
    assert alert.operators.count() == 1
    push.discard(first)
    assert titles() == ["Nayax refuses cdrs of ours (1)"]
    push.discard(second)
    assert titles() == []
    assert Alert.objects.count() == 1


def test_cdrs_that_are_not_confirmed_for_long(partner: RoamingPlatform, settings: Any) -> None:
    waiting(partner, created_at=timezone.now() - settings.ALERT_CDR_AFTER - timedelta(minutes=1))
    assert titles() == ["Nayax has not confirmed 1 CDRs"]
    Push.objects.update(state=PushState.DONE)
    assert titles() == []


@pytest.mark.parametrize(
    ("error", "title"),
    [
        (PeerUnreachable("down"), "Nayax cannot be reached"),
        (PeerRefused("no", http_status=401, permanent=False), "Nayax does not accept our token"),
    ],
)
def test_a_partner_that_is_away_or_knows_us_no_more(partner: RoamingPlatform, error: Any, title: str) -> None:
    for _ in range(circuit.OPENS_AFTER - 1):
        circuit.note_failure(partner, error)
    assert titles() == []
    circuit.note_failure(partner, error)
    assert titles() == [title]
    circuit.note_answer(partner)
    assert titles() == []


def test_credentials_that_failed(partner: RoamingPlatform) -> None:
    RoamingPlatform.objects.update(last_error="The peer does not accept our token")
    assert titles() == ["Credentials with Nayax failed"]


def test_a_list_that_cannot_be_fetched_again_and_again(partner: RoamingPlatform) -> None:
    Pull.objects.create(platform=partner, source="tokens", failures=watch.FAILED_PULLS - 1, last_error="odd")
    assert titles() == []
    Pull.objects.update(failures=watch.FAILED_PULLS)
    assert titles() == ["Tokens of Nayax cannot be fetched"]


def test_looking_costs_the_same_however_much_waits(
    partner: RoamingPlatform, django_assert_max_num_queries: Any
) -> None:
    for number in range(20):
        waiting(partner, number, needs_operator=True)
    watch.look()
    with django_assert_max_num_queries(14):
        watch.look()
