"""Staff finds and reads messages, but never changes them."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse
from django.utils import timezone

from infrastructure.models import OperatorMembership
from roaming.choices import Direction, Module
from tests.roaming.factories import ProfileFactory, RegisteredPlatformFactory, make_operator, message_row

pytestmark = pytest.mark.django_db

REFERENCE = "AUTH-2025-000001"


def search(client, **query: str) -> list[int]:
    response = client.get(reverse("admin:roaming_message_changelist"), query)
    assert response.status_code == 200
    return sorted(row.pk for row in response.context["cl"].result_list)


def test_staff_finds_messages(admin_client, platform):
    old = timezone.now() - timedelta(days=3)
    one = message_row(platform=platform, correlation_id="corr-1", authorization_reference=REFERENCE)
    two = message_row(direction=Direction.OUT, is_ok=False, module="", object_id="", request_id="req-2", started_at=old)
    assert search(admin_client) == [one.pk, two.pk]
    assert search(admin_client, platform__id__exact=str(platform.pk)) == [one.pk]
    assert search(admin_client, module=Module.SESSIONS) == [one.pk]
    assert search(admin_client, module="-") == [two.pk]
    assert search(admin_client, direction__exact="OUT") == [two.pk]
    assert search(admin_client, is_ok__exact="0") == [two.pk]
    yesterday = timezone.now() - timedelta(days=1)
    day = f"{yesterday:%Y-%m-%d}"
    assert search(admin_client, started_at_from_0=day, started_at_from_1=f"{yesterday:%H:%M:%S}") == [one.pk]
    assert search(admin_client, started_at_from_0=day) == [one.pk]
    assert search(admin_client, started_at_to_0=day) == [two.pk]
    for text, expected in (("S1", one), ("corr-1", one), (REFERENCE, one), ("req-2", two)):
        assert search(admin_client, q=text) == [expected.pk]


def test_a_message_is_shown_readable_and_escaped(admin_client, platform):
    body = '{"a":1,"evil":"</pre><script>alert(1)</script>"}'
    message = message_row(platform=platform, response_body=body, response_size=len(body))
    page = admin_client.get(reverse("admin:roaming_message_change", args=[message.pk])).content.decode()
    assert "{\n  &quot;a&quot;: 1," in page
    assert "<script>alert(1)" not in page


def test_messages_can_only_be_read(admin_client, platform):
    message = message_row(platform=platform)
    assert admin_client.get(reverse("admin:roaming_message_add")).status_code == 403
    assert admin_client.post(reverse("admin:roaming_message_change", args=[message.pk]), {}).status_code == 403
    assert admin_client.post(reverse("admin:roaming_message_delete", args=[message.pk])).status_code == 403


def test_staff_reads_only_messages_of_its_operators(client, django_user_model, platform):
    operator = make_operator()
    platform.profiles.get().operators.add(operator)
    user = django_user_model.objects.create_user("staff", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_message"))
    OperatorMembership.objects.create(user=user, operator=operator)
    client.force_login(user)
    own = message_row(platform=platform)
    message_row(platform=RegisteredPlatformFactory(profiles=[ProfileFactory()]))
    message_row(platform=None)
    assert search(client) == [own.pk]
