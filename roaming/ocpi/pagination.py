"""Pages of lists, as the server of a list sees them (2.2.1 transport_and_format.asciidoc, Pagination)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Self
from urllib.parse import urlencode

from .errors import InvalidParameters
from .types import parse_datetime

DEFAULT_MAXIMUM = 100
# Our own parameter in the Link of a page: where the next one begins, so that nothing before it is counted off.
AFTER = "after"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PLACE = re.compile(r"(\d{1,15})\.(\d{1,18})\.(\d{1,18})", re.ASCII)


class Place(NamedTuple):
    """Of an object in a list, which is ordered by these."""

    created_at: datetime
    id: int


@dataclass(frozen=True, slots=True)
class PageRequest:
    """What a peer asked for: `date_from` inclusive and `date_to` exclusive, both on last_updated.

    `after` is where the page before ended, if the request follows our Link.
    """

    offset: int
    limit: int
    date_from: datetime | None
    date_to: datetime | None
    maximum: int
    after: Place | None = None

    @property
    def is_first(self) -> bool:
        """A crawl begins here; what changes during it is asked for by the next."""
        return self.offset == 0

    @classmethod
    def from_query(cls, params: Mapping[str, str], maximum: int = DEFAULT_MAXIMUM) -> Self:
        """InvalidParameters for a malformed date, a limit below 1 or an offset that is no whole number."""
        limit = _whole(params, "limit", default=maximum)
        if limit < 1:
            raise InvalidParameters("limit: must be at least 1")
        offset = _whole(params, "offset", default=0)
        return cls(
            offset=offset,
            limit=min(limit, maximum),
            date_from=_moment(params, "date_from"),
            date_to=_moment(params, "date_to"),
            maximum=maximum,
            after=_after(params, offset),
        )


def page_headers(
    url: str,
    params: Mapping[str, str],
    page: PageRequest,
    total: int,
    *,
    is_last: bool | None = None,
    end: Place | None = None,
) -> dict[str, str]:
    """Headers of one page; `url` absolute and without query, `total` the matches the peer may see.

    `is_last` None: offset and total tell. `end` is the place of the page's last object.
    """
    headers = {"X-Total-Count": str(total), "X-Limit": str(page.maximum)}
    following = page.offset + page.limit
    if not (following >= total if is_last is None else is_last):
        query = {**params, "offset": str(following), "limit": str(page.limit)}
        if end is not None:
            query[AFTER] = f"{following}.{(end.created_at - _EPOCH) // timedelta(microseconds=1)}.{end.id}"
        headers["Link"] = f'<{url}?{urlencode(query, safe=":")}>; rel="next"'
    return headers


def _after(params: Mapping[str, str], offset: int) -> Place | None:
    """None where there is no such parameter, and where the client made an offset of its own."""
    found = _PLACE.fullmatch(params.get(AFTER) or "")
    if found is None or int(found[1]) != offset:
        return None
    try:
        return Place(_EPOCH + timedelta(microseconds=int(found[2])), int(found[3]))
    except OverflowError:
        return None


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
