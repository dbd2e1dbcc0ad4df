"""What peers may expect of every address below /ocpi/, whichever app serves it."""

import re
import time
from collections.abc import Callable

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.request import RawPostDataException, UnreadablePostError
from django.utils import timezone

from infrastructure.correlation import correlated
from roaming.ocpi.envelope import failure
from roaming.ocpi.errors import GenericClientError, NotFound, OcpiError, ServerError
from roaming.ocpi.exchange import Exchange
from roaming.ocpi.headers import new_id
from roaming.services import messages

ROOT = "/ocpi/"
LARGEST_BODY = 1_000_000
_SLASHES = re.compile(r"/{2,}")
_CORRELATION = "HTTP_X_CORRELATION_ID"

GetResponse = Callable[[HttpRequest], HttpResponse]


class OcpiMiddleware:
    """Accepts doubled and trailing slashes (peers join addresses carelessly), answers unknown addresses with an
    envelope, and hands every request and its answer to the message log. Must stand before CommonMiddleware,
    which would redirect."""

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        path = _SLASHES.sub("/", request.path_info).rstrip("/")
        if not f"{path}/".startswith(ROOT):
            return self._get_response(request)
        request.path = request.path_info = path
        # Before anything reads the headers: the view repeats this id, and log lines carry it.
        correlation_id = request.META[_CORRELATION] = request.META.get(_CORRELATION) or new_id()
        with correlated(correlation_id):
            return self._recorded(request)

    def _recorded(self, request: HttpRequest) -> HttpResponse:
        started_at, started = timezone.now(), time.monotonic()
        response = self._answer(request)
        exchange = Exchange(
            method=request.method or "",
            url=request.get_full_path(),
            authorization=request.headers.get("Authorization", ""),
            request_id=response.headers.get("X-Request-ID", ""),
            correlation_id=request.META[_CORRELATION],
            request=_body(request),
            http_status=response.status_code,
            response=response.content,
            started_at=started_at,
            duration_s=time.monotonic() - started,
        )
        messages.record_received(exchange, request.META.get(messages.PLATFORM))
        return response

    def _answer(self, request: HttpRequest) -> HttpResponse:
        if "\0" in request.path_info:  # no id has it, and PostgreSQL refuses to look for it
            return JsonResponse(failure(_in_words(404)), status=404)
        response = self._get_response(request)
        is_ours = response.headers.get("Content-Type", "").startswith("application/json")
        if response.status_code < 400 or is_ours:
            return response
        return JsonResponse(failure(_in_words(response.status_code)), status=response.status_code)


def _in_words(status: int) -> OcpiError:
    """Instead of a page of Django's own, for example about a Host header that is not ours."""
    if status == 404:
        return NotFound("There is nothing at this address.")
    return GenericClientError("This request cannot be read.") if status < 500 else ServerError("Plugtill failed.")


def _body(request: HttpRequest) -> bytes:
    """Of a stranger nothing, and nothing of what was refused for its size: it would be read only to be logged."""
    if messages.PLATFORM not in request.META:
        return b""
    try:
        return request.body if int(request.META.get("CONTENT_LENGTH") or 0) <= LARGEST_BODY else b""
    except (ValueError, RequestDataTooBig, RawPostDataException, UnreadablePostError):
        return b""
