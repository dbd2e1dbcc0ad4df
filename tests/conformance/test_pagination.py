"""Statements 27 to 36, on every list that a PTP may read; one that does nothing else has more than a page of two."""

from datetime import timedelta
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from tests.conformance.charger import until
from tests.conformance.client import Answer, Client, Json, moment_of, written
from tests.conformance.marks import statement
from tests.conformance.seed import AREAS, MANY
from tests.conformance.stage import Peer, Stage

TERMINALS = "payments/terminals"
ADVICES = "payments/financial-advice-confirmations"
LISTS = ["locations", "tariffs", "sessions", "cdrs", TERMINALS, ADVICES]
# They have more objects than a page: what they are called by.
LONG_LISTS = {"locations": "id", TERMINALS: "terminal_id"}
MAXIMUM = 100
COUNT = MANY
LONG_AGO, FAR_OFF = "2020-01-01T00:00:00Z", "2099-01-01T00:00:00Z"
MILLISECOND = timedelta(milliseconds=1)


def at(number: int) -> str:
    return f"2026-01-01T{number // 60:02}:{number % 60:02}:00Z"


def path_of(name: str, **params: object) -> str:
    """A list with these parameters; sessions always have a date."""
    required = {"date_from": LONG_AGO} if name == "sessions" else {}
    query = urlencode(required | params)
    return f"{name}?{query}" if query else name


class Lists(NamedTuple):
    """`whole` has every list as it is without filters, object by object."""

    peer: Peer
    client: Client
    whole: dict[str, list[Json]]


@pytest.fixture(scope="module")
def lists(stage: Stage) -> Lists:
    """One terminal a minute, a few of what is long elsewhere."""
    pager: Peer = stage.register("new-9", stage.new_partner("PAG"))
    for number in range(COUNT):
        body = {"terminal_id": f"T-{number:03}", "last_updated": at(number)}
        assert pager.client.post(TERMINALS, body).http == 201
    for number in range(3):
        stage.charged(peer=pager)
        assert pager.client.post(ADVICES, advice(number)).http == 201
    until("all areas", lambda: pager.client.get("locations").headers["x-total-count"] == str(MANY + AREAS))
    return Lists(pager, pager.client, {name: objects(*pager.client.pages(path_of(name))) for name in LISTS})


def advice(number: int) -> Json:
    return {
        "id": f"A-{number}",
        "authorization_reference": f"nothing-{number}",
        "total_costs": {"excl_vat": 5.0, "incl_vat": 6.0},
        "currency": "EUR",
        "eft_data": ["Slip"],
        "capture_status_code": "SUCCESS",
        "last_updated": at(number),
    }


@pytest.fixture(scope="module")
def client(lists: Lists) -> Client:
    return lists.client


def objects(*answers: Answer) -> list[Json]:
    return [one for answer in answers for one in answer.data]


def ids(*answers: Answer) -> list[str]:
    return [one.get("terminal_id") or one["id"] for one in objects(*answers)]


def query(link: str | None) -> dict[str, list[str]]:
    """Of a page's Link, without our own parameter, which says where the page ended."""
    assert link is not None
    found = parse_qs(urlsplit(link).query)
    return {name: values for name, values in found.items() if name != "after"}


def test_027_link_to_the_next_page_keeps_all_filters(client: Client) -> None:
    filters = {"date_from": at(10), "date_to": at(20), "limit": "4"}
    first, second, last = client.pages(path_of(TERMINALS, **filters))
    for answer, offset in ((first, "4"), (second, "8")):
        assert query(answer.next_link) == {name: [value] for name, value in filters.items()} | {"offset": [offset]}
    assert ids(first, second, last) == [f"T-{number:03}" for number in range(10, 20)]


