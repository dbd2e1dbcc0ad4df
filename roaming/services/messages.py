"""The log of all OCPI messages, in both directions.

The request's thread only hands over what it has in hand; masking, cutting and writing happen in a thread of
their own. Nothing is stored unmasked.
"""

import json
import re
import time
from datetime import timedelta
from typing import NamedTuple

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Value
from django.utils import timezone

from infrastructure.background import BackgroundWriter
from roaming.choices import Direction
from roaming.models import Message, RoamingPlatform
from roaming.ocpi.exchange import Exchange, Observer, Subject, subject_of, without_owner
from roaming.ocpi.headers import decode_tokens
from roaming.ocpi.masking import mask, mask_identity, plain_text

# Characters kept of a body. A page that we list can be read object by object under Documents.
MAX_BODY = 64 * 1024
MAX_LIST = 4 * 1024
# Read beyond the cut, so that what is masked is not cut in its middle.
_MARGIN = 4 * 1024
MAX_WAITING = 5_000
MAX_WAITING_BYTES = 32 * 1024 * 1024
# Anyone can send us requests with a wrong token; they must not fill the disk.
STRANGERS_PER_MINUTE = 60
_DELETE_AT_ONCE = 2_000

# Where a view leaves the caller's key in the request's META.
PLATFORM = "roaming.platform"

_STATUS_CODE = re.compile(rb'"status_code"\s*:\s*"?(\d{4})\b')
_STATUS_MESSAGE = re.compile(r'"status_message"\s*:\s*("(?:[^"\\]|\\.)*+")')
_REFERENCE = re.compile(r'"authorization_reference"\s*:\s*"([^"\\]*)"')
_EVSE_MODULE = "locations"
_TOKEN_MODULE = "tokens"
_PUBLIC_MODULES = {"locations", "tariffs", "versions"}


class _Item(NamedTuple):
    direction: Direction
    exchange: Exchange
    platform_id: int | None
    subject: Subject | None


