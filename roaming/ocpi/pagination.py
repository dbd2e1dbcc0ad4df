"""Pages of lists, as the server of a list sees them (2.2.1 transport_and_format.asciidoc, Pagination)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Self
from urllib.parse import urlencode

from .errors import InvalidParameters
from .types import parse_datetime

DEFAULT_MAXIMUM = 100


@dataclass(frozen=True, slots=True)
class PageRequest:
    """What a peer asked for: `date_from` inclusive and `date_to` exclusive, both on last_updated."""

    offset: int
    limit: int
    date_from: datetime | None
    date_to: datetime | None
    maximum: int

    @classmethod
    def from_query(cls, params: Mapping[str, str], maximum: int = DEFAULT_MAXIMUM) -> Self:
        """InvalidParameters for a malformed date, a limit below 1 or an offset that is no whole number."""
        limit = _whole(params, "limit", default=maximum)
        if limit < 1:
            raise InvalidParameters("limit: must be at least 1")
        return cls(
            offset=_whole(params, "offset", default=0),
            limit=min(limit, maximum),
            date_from=_moment(params, "date_from"),
            date_to=_moment(params, "date_to"),
            maximum=maximum,
        )


def page_headers(url: str, params: Mapping[str, str], page: PageRequest, total: int) -> dict[str, str]:
    """Headers of one page; `url` absolute and without query, `total` the matches the peer may see."""
    headers = {"X-Total-Count": str(total), "X-Limit": str(page.maximum)}
    following = page.offset + page.limit
    if following < total:
        query = urlencode({**params, "offset": following, "limit": page.limit}, safe=":")
        headers["Link"] = f'<{url}?{query}>; rel="next"'
    return headers


def _whole(params: Mapping[str, str], name: str, *, default: int) -> int:
    text = (params.get(name) or "").strip()
    if not text:
        return default
    # More than 15 digits would overflow the database, not just the list.
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise InvalidParameters(f"{name}: {text[:20]!r} is not a whole number of 0 or more")
    return int(text)


def _moment(params: Mapping[str, str], name: str) -> datetime | None:
    text = (params.get(name) or "").strip()
    if not text:
        return None
    try:
        return parse_datetime(text)
    except ValueError as error:
        raise InvalidParameters(f"{name}: {error}") from None
