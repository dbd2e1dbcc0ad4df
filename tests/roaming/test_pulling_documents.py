"""What a partner pulls of ours: locations, tariffs, sessions and CDRs."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from roaming.choices import Module
from roaming.ocpi.pagination import DEFAULT_MAXIMUM
from roaming.services.tokens import hash_token
from tests.roaming.client import client_with
from tests.roaming.factories import DocumentFactory, RegisteredPlatformFactory

pytestmark = pytest.mark.django_db

NOON = datetime(2025, 1, 1, 12, tzinfo=UTC)
CONNECTOR = {"id": "1", "standard": "IEC_62196_T2"}
LOCATION = {"id": "VIE-HQ", "evses": [{"uid": "VIE-HQ-01-1", "connectors": [CONNECTOR]}]}
LISTS = {
    Module.LOCATIONS: "2.2.1/locations",
    Module.TARIFFS: "2.2.1/tariffs",
    Module.SESSIONS: "2.2.1/sessions?date_from=2024-01-01T00:00:00Z",
    Module.CDRS: "2.2.1/cdrs",
}


@pytest.fixture
def client_of_registration(platform):
    platform.registration_token_hash = hash_token("a-registration-token")
    platform.save(update_fields=["registration_token_hash"])
    return client_with("a-registration-token")


def data_of(client, path):
    response = client.call("GET", path)
    assert response.status_code == 200, response.content
    assert response.json()["status_code"] == 1000, response.content
    return response.json()["data"]


@pytest.mark.parametrize(("module", "path"), LISTS.items())
def test_a_list_holds_the_documents_of_this_platform_and_module(ocpi, platform, module, path):
    for other in Module:
        DocumentFactory(platform=platform, module=other, object_id=f"own-{other}")
    DocumentFactory(module=module, object_id="of-another-platform")
    DocumentFactory(platform=platform, module=module, object_id="withdrawn", is_deleted=True)
    assert data_of(ocpi, path) == [{"id": f"own-{module}"}]


@pytest.mark.parametrize("module", LISTS)
def test_one_object_by_id_in_any_case(ocpi, platform, module):
    DocumentFactory(platform=platform, module=module, object_id="Some-Id", body={"id": "Some-Id"})
    assert data_of(ocpi, f"2.2.1/{module}/sOME-iD") == {"id": "Some-Id"}


@pytest.mark.parametrize("module", LISTS)
def test_what_is_anothers_withdrawn_or_absent_is_404(ocpi, platform, module):
    DocumentFactory(platform=RegisteredPlatformFactory(), module=module, object_id="anothers")
    DocumentFactory(platform=platform, module=module, object_id="withdrawn", is_deleted=True)
    answers = [ocpi.call("GET", f"2.2.1/{module}/{name}") for name in ("anothers", "withdrawn", "absent")]
    assert [answer.status_code for answer in answers] == [404, 404, 404]
    assert {answer.json()["status_code"] for answer in answers} == {2000}


def test_location_evse_and_connector(ocpi, platform):
    DocumentFactory(platform=platform, object_id="VIE-HQ", body=LOCATION)
    assert data_of(ocpi, "2.2.1/locations/vie-hq") == LOCATION
    assert data_of(ocpi, "2.2.1/locations/VIE-HQ/vie-hq-01-1") == LOCATION["evses"][0]
    assert data_of(ocpi, "2.2.1/locations/VIE-HQ/VIE-HQ-01-1/1") == CONNECTOR


@pytest.mark.parametrize("part", ["NO-EVSE", "VIE-HQ-01-1/2", "NO-EVSE/1"])
def test_an_unknown_part_of_a_location_is_404(ocpi, platform, part):
    DocumentFactory(platform=platform, object_id="VIE-HQ", body=LOCATION)
    assert ocpi.call("GET", f"2.2.1/locations/VIE-HQ/{part}").status_code == 404


def test_an_encoded_id_is_understood(ocpi, platform):
    DocumentFactory(platform=platform, object_id="A&B?C", body={"id": "A&B?C"})
    assert data_of(ocpi, "2.2.1/locations/A%26B%3FC") == {"id": "A&B?C"}


def test_tariff_with_its_party_in_the_address(ocpi, platform):
    DocumentFactory(platform=platform, module=Module.TARIFFS, object_id="ADHOC", country_code="AT", party_id="PLG")
    assert data_of(ocpi, "2.2.1/tariffs/at/plg/adhoc") == {"id": "ADHOC"}
    assert ocpi.call("GET", "2.2.1/tariffs/AT/XXX/ADHOC").status_code == 404


def test_sessions_need_date_from(ocpi):
    response = ocpi.call("GET", "2.2.1/sessions")
    assert (response.status_code, response.json()["status_code"]) == (200, 2001)


def make_many(platform, count):
    for number in range(count):
        DocumentFactory(
            platform=platform,
            object_id=f"L{number}",
            created_at=NOON + timedelta(minutes=number),
            # The oldest changed last: lists go by creation, filters by change.
            last_updated=NOON - timedelta(minutes=number),
        )


def test_following_the_links_visits_every_object_once(ocpi, platform):
    make_many(platform, 5)
    path, seen = "2.2.1/locations?limit=2", []
    while path:
        response = ocpi.call("GET", path)
        assert response["X-Total-Count"] == "5"
        assert response["X-Limit"] == str(DEFAULT_MAXIMUM)
        seen += [item["id"] for item in response.json()["data"]]
        link = response.get("Link", "")
        path = link.removeprefix("<http://testserver/ocpi/").partition(">")[0]
    assert seen == ["L0", "L1", "L2", "L3", "L4"]


def test_the_link_keeps_the_filters(ocpi, platform):
    make_many(platform, 3)
    response = ocpi.call("GET", "2.2.1/locations?date_from=2025-01-01T11:00:00Z&limit=1")
    assert "date_from=2025-01-01T11:00:00Z" in response["Link"]
    assert "offset=1" in response["Link"] and "limit=1" in response["Link"]


def test_date_from_is_inclusive_and_date_to_exclusive(ocpi, platform):
    make_many(platform, 3)
    path = "2.2.1/locations?date_from=2025-01-01T11:59:00Z&date_to=2025-01-01T12:00:00Z"
    response = ocpi.call("GET", path)
    assert [item["id"] for item in response.json()["data"]] == ["L1"]
    assert response["X-Total-Count"] == "1"


def test_beyond_the_end_is_an_empty_page(ocpi, platform):
    make_many(platform, 1)
    response = ocpi.call("GET", "2.2.1/locations?offset=7")
    assert response.json()["data"] == []
    assert "Link" not in response
    nothing = ocpi.call("GET", "2.2.1/tariffs")
    assert (nothing.json()["data"], nothing["X-Total-Count"]) == ([], "0")


@pytest.mark.parametrize("query", ["limit=0", "limit=-1", "limit=x", "offset=-1", "date_from=yesterday"])
def test_a_malformed_page_is_2001(ocpi, query):
    response = ocpi.call("GET", f"2.2.1/locations?{query}")
    assert (response.status_code, response.json()["status_code"]) == (200, 2001)


def asked_first():
    """Queries before the first page of a list: on PostgreSQL whether somebody is writing what it lists."""
    return int(connection.vendor == "postgresql")


@pytest.mark.parametrize("count", [1, 20])
def test_a_page_costs_the_same_whatever_its_size(ocpi, platform, django_assert_num_queries, count):
    make_many(platform, count)
    with django_assert_num_queries(1 + asked_first()):  # who asks, and the page
        assert len(data_of(ocpi, "2.2.1/locations")) == count


def test_two_platforms_see_each_its_own_rendering(platform, ocpi):
    other = RegisteredPlatformFactory(server_token="second")
    DocumentFactory(platform=platform, object_id="L1", body={"id": "L1", "name": "for the first"})
    DocumentFactory(platform=other, object_id="L1", body={"id": "L1", "name": "for the second"})
    assert data_of(ocpi, "2.2.1/locations/L1")["name"] == "for the first"
    assert data_of(client_with("second"), "2.2.1/locations/L1")["name"] == "for the second"


def test_a_list_repeats_the_objects_as_they_are_stored(ocpi, platform):
    body = {"id": "L1", "name": 'Göttlesbrunn "Süd" 50 %, {0} %(limit)s', "tax": 1.5, "open": True, "none": None}
    document = DocumentFactory(platform=platform, object_id="L1", body=body)
    assert data_of(ocpi, "2.2.1/locations") == [body]
    document.body = {"id": "L1", "name": "Łódź\n☂"}
    document.save(update_fields=["body"])
    assert data_of(ocpi, "2.2.1/locations") == [document.body]


@pytest.mark.parametrize("query", ["", "?limit=x", "?date_from=2025-01-01T00:00:00Z"])
def test_a_stranger_is_told_nothing_about_the_list(client, platform, query):
    DocumentFactory(platform=platform)
    response = client.get(f"/ocpi/2.2.1/locations{query}", headers={"Authorization": "Token bm90LW91cnM="})
    assert response.status_code == 401
    assert "data" not in response.json() and "X-Total-Count" not in response


def test_a_registration_token_pulls_nothing(platform, client_of_registration):
    DocumentFactory(platform=platform)
    response = client_of_registration.call("GET", "2.2.1/locations")
    assert response.status_code == 401
    assert "data" not in response.json()


@pytest.mark.parametrize("query", ["", "?limit=1", "?offset=19", "?offset=99", "?date_from=2025-01-01T00:00:00Z"])
def test_any_page_is_one_query(ocpi, platform, django_assert_num_queries, query):
    make_many(platform, 20)
    is_first = "offset" not in query
    with django_assert_num_queries(1 + (asked_first() if is_first else 0)):
        data_of(ocpi, f"2.2.1/locations{query}")


def linked(client, path):
    """What the Link of a page leads to, as a path below /ocpi/."""
    link = client.call("GET", path).headers["Link"]
    return link.partition("/ocpi/")[2].partition(">")[0]


def three_locations(platform):
    return [
        DocumentFactory(platform=platform, object_id=f"L{n}", created_at=NOON + timedelta(microseconds=n))
        for n in range(3)
    ]


def test_what_is_withdrawn_during_a_crawl_makes_it_pass_over_nothing(ocpi, platform):
    first, _, _ = three_locations(platform)
    following = linked(ocpi, "2.2.1/locations?limit=1")
    first.is_deleted = True
    first.save()
    assert data_of(ocpi, following) == [{"id": "L1"}]
    assert data_of(ocpi, linked(ocpi, following)) == [{"id": "L2"}]


def test_a_link_is_there_as_long_as_something_follows(ocpi, platform):
    three_locations(platform)
    following = linked(ocpi, "2.2.1/locations?limit=1")
    # Then there is less than the offset says, but not less than the crawl has still to see.
    platform.documents.filter(object_id="L0").update(is_deleted=True)
    assert data_of(ocpi, linked(ocpi, following)) == [{"id": "L2"}]
    assert "Link" not in ocpi.call("GET", linked(ocpi, following)).headers


def test_who_makes_an_offset_of_its_own_out_of_a_link_gets_that(ocpi, platform):
    three_locations(platform)
    following = linked(ocpi, "2.2.1/locations?limit=1")
    assert data_of(ocpi, following.replace("offset=1", "offset=2")) == [{"id": "L2"}]
    assert data_of(ocpi, following.replace("offset=1", "offset=0")) == [{"id": "L0"}]


@pytest.mark.parametrize("after", ["", "1", "1.2", "1.x.3", "1.999999999999999999.1", "-1.2.3"])
def test_an_end_of_a_page_that_is_none_of_ours_is_passed_over(ocpi, platform, after):
    three_locations(platform)
    assert data_of(ocpi, f"2.2.1/locations?limit=1&offset=1&after={after}") == [{"id": "L1"}]


def test_a_page_that_a_link_leads_to_is_one_query_too(ocpi, platform, django_assert_num_queries):
    three_locations(platform)
    following = linked(ocpi, "2.2.1/locations?limit=1")
    with django_assert_num_queries(1):
        ocpi.call("GET", following)
