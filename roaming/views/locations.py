from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from roaming.choices import Module
from roaming.ocpi.errors import NotFound
from roaming.ocpi.types import ci_equal
from roaming.views.documents import DocumentListView, DocumentView


class LocationListView(DocumentListView):
    module = Module.LOCATIONS


class LocationView(DocumentView):
    """A Location, one of its EVSEs or one of its Connectors (2.2.1 mod_locations, 8.2.1)."""

    module = Module.LOCATIONS

    def get(self, request: Request, location_id: str, evse_uid: str = "", connector_id: str = "") -> Response:
        found = self.find(location_id)
        if evse_uid:
            found = _part(found, "evses", "uid", evse_uid)
        if connector_id:
            found = _part(found, "connectors", "id", connector_id)
        return self.ok(found)


def _part(whole: dict[str, Any], name: str, key: str, value: str) -> dict[str, Any]:
    for part in whole.get(name) or []:
        if ci_equal(part[key], value):
            found: dict[str, Any] = part
            return found
    raise NotFound(f"There is no {value[:40]} in {name}.")
