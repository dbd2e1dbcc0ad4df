"""Statements 27 to 36, on a list of terminals of a PTP that does nothing else."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.conformance.client import Answer, Client
from tests.conformance.marks import statement
from tests.conformance.stage import Peer, Stage

LIST = "payments/terminals"
MAXIMUM = 100
COUNT = 105


def moment(number: int) -> str:
    return f"2026-01-01T{number // 60:02}:{number % 60:02}:00Z"


@pytest.fixture(scope="module")
def client(stage: Stage) -> Client:
    """One terminal a minute."""
    pager: Peer = stage.register("new-9", stage.new_partner("PAG"))
    for number in range(COUNT):
        body = {"terminal_id": f"T-{number:03}", "last_updated": moment(number)}
        assert pager.client.post(LIST, body).http == 201
    return pager.client


def ids(*answers: Answer) -> list[str]:
    return [one["terminal_id"] for answer in answers for one in answer.data]


def query(link: str | None) -> dict[str, list[str]]:
    assert link is not None
    return parse_qs(urlsplit(link).query)


def test_027_link_to_the_next_page_keeps_all_filters(client: Client) -> None:
    filters = {"date_from": moment(10), "date_to": moment(20), "limit": "4"}
    first, second, last = client.pages(f"{LIST}?" + "&".join(f"{name}={value}" for name, value in filters.items()))
    for answer, offset in ((first, "4"), (second, "8")):
        assert answer.next_link is not None
        assert answer.next_link.startswith(f"{client.base}/ocpi/2.2.1/{LIST}?")
        assert query(answer.next_link) == {name: [value] for name, value in filters.items()} | {"offset": [offset]}
    assert "link" not in last.headers
    assert ids(first, second, last) == [f"T-{number:03}" for number in range(10, 20)]


def test_028_total_count_is_of_the_filtered_and_visible(client: Client) -> None:
    assert client.get(LIST).headers["x-total-count"] == str(COUNT)
    assert client.get(f"{LIST}?limit=3&offset=50").headers["x-total-count"] == str(COUNT)
    window = f"{LIST}?date_from={moment(100)}&offset=2&limit=1"
    assert client.get(window).headers["x-total-count"] == "5"


@statement(28)
def test_028_other_peers_objects_do_not_count(client: Client, stage: Stage) -> None:
    assert int(stage.other.client.get(LIST).headers["x-total-count"]) < COUNT


def test_029_a_larger_limit_than_the_maximum(client: Client) -> None:
    answer = client.get(f"{LIST}?limit=2000")
    assert len(answer.data) == MAXIMUM
    assert answer.headers["x-limit"] == str(MAXIMUM)
    assert query(answer.next_link) == {"limit": [str(MAXIMUM)], "offset": [str(MAXIMUM)]}


def test_030_a_short_page_still_tells_the_maximum(client: Client) -> None:
    last = client.pages(LIST)[-1]
    assert len(last.data) == COUNT - MAXIMUM
    assert last.headers["x-limit"] == str(MAXIMUM)
    assert client.get(f"{LIST}?limit=2").headers["x-limit"] == str(MAXIMUM)


@pytest.mark.parametrize("limit", [7, 50])
def test_031_a_crawl_shows_every_object_once(client: Client, limit: int) -> None:
    assert ids(*client.pages(f"{LIST}?limit={limit}")) == [f"T-{number:03}" for number in range(COUNT)]


@statement(31)
def test_031_a_crawl_of_locations(ptp: Peer) -> None:
    found = [one["id"] for page in ptp.client.pages("locations?limit=1") for one in page.data]
    assert sorted(found) == ["EDIT", "MAIN", "NIGHT", "SECOND"]


def test_032_date_from_is_inclusive_and_date_to_exclusive(client: Client) -> None:
    assert ids(client.get(f"{LIST}?date_from={moment(3)}&date_to={moment(5)}")) == ["T-003", "T-004"]
    assert ids(client.get(f"{LIST}?date_to={moment(1)}")) == ["T-000"]


def test_033_what_is_new_touches_the_last_page_only(client: Client) -> None:
    before = client.pages(f"{LIST}?limit=40&date_to=2026-02-01T00:00:00Z")
    # Changed long before all others, but created last.
    client.post(LIST, {"terminal_id": "NEW", "last_updated": "2025-01-01T00:00:00Z"})
    after = client.pages(f"{LIST}?limit=40&date_to=2026-02-01T00:00:00Z")
    assert [ids(page) for page in after[:-1]] == [ids(page) for page in before[:-1]]
    assert ids(after[-1]) == [*ids(before[-1]), "NEW"]


@pytest.mark.parametrize("offset", [COUNT + 1, 10**12])
def test_034_an_offset_beyond_the_end(client: Client, offset: int) -> None:
    answer = client.get(f"{LIST}?offset={offset}")
    assert answer.both == (200, 1000)
    assert answer.data == []
    assert answer.next_link is None


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
@pytest.mark.parametrize("path", ["locations", LIST])
def test_035_parameters_that_make_no_sense_are_2001(client: Client, path: str, wrong: str) -> None:
    assert client.get(f"{path}?{wrong}").both == (200, 2001)


@pytest.mark.parametrize(
    "path", ["sessions?date_from=2020-01-01T00:00:00Z", "cdrs", f"{LIST}?date_to=2001-01-01T00:00:00Z"]
)
def test_036_nothing_matches(client: Client, path: str) -> None:
    answer = client.get(path)
    found: Any = answer.data
    assert answer.both == (200, 1000)
    assert found == []
    assert answer.headers["x-total-count"] == "0"
