"""What every page of admin shares."""

from collections.abc import Callable
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from infrastructure.models import Site


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


def address_of(request: HttpRequest) -> str:
    return str(request.META.get("REMOTE_ADDR", ""))
