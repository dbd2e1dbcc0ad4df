"""One alert per cause for as long as it lasts."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from infrastructure.choices import AlertState
from infrastructure.models import Alert
from infrastructure.services import alerts
from infrastructure.services.alerts import Finding
from tests.infrastructure.factories import OperatorFactory, make_staff

pytestmark = pytest.mark.django_db


def settle(*causes: str, source: str = "test", **fields: object) -> None:
    alerts.settle(source, [Finding(cause, f"{cause} is wrong", **fields) for cause in causes])


def test_what_lasts_is_one_alert_with_the_newest_words() -> None:
    settle("a", text="first")
    settle("a", text="second")
    alert = Alert.objects.get()
    assert (alert.state, alert.text, alert.resolved_at) == (AlertState.OPEN, "second", None)


def test_what_is_found_no_more_is_resolved_and_other_sources_stay() -> None:
    settle("a", "b")
    settle("c", source="other")
    settle("b")
    states = dict(Alert.objects.values_list("cause", "state"))
    assert states == {"test:a": "RESOLVED", "test:b": "OPEN", "other:c": "OPEN"}


def test_what_comes_back_soon_is_the_same_and_later_a_new_one() -> None:
    settle("a")
    Alert.objects.update(notified_at=timezone.now())
    settle()
    settle("a")
    assert Alert.objects.get().notified_at is not None
    settle()
    Alert.objects.update(resolved_at=timezone.now() - alerts.SAME_TROUBLE - timedelta(seconds=1))
    settle("a")
    assert [alert.notified_at is None for alert in Alert.objects.order_by("pk")] == [False, True]


def test_staff_see_what_concerns_their_operators_alone(client) -> None:
    mine, theirs = OperatorFactory(), OperatorFactory()
    settle("mine", source="one", operators=(mine.pk,))
    settle("shared", source="two", operators=(mine.pk, theirs.pk))
    settle("nobodys", source="three")
    user = make_staff("ada", mine)
    user.is_staff = True
    user.save()
    from django.contrib.auth.models import Permission

    user.user_permissions.set(Permission.objects.filter(codename="view_alert"))
    client.force_login(user)
    text = client.get(reverse("admin:infrastructure_alert_changelist")).content.decode()
    assert "mine is wrong" in text
    assert "shared is wrong" not in text and "nobodys is wrong" not in text


def test_the_list_shows_what_is_open_and_what_was(admin_client) -> None:
    settle("a", "b", path="/admin/")
    settle("b")
    page = reverse("admin:infrastructure_alert_changelist")
    assert "a is wrong" not in admin_client.get(page).content.decode()
    assert "a is wrong" in admin_client.get(f"{page}?state=RESOLVED").content.decode()
    alert = Alert.objects.get(cause="test:a")
    assert (
        "a is wrong" in admin_client.get(reverse("admin:infrastructure_alert_change", args=[alert.pk])).content.decode()
    )
    assert admin_client.get(reverse("admin:infrastructure_alertdigest_changelist")).status_code == 200


def test_resolved_ones_are_forgotten_in_time() -> None:
    settle("a", "b")
    settle("b")
    Alert.objects.update(resolved_at=timezone.now() - alerts.KEEP_RESOLVED - timedelta(days=1))
    alerts.delete_old()
    assert [alert.cause for alert in Alert.objects.all()] == ["test:b"]
