"""An area belongs to the party of its operator's profile: when that changes, partners see it go and come."""

import pytest

from config.demo import data
from infrastructure import outbox
from infrastructure.models import EVSE, Charger, Connector, Location, Operator
from infrastructure.services import masterdata
from roaming.choices import InterfaceRole, Module, PlatformState, PlatformType, PushState
from roaming.models import Document, PlatformEndpoint, Push, RoamingPlatform, RoamingProfile
from roaming.services import document_lists, senders
from roaming.services.commands.places import find_connector
from roaming.services.tokens import hash_token
from tariffs.models import RoamingTariff, SessionSettings
from tests.roaming.client import client_with
from tests.roaming.factories import ProfileFactory, RegisteredPlatformFactory

pytestmark = pytest.mark.django_db

REMOVED = {"REMOVED"}
THERE = {"UNKNOWN"}
START = {"location_id": "VIE-CITY", "evse_uid": "DEMO-AC-1-1", "connector_id": "1"}


@pytest.fixture
def partners() -> dict[str, RoamingPlatform]:
    """Of an installation with two parties, VLT with the demo's areas and SEC with none: who sees which."""
    demo = data.create()
    first = RoamingProfile.objects.get()
    second = ProfileFactory(country_code="AT", party_id="SEC", operators=[_second_operator()])
    demo.platform.profiles.add(second)
    RoamingPlatform.objects.update(state=PlatformState.REGISTERED, server_token_hash=hash_token("terminals"))
    partners = {
        "both": demo.platform,
        "first": RegisteredPlatformFactory(type=PlatformType.EMSP, profiles=[first]),
        "second": RegisteredPlatformFactory(type=PlatformType.EMSP, profiles=[second]),
    }
    for platform in partners.values():
        PlatformEndpoint.objects.create(
            platform=platform,
            identifier=Module.LOCATIONS,
            role=InterfaceRole.RECEIVER,
            url="https://partner.example/locations",
        )
    _everything_is_told()
    return partners


def _second_operator() -> Operator:
    operator = Operator(site=Operator.objects.get().site, name="Second", phone="+43 1 1", legal_name="Second GmbH")
    masterdata.save(operator)
    settings = SessionSettings(operator=operator)
    masterdata.save(settings)
    settings.tariffs.add(RoamingTariff.objects.get(code="ADHOC-AC"))
    return operator


def _everything_is_told() -> None:
    outbox.drain()
    Push.objects.update(state=PushState.DONE)
    for document in Document.objects.all():
        document.acknowledged = document.body
        document.save(update_fields=["acknowledged"])


def move_to(name: str) -> None:
    area = Location.objects.get(roaming_id="VIE-CITY")
    area.operator = Operator.objects.get(name=name)
    masterdata.save(area)
    outbox.drain()


def seen(platform: RoamingPlatform) -> dict[str, set[str]]:
    """The addresses at which the partner lists the area, and the states of its EVSEs."""
    rows = document_lists.current(platform, Module.LOCATIONS).filter(object_id="VIE-CITY")
    return {row.path: {evse["status"] for evse in row.body["evses"]} for row in rows}


def told(platform: RoamingPlatform) -> list[tuple[str, str, str, set[str]]]:
    """What is sent to the partner now: method, address, party of the body, states of the EVSEs in it."""
    requests = [
        senders.build(row) for row in platform.pushes.filter(state=PushState.PENDING).order_by("queued_at", "pk")
    ]
    return [
        (request.method, request.url, request.party_id, {evse["status"] for evse in request.body["evses"]})
        for request in requests
        if request is not None
    ]


