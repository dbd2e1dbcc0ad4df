from datetime import UTC, datetime

import pytest

from roaming.ocpi.errors import InvalidParameters
from roaming.ocpi.pagination import PageRequest, page_headers

URL = "https://cpo.example/ocpi/2.2.1/sessions"


def test_without_parameters_the_first_page_of_the_maximum_is_meant() -> None:
    page = PageRequest.from_query({}, maximum=50)
    assert (page.offset, page.limit, page.date_from, page.date_to) == (0, 50, None, None)


def test_all_parameters_are_read() -> None:
    page = PageRequest.from_query(
        {"offset": "10", "limit": "5", "date_from": "2025-01-01T00:00:00", "date_to": "2025-02-01T00:00:00Z"},
        maximum=50,
    )
    assert (page.offset, page.limit) == (10, 5)
    assert page.date_from == datetime(2025, 1, 1, tzinfo=UTC)
    assert page.date_to == datetime(2025, 2, 1, tzinfo=UTC)


def test_a_limit_above_the_maximum_means_the_maximum() -> None:
    assert PageRequest.from_query({"limit": "2000"}, maximum=100).limit == 100


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"},
        {"limit": "-1"},
        {"limit": "ten"},
        {"limit": "1.0"},
        {"limit": "²"},
        {"offset": "-1"},
        {"offset": "x"},
        {"offset": "9" * 5000},
        {"date_from": "2019-01-9T12:00:00"},
        {"date_to": "2025-01-01T00:00:00+02:00"},
    ],
)
def test_a_malformed_parameter_is_named(query: dict[str, str]) -> None:
    with pytest.raises(InvalidParameters, match=next(iter(query))):
        PageRequest.from_query(query, maximum=100)


def test_the_link_to_the_next_page_keeps_every_filter() -> None:
    query = {"date_from": "2025-01-01T00:00:00Z", "limit": "2000", "x": "a&b"}
    page = PageRequest.from_query(query, maximum=100)
    headers = page_headers(URL, query, page, total=250)
    assert headers == {
        "X-Total-Count": "250",
        "X-Limit": "100",
        "Link": f'<{URL}?date_from=2025-01-01T00:00:00Z&limit=100&x=a%26b&offset=100>; rel="next"',
    }


@pytest.mark.parametrize(("offset", "total"), [("0", 0), ("0", 100), ("200", 250), ("500", 250)])
def test_the_last_page_has_no_link_but_still_the_maximum(offset: str, total: int) -> None:
    page = PageRequest.from_query({"offset": offset}, maximum=100)
    headers = page_headers(URL, {"offset": offset}, page, total)
    assert headers == {"X-Total-Count": str(total), "X-Limit": "100"}


def test_x_limit_shows_the_maximum_when_less_was_asked_for() -> None:
    page = PageRequest.from_query({"limit": "3"}, maximum=100)
    headers = page_headers(URL, {"limit": "3"}, page, total=4)
    assert headers["X-Limit"] == "100"
    assert "offset=3" in headers["Link"] and "limit=3" in headers["Link"]


def test_a_line_break_in_a_parameter_cannot_add_a_header() -> None:
    page = PageRequest.from_query({}, maximum=1)
    assert "\n" not in page_headers(URL, {"x": "a\r\nSet-Cookie: b"}, page, total=2)["Link"]
