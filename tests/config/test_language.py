"""Staff read admin in their language; what machines read stays English."""

import pytest
from django.urls import reverse

from tests.infrastructure.factories import make_superuser

pytestmark = pytest.mark.django_db
GERMAN = {"Accept-Language": "de-AT,de;q=0.9"}


def test_admin_speaks_the_language_of_the_browser(client):
    client.force_login(make_superuser())
    page = client.get(reverse("admin:index"), headers=GERMAN)
    assert page.headers["Content-Language"] == "de" and 'lang="de"' in page.content.decode()
    assert client.get(reverse("admin:index")).headers["Content-Language"] == "en"


def test_the_choice_of_the_user_goes_before_the_browser(client):
    client.force_login(make_superuser())
    chosen = client.post(reverse("set_language"), {"language": "de", "next": "/admin/"})
    assert chosen.status_code == 302
    assert client.get(reverse("admin:index"), headers={"Accept-Language": "en"}).headers["Content-Language"] == "de"


def test_partners_and_scripts_read_english_whatever_they_send(client):
    client.get(reverse("admin:login"), headers=GERMAN)
    ocpi = client.get("/ocpi/versions", headers=GERMAN)
    api = client.get("/api/v1/charge-points", headers=GERMAN)
    assert "token" in ocpi.json()["status_message"].lower()
    assert api.json()["detail"] == "Authentication credentials were not provided."
