"""Versions and version details, computed per connection (2.2.1 version_information_endpoint)."""

from django.conf import settings
from rest_framework.request import Request
from rest_framework.response import Response

from roaming.services.peers import OCPI_VERSION
from roaming.services.registry import registry
from roaming.views.base import OcpiView


def _version_url() -> str:
    return f"{settings.PUBLIC_URL}/ocpi/{OCPI_VERSION}"


class VersionsView(OcpiView):
    is_configuration = True
    accepts_registration_token = True

    def get(self, request: Request) -> Response:
        return self.ok([{"version": OCPI_VERSION, "url": _version_url()}])


class VersionDetailsView(OcpiView):
    is_configuration = True
    accepts_registration_token = True

    def get(self, request: Request) -> Response:
        endpoints = [
            {"identifier": entry.module, "role": entry.role, "url": f"{_version_url()}/{entry.module}"}
            for entry in registry.endpoints_for(self.platform.type)
        ]
        return self.ok({"version": OCPI_VERSION, "endpoints": endpoints})
