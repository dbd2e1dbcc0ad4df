"""The limits of a session's charging, set, asked for and taken away by its partner (2.2.1 mod_charging_profiles)."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote_plus

from rest_framework.request import Request
from rest_framework.response import Response

from roaming.choices import ChargingProfileResponseType, Module
from roaming.ocpi.errors import InvalidParameters
from roaming.services.peers import check_response_url
from roaming.services.profiles import ProfileAnswer, receive_clearing, receive_profile, receive_query
from roaming.views.base import OcpiView

REJECTED = {"result": ChargingProfileResponseType.REJECTED.value, "timeout": 0}
LONGEST = 10**7  # seconds; chargers keep durations in 32 bits
LONGEST_URL = 255

_RESPONSE_URL = re.compile(r"(?:^|&)response_url=(.*)")
_DURATION = re.compile(r"&duration=\d+$")


class ChargingProfileView(OcpiView):
    """Says at once whether the request could be forwarded; its result goes to response_url."""

    module = Module.CHARGINGPROFILES

    def get(self, request: Request, session_id: str) -> Response:
        seconds = _duration(request.query_params.get("duration", ""))
        return self._answer(receive_query(self.platform, session_id, seconds, self._response_url()))

    def put(self, request: Request, session_id: str) -> Response:
        with _rejecting():
            body = self.body("SetChargingProfile")
            check_response_url(body["response_url"])
        return self._answer(receive_profile(self.platform, session_id, body))

    def delete(self, request: Request, session_id: str) -> Response:
        return self._answer(receive_clearing(self.platform, session_id, self._response_url()))

    def _answer(self, answer: ProfileAnswer) -> Response:
        data: dict[str, Any] = {"result": answer.result, "timeout": answer.timeout}
        return self.ok(data)

    def _response_url(self) -> str:
        url = read_response_url(self.request.META.get("QUERY_STRING", ""))
        with _rejecting():
            if not url:
                raise InvalidParameters("response_url: is required")
            if len(url) > LONGEST_URL:
                raise InvalidParameters(f"response_url: must be at most {LONGEST_URL} characters, has {len(url)}")
            check_response_url(url)
        return url


@contextmanager
def _rejecting() -> Iterator[None]:
    """Whatever is invalid is answered with a ChargingProfileResponse besides."""
    try:
        yield
    except InvalidParameters as error:
        raise InvalidParameters(error.message, data=REJECTED) from None


def read_response_url(query: str) -> str:
    """The address in the query string, percent-encoded, or as it is with a query of its own.

    The specification's own example does not encode it: then all that follows belongs to it.
    """
    match = _RESPONSE_URL.search(query)
    value = match[1] if match else ""
    first = value.split("&", 1)[0]
    return _DURATION.sub("", value) if "://" in first and "?" in first else unquote_plus(first)


def _duration(value: str) -> int:
    with _rejecting():
        if not value:
            raise InvalidParameters("duration: is required")
        if not re.fullmatch(r"[0-9]{1,9}", value) or not 0 < int(value) <= LONGEST:
            raise InvalidParameters(f"duration: {value[:20]!r} is not a whole number of seconds from 1 to {LONGEST}")
    return int(value)