class _Strangers:
    """How many more messages without a platform this minute may hold."""

    def __init__(self) -> None:
        self._minute = -1
        self._left = 0

    def may_enter(self) -> bool:
        minute = int(time.monotonic() // 60)
        if minute != self._minute:
            self._minute, self._left = minute, STRANGERS_PER_MINUTE
        self._left -= 1
        return self._left >= 0


def record_received(exchange: Exchange, platform_id: int | None) -> None:
    """A peer's request and our answer. No query, no waiting."""
    if platform_id is not None or _strangers.may_enter():
        _put(_Item(Direction.IN, exchange, platform_id, None))


def observer(platform: RoamingPlatform | None, subject: Subject | None = None) -> Observer:
    """Records what a client of ours sends. `subject` is for addresses that do not tell it."""
    platform_id = platform.pk if platform else None

    def record_sent(exchange: Exchange) -> None:
        _put(_Item(Direction.OUT, exchange, platform_id, subject))

    return record_sent


def _put(item: _Item) -> None:
    if settings.MESSAGE_LOG_DAYS > 0:
        writer.put(item, 1000 + len(item.exchange.request) + len(item.exchange.response))


def _write(items: list[_Item]) -> None:
    rows = [_row(item) for item in items]
    try:
        with transaction.atomic():
            Message.objects.bulk_create(rows)
    except IntegrityError:  # a platform was deleted meanwhile
        known = set(RoamingPlatform.objects.values_list("pk", flat=True))
        for row in rows:
            row.pk = None
            row.platform_id = row.platform_id if row.platform_id in known else None
        Message.objects.bulk_create(rows)


def _row(item: _Item) -> Message:
    exchange = item.exchange
    subject = _subject(item)
    status_code = _status_code(exchange.response)
    is_ok = not exchange.error and _is_success(exchange.http_status, status_code)
    longest = _longest_answer(item, subject)
    response = _text(exchange.response, longest)
    # What everybody may know needs no search for secrets, which takes longest in these large pages.
    is_public = item.direction == Direction.IN and is_ok and subject.module in _PUBLIC_MODULES
    url, error, request, searched = mask(
        (exchange.url, exchange.error, _text(exchange.request, MAX_BODY), "" if is_public else response),
        secrets=_secrets(exchange.authorization),
        has_identities=subject.module != _EVSE_MODULE,
    )
    response = response if is_public else searched
    if subject.module == _TOKEN_MODULE:
        url, subject = _without_uid(url, subject)
    reference = _REFERENCE.search(request)
    return Message(
        platform_id=item.platform_id,
        direction=item.direction,
        started_at=exchange.started_at,
        duration_ms=round(exchange.duration_s * 1000),
        method=_word(exchange.method, 10),
        url=_word(url, 1024),
        module=subject.module,
        object_id=_word(subject.object_id, 120),
        authorization_reference=_word(reference[1], 80) if reference else "",
        request_id=_word(exchange.request_id, 80),
        correlation_id=_word(exchange.correlation_id, 80),
        http_status=exchange.http_status,
        status_code=status_code,
        is_ok=is_ok,
        error="" if is_ok else (error or _status_message(response))[:1000],
        request_body=request[:MAX_BODY],
        # An expression keeps Django from sending the batch as PostgreSQL arrays: psycopg escapes every quote in
        # them with a call of Python, which would take ten times as long as all else here.
        response_body=Value(response[:longest]),
        request_size=len(exchange.request),
        response_size=len(exchange.response),
    )


def _subject(item: _Item) -> Subject:
    named, told = subject_of(item.exchange.url), item.subject
    # An address of the same module is more exact: it names the EVSE within the Location.
    if told is None or (named.module == told.module and named.object_id):
        return named
    return Subject(told.module, without_owner(told.object_id))


def _longest_answer(item: _Item, subject: Subject) -> int:
    is_list = item.direction == Direction.IN and item.exchange.method == "GET" and not subject.object_id
    return MAX_LIST if is_list else MAX_BODY


def _text(body: bytes, limit: int) -> str:
    return plain_text(body[: limit + _MARGIN])


def _secrets(authorization: str) -> set[str]:
    """Every form of the token that opened this exchange."""
    return {*authorization.split()[1:], *decode_tokens(authorization)}


def _without_uid(url: str, subject: Subject) -> tuple[str, Subject]:
    """The address of a token has the token's uid in it (2.2.1 mod_tokens, 12.2)."""
    uid = subject.object_id.split("/")[0]
    hidden = mask_identity(uid)
    if not uid:
        return url, subject
    return url.replace(f"/{uid}", f"/{hidden}"), subject._replace(object_id=subject.object_id.replace(uid, hidden, 1))


def _status_code(response: bytes) -> int | None:
    # It stands in front of the data or behind it, seldom in its middle.
    for part in (response[:300], response[-300:], response):
        if found := _STATUS_CODE.search(part):
            return int(found[1])
    return None


def _is_success(http_status: int | None, status_code: int | None) -> bool:
    return http_status is not None and 200 <= http_status < 300 and (status_code is None or status_code < 2000)


def _status_message(response: str) -> str:
    found = _STATUS_MESSAGE.search(response)
    if found is None:
        return ""
    try:
        return str(json.loads(found[1], strict=False))
    except ValueError:
        return found[1]


def _word(text: str, longest: int) -> str:
    """Fit for a column: the headers and addresses of strangers can hold what no database takes."""
    return text[:longest].replace("\0", "").encode("utf-8", "replace").decode()


def delete_old() -> None:
    """Forgets messages older than the installation keeps them, in small transactions."""
    limit = timezone.now() - timedelta(days=settings.MESSAGE_LOG_DAYS)
    old = Message.objects.filter(started_at__lt=limit).order_by("started_at")
    while Message.objects.filter(pk__in=old.values("pk")[:_DELETE_AT_ONCE]).delete()[0]:
        pass


_strangers = _Strangers()
writer: BackgroundWriter[_Item] = BackgroundWriter(_write, max_items=MAX_WAITING, max_bytes=MAX_WAITING_BYTES)
flush = writer.flush