@statement(27)
@pytest.mark.parametrize("name", LISTS)
def test_027_the_link_of_every_list(lists: Lists, name: str) -> None:
    filters = {"date_from": LONG_AGO, "date_to": FAR_OFF, "limit": "1"}
    first = lists.client.get(path_of(name, **filters))
    assert first.next_link is not None
    assert first.next_link.startswith(f"{lists.client.base}/ocpi/2.2.1/{name}?")
    assert query(first.next_link) == {one: [value] for one, value in filters.items()} | {"offset": ["1"]}
    before_last = lists.client.get(path_of(name, limit=1, offset=len(lists.whole[name]) - 2))
    assert before_last.next_link is not None
    last = lists.client.get(before_last.next_link)
    assert last.data == lists.whole[name][-1:]
    assert "link" not in last.headers


@pytest.mark.parametrize("name", LISTS)
def test_028_total_count_is_of_the_filtered_and_visible(lists: Lists, name: str) -> None:
    moments = sorted(moment_of(one["last_updated"]) for one in lists.whole[name])
    middle = moments[len(moments) // 2]
    since = len([one for one in moments if one >= middle])
    for offset in (0, 1, 10_000):
        filtered = lists.client.get(path_of(name, limit=1, offset=offset, date_from=written(middle)))
        assert filtered.headers["x-total-count"] == str(since)
        before = lists.client.get(path_of(name, limit=1, offset=offset, date_to=written(middle)))
        assert before.headers["x-total-count"] == str(len(moments) - since)
        whole = lists.client.get(path_of(name, limit=1, offset=offset))
        assert whole.headers["x-total-count"] == str(len(moments))


@statement(28)
@pytest.mark.parametrize("name", LISTS)
def test_028_other_peers_objects_do_not_count(stage: Stage, lists: Lists, name: str) -> None:
    expected = {"locations": MANY + AREAS, "tariffs": 3, "sessions": 3, "cdrs": 3, TERMINALS: COUNT, ADVICES: 3}
    assert len(lists.whole[name]) == expected[name]
    if name == "locations":
        assert stage.other.client.get(name).headers["x-total-count"] == str(AREAS)


@pytest.mark.parametrize("name", LISTS)
def test_029_a_larger_limit_than_the_maximum(lists: Lists, name: str) -> None:
    answer = lists.client.get(path_of(name, limit=2000))
    assert len(answer.data) == min(MAXIMUM, len(lists.whole[name]))
    assert answer.headers["x-limit"] == str(MAXIMUM)
    if name in LONG_LISTS:
        assert query(answer.next_link) == {"limit": [str(MAXIMUM)], "offset": [str(MAXIMUM)]}


@pytest.mark.parametrize("name", LISTS)
def test_030_a_short_page_still_tells_the_maximum(lists: Lists, name: str) -> None:
    last = lists.client.pages(path_of(name))[-1]
    assert len(last.data) == len(lists.whole[name]) % MAXIMUM
    assert last.headers["x-limit"] == str(MAXIMUM)
    assert lists.client.get(path_of(name, limit=2)).headers["x-limit"] == str(MAXIMUM)


@pytest.mark.parametrize("limit", [7, 50])
@pytest.mark.parametrize("name", LONG_LISTS)
def test_031_a_crawl_shows_every_object_once(lists: Lists, name: str, limit: int) -> None:
    found = ids(*lists.client.pages(path_of(name, limit=limit)))
    assert len(found) == len(set(found)) == len(lists.whole[name])
    assert found == [one[LONG_LISTS[name]] for one in lists.whole[name]]


@statement(31)
@pytest.mark.parametrize("name", LISTS)
def test_031_a_crawl_by_offsets_of_ones_own(lists: Lists, name: str) -> None:
    """Without our Link, as some clients do it."""
    length = len(lists.whole[name])
    offsets = range(0, length, 2) if length < MAXIMUM else (0, 50, 100)
    pages = [lists.client.get(path_of(name, limit=50 if length >= MAXIMUM else 2, offset=one)) for one in offsets]
    assert objects(*pages) == lists.whole[name]


@statement(31)
def test_031_a_crawl_of_locations(ptp: Peer) -> None:
    found = [one["id"] for page in ptp.client.pages("locations?limit=1") for one in page.data]
    assert sorted(found) == ["EDIT", "MAIN", "NIGHT", "SECOND"]


def test_032_date_from_is_inclusive_and_date_to_exclusive(client: Client) -> None:
    assert ids(client.get(path_of(TERMINALS, date_from=at(3), date_to=at(5)))) == ["T-003", "T-004"]
    assert ids(client.get(path_of(TERMINALS, date_to=at(1)))) == ["T-000"]
    assert ids(client.get(path_of(ADVICES, date_from=at(1), date_to=at(2)))) == ["A-1"]


@statement(32)
@pytest.mark.parametrize("name", LISTS)
def test_032_an_object_is_in_the_window_that_begins_with_its_moment(lists: Lists, name: str) -> None:
    for one in (lists.whole[name][0], lists.whole[name][-1]):
        moment = moment_of(one["last_updated"])
        from_here = path_of(name, date_from=written(moment), date_to=written(moment + MILLISECOND))
        assert one in objects(*lists.client.pages(from_here))
        until_here = path_of(name, date_from=LONG_AGO, date_to=written(moment))
        assert one not in objects(*lists.client.pages(until_here))
        later = path_of(name, date_from=written(moment + MILLISECOND))
        assert one not in objects(*lists.client.pages(later))


def test_033_what_is_new_touches_the_last_page_only(client: Client) -> None:
    path = path_of(TERMINALS, limit=40, date_to="2026-02-01T00:00:00Z")
    before = client.pages(path)
    # Changed long before all others, but created last.
    client.post(TERMINALS, {"terminal_id": "NEW", "last_updated": "2025-01-01T00:00:00Z"})
    after = client.pages(path)
    assert [ids(page) for page in after[:-1]] == [ids(page) for page in before[:-1]]
    assert ids(after[-1]) == [*ids(before[-1]), "NEW"]


@statement(33)
def test_033_what_changes_keeps_its_place(stage: Stage, lists: Lists) -> None:
    before = ids(*lists.client.pages(path_of("locations", limit=40)))
    stage.save("infrastructure/location", "P-000", city="Linz")
    until("the change", lambda: lists.client.get("locations/P-000").data["city"] == "Linz")
    assert ids(*lists.client.pages(path_of("locations", limit=40))) == before


@pytest.mark.parametrize("offset", [COUNT + 10, 10**12])
@pytest.mark.parametrize("name", LISTS)
def test_034_an_offset_beyond_the_end(client: Client, name: str, offset: int) -> None:
    answer = client.get(path_of(name, offset=offset))
    assert answer.both == (200, 1000)
    assert answer.data == []
    assert "link" not in answer.headers


@pytest.mark.parametrize(
    "wrong",
    [
        "limit=0",
        "limit=-1",
        "limit=ten",
        "limit=1.5",
        "offset=-1",
        "offset=x",
        "offset=99999999999999999999",
        "date_from=2019-01-9T12:00:00",
        "date_from=yesterday",
        "date_to=2026-01-01T00:00:00%2B02:00",
    ],
)
@pytest.mark.parametrize("name", LISTS)
def test_035_parameters_that_make_no_sense_are_2001(client: Client, name: str, wrong: str) -> None:
    required = f"date_from={LONG_AGO}&" if name == "sessions" and "date_from" not in wrong else ""
    answer = client.get(f"{name}?{required}{wrong}")
    assert answer.both == (200, 2001)
    assert wrong.partition("=")[0] in answer.body["status_message"]


@pytest.mark.parametrize("name", LISTS)
def test_036_nothing_matches(client: Client, name: str) -> None:
    answer = client.get(path_of(name, date_from="2000-01-01T00:00:00Z", date_to="2001-01-01T00:00:00Z"))
    found: Any = answer.data
    assert answer.both == (200, 1000)
    assert found == []
    assert answer.headers["x-total-count"] == "0"
    assert "link" not in answer.headers