def test_each_partner_sees_an_area_leave_one_party_and_come_to_the_other(partners: dict[str, RoamingPlatform]) -> None:
    move_to("Second")
    gone, here = {"AT/VLT/VIE-CITY": REMOVED}, {"AT/SEC/VIE-CITY": THERE}
    assert seen(partners["both"]) == gone | here
    assert seen(partners["first"]) == gone
    assert seen(partners["second"]) == here
    withdrawal = ("PUT", "https://partner.example/locations/AT/VLT/VIE-CITY", "VLT", REMOVED)
    creation = ("PUT", "https://partner.example/locations/AT/SEC/VIE-CITY", "SEC", THERE)
    assert told(partners["both"]) == [withdrawal, creation]
    assert told(partners["first"]) == [withdrawal]
    assert told(partners["second"]) == [creation]


def test_body_and_address_name_the_same_party_everywhere(partners: dict[str, RoamingPlatform]) -> None:
    move_to("Second")
    for document in Document.objects.filter(module=Module.LOCATIONS):
        assert document.path.startswith(f"{document.body['country_code']}/{document.body['party_id']}/")


def test_an_area_that_comes_back_is_the_one_it_was(partners: dict[str, RoamingPlatform]) -> None:
    move_to("Second")
    _everything_is_told()
    move_to("Volt & Co")
    assert seen(partners["both"]) == {"AT/VLT/VIE-CITY": THERE, "AT/SEC/VIE-CITY": REMOVED}
    assert seen(partners["second"]) == {"AT/SEC/VIE-CITY": REMOVED}
    assert [url.split("/")[-2] for _, url, _, _ in told(partners["both"])] == ["SEC", "VLT"]


def test_asked_by_its_id_an_area_is_where_it_is_now(partners: dict[str, RoamingPlatform]) -> None:
    client = client_with("terminals")
    for operator, party in (("Second", "SEC"), ("Volt & Co", "VLT")):
        move_to(operator)
        to = {"OCPI-to-country-code": "AT", "OCPI-to-party-id": party}
        place = client.call("GET", "2.2.1/locations/VIE-CITY", **to).json()["data"]
        assert (place["party_id"], place["evses"][0]["status"]) == (party, "UNKNOWN")
        assert find_connector(partners["both"], START).evse.effective_uid == "DEMO-AC-1-1"


def test_a_profile_that_gets_another_party_moves_its_areas(partners: dict[str, RoamingPlatform]) -> None:
    profile = RoamingProfile.objects.get(party_id="VLT")
    profile.party_id = "NEW"
    masterdata.save(profile)
    outbox.drain()
    assert seen(partners["first"]) == {"AT/VLT/VIE-CITY": REMOVED, "AT/NEW/VIE-CITY": THERE}


def test_what_a_partner_never_saw_is_not_withdrawn_from_it(partners: dict[str, RoamingPlatform]) -> None:
    Document.objects.filter(platform=partners["first"], object_id="VIE-CITY").update(is_deleted=True)
    move_to("Second")
    assert seen(partners["first"]) == {}
    assert told(partners["first"]) == []


def test_an_area_made_anew_under_its_old_id_is_the_same_to_partners(partners: dict[str, RoamingPlatform]) -> None:
    old = Location.objects.get(roaming_id="VIE-CITY")
    values = {field.attname: getattr(old, field.attname) for field in Location._meta.concrete_fields}
    masterdata.delete(old.chargers.get())
    masterdata.delete(old)
    outbox.drain()
    area = Location(**values | {"id": None, "first_exposed_at": None, "roaming_id": "Vie-City"})
    masterdata.save(area)
    charger = Charger(location=area, identity="NEW", name="NEW", roaming_id="NEW", roaming=True)
    masterdata.save(charger)
    evse = EVSE(charger=charger, number=1, evse_id="AT*VLT*ENEW*1")
    masterdata.save(evse)
    masterdata.save(Connector(evse=evse, roaming_id="1"))
    outbox.drain()
    place = document_lists.named(partners["first"], Module.LOCATIONS, "VIE-CITY")
    assert place is not None and place.source_id == area.pk
    states = {evse["uid"]: evse["status"] for evse in place.body["evses"]}
    assert states == {"NEW-1": "UNKNOWN", "DEMO-AC-1-1": "REMOVED", "DEMO-AC-1-2": "REMOVED"}
