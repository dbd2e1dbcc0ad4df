"""What every page of admin shares."""

import logging
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.db import DataError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone, translation
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _

from infrastructure.acts import begin, end
from infrastructure.guesses import network_of
from infrastructure.models import Site

logger = logging.getLogger(__name__)


class KeepableAddressMiddleware:
    """No text of PostgreSQL holds NUL: to look for one would fail. Partners and programs get answers of their own."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        is_page = not request.path_info.startswith(("/ocpi/", "/api/"))
        if is_page and ("\0" in request.path_info or "%00" in request.META.get("QUERY_STRING", "")):
            raise BadRequest("An address must not contain NUL.")
        return self._get_response(request)


class SiteZoneMiddleware:
    """Staff read and enter times in the zone of the site; everything else runs in UTC."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path_info.startswith("/admin/"):
            return self._get_response(request)
        zone = Site.objects.values_list("time_zone", flat=True).first()
        with timezone.override(ZoneInfo(zone) if zone else None):
            return self._get_response(request)


class StaffLanguageMiddleware:
    """Admin speaks the language that its user chose, else that of the browser. Partners, chargers and scripts read
    English whatever they send: their logs are compared with ours and with the standards."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path_info.startswith("/admin/"):
            return self._get_response(request)
        language = translation.get_language_from_request(request)
        with translation.override(language):
            response = self._get_response(request)
        response.headers.setdefault("Content-Language", language)
        patch_vary_headers(response, ("Accept-Language",))
        return response


class OddFilterMiddleware:
    """A filter that nothing can be compared with (a year of twenty digits in the address of a list) is refused in
    words: neither SQLite's driver nor PostgreSQL takes every number, and Django looks only when the rows are read."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self._get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        page = request.resolver_match.url_name if request.resolver_match else None
        is_list = request.method == "GET" and request.GET and (page or "").endswith("_changelist")
        if not is_list or not isinstance(exception, OverflowError | DataError):
            return None
        asked = request.GET.urlencode()[:200]
        logger.warning("%s cannot be filtered by %s", request.path_info, asked, exc_info=exception)
        messages.error(request, _("This list cannot be filtered by what stood in its address: it is shown as a whole."))
        return HttpResponseRedirect(request.path)


class ActsMiddleware:
    """Puts the buttons that staff press on record."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        acts: list[int] = getattr(request, "acts", [])
        if acts:
            end(request, response, acts)
        return response

    def process_view(self, request: HttpRequest, view: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Where it is known which page this is, and before anything happens."""
        if request.method == "POST" and request.path_info.startswith("/admin/"):
            request.acts = begin(request, str(kwargs.get("object_id") or kwargs.get("id") or ""))  # type: ignore[attr-defined]


def address_of(request: HttpRequest) -> str:
    """As whose failed sign-ins count."""
    return network_of(str(request.META.get("REMOTE_ADDR", "")))
