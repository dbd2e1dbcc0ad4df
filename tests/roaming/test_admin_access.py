"""What staff add must stay in their sight."""

import pytest
from django.urls import reverse

from roaming.models import RoamingPlatform, RoamingProfile
from tests.infrastructure.factories import OperatorFactory, make_staff, make_superuser
from tests.infrastructure.test_admin import errors
from tests.roaming.factories import ProfileFactory

pytestmark = pytest.mark.django_db
PLATFORM = {
    "retail_factor": "1",
    "retail_surcharge": "0",
    "name": "Nayax",
    "code": "nayax",
    "type": "PTP",
    "initiation": "PARTNER",
    "country": "NLD",
}
PROFILE = {"name": "Volt", "code": "volt", "protocol": "OCPI", "country_code": "AT", "party_id": "VLT"}


def add(client, name, fields):
    return client.post(reverse(f"admin:roaming_{name}_add"), fields)


def test_staff_add_platforms_and_profiles_of_their_own(client):
    operator = OperatorFactory()
    client.force_login(make_staff("ada", operator))
    assert "you could no longer see this row" in errors(add(client, "roamingprofile", PROFILE))
    assert add(client, "roamingprofile", PROFILE | {"operators": [operator.pk]}).status_code == 302
    profile = RoamingProfile.objects.get()
    inlines = {f"{name}-{form}_FORMS": 0 for name in ("roles", "endpoints") for form in ("TOTAL", "INITIAL")}
    assert "you could no longer see this row" in errors(add(client, "roamingplatform", PLATFORM | inlines))
    answer = add(client, "roamingplatform", PLATFORM | inlines | {"profiles": [profile.pk]})
    assert answer.status_code == 302
    page = reverse("admin:roaming_roamingplatform_change", args=[RoamingPlatform.objects.get().pk])
    assert client.get(page).status_code == 200


def test_profiles_of_others_are_no_choice(client):
    client.force_login(make_staff("ada", OperatorFactory()))
    other = ProfileFactory(operators=[OperatorFactory()])
    answer = add(client, "roamingplatform", PLATFORM | {"profiles": [other.pk]})
    assert "Select a valid choice" in errors(answer)


def test_a_superuser_may_add_a_platform_first_and_profiles_later(client):
    OperatorFactory()
    client.force_login(make_superuser())
    inlines = {f"{name}-{form}_FORMS": 0 for name in ("roles", "endpoints") for form in ("TOTAL", "INITIAL")}
    assert add(client, "roamingplatform", PLATFORM | inlines).status_code == 302
