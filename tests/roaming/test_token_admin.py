"""Staff look for cards and parties; they see no whole card number and no other operator's partners."""

import pytest
from django.urls import reverse
from django.utils import timezone

from chargers.models import Token
from infrastructure.models import OutboxEvent
from roaming.choices import PlatformType
from roaming.models import ClientInfo
from roaming.services import driver_tokens
from tests.infrastructure.factories import make_staff
from tests.roaming.emsp import make_emsp, make_token
from tests.roaming.factories import ProfileFactory, make_operator

pytestmark = pytest.mark.django_db

CARD = "04A1B2C3D4"


@pytest.fixture
def platform():
    profile = ProfileFactory(operators=[make_operator()])
    platform = make_emsp(name="Charge & Go", type=PlatformType.HUB, profiles=[profile])
    driver_tokens.receive_listed(platform, make_token(CARD, contract_id="SECRET-1", visual_number="SECRET-2"))
    return platform


def page(client, name, *args, **query) -> str:
    response = client.get(reverse(f"admin:{name}", args=args), query)
    assert response.status_code == 200
    return str(response.content.decode())


def test_a_card_is_found_by_its_number_and_shown_without_it(admin_client, platform):
    listed = page(admin_client, "chargers_token_changelist", q=CARD.lower())
    detail = page(admin_client, "chargers_token_change", Token.objects.get().pk)
    for shown in (listed.replace(CARD.lower(), ""), detail):
        assert "…C3D4" in shown and "Charge &amp; Go" in shown and "DE-EMP" in shown
        assert CARD not in shown and "SECRET" not in shown
    assert "…C3D4" not in page(admin_client, "chargers_token_changelist", q="C3D4")


def test_tokens_are_read_only(admin_client, platform):
    token = Token.objects.get()
    assert admin_client.get(reverse("admin:chargers_token_add")).status_code == 403
    assert admin_client.get(reverse("admin:chargers_token_delete", args=[token.pk])).status_code == 403
    before = OutboxEvent.objects.count()
    admin_client.post(reverse("admin:chargers_token_change", args=[token.pk]), {"is_valid": ""})
    token.refresh_from_db()
    assert token.is_valid and OutboxEvent.objects.count() == before


def test_parties_are_listed_with_their_hub(admin_client, platform):
    fields = {"country_code": "DE", "party_id": "XYZ", "role": "EMSP", "body": {}, "last_updated": timezone.now()}
    party = ClientInfo.objects.create(platform=platform, status="SUSPENDED", **fields)
    assert "Suspended" in page(admin_client, "roaming_clientinfo_changelist", q="XYZ")
    assert "DE-XYZ" in page(admin_client, "roaming_clientinfo_change", party.pk)


def test_staff_see_the_tokens_of_their_operators_partners(client, platform):
    mine = make_staff("mine", platform.profiles.get().operators.get())
    others = make_staff("others", make_operator("Other operator"))
    token = Token.objects.get()
    client.force_login(mine)
    assert "…C3D4" in page(client, "chargers_token_changelist")
    assert "Charge &amp; Go" in page(client, "chargers_token_changelist", platform=platform.peer_id)
    client.force_login(others)
    assert "…C3D4" not in page(client, "chargers_token_changelist")
    assert client.get(reverse("admin:chargers_token_change", args=[token.pk])).status_code == 302


def test_the_list_costs_the_same_whatever_its_length(admin_client, platform, django_assert_max_num_queries):
    for number in range(20):
        driver_tokens.receive_listed(platform, make_token(f"CARD-{number}"))
    with django_assert_max_num_queries(8):
        page(admin_client, "chargers_token_changelist")
