"""Pages that refresh themselves ask for themselves again, every few seconds and for as long as somebody leaves them
open (config/static/config/live.js)."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse


def is_refresh(request: HttpRequest) -> bool:
    """Whether only the parts that refresh will be looked at."""
    return request.headers.get("X-Requested-With") == "live"


class KeepMessagesMiddleware:
    """A message that a refresh in the background would take away stays for the next page that somebody reads."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        if is_refresh(request):
            kept: Any = request._messages  # type: ignore[attr-defined]
            # What it says itself is not added either: all that refreshes have said would be read at once.
            kept.used = kept.added_new = False
        return response
