from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from roaming.choices import Module, PlatformType
from roaming.ocpi.errors import NotFound
from roaming.services import hub
from roaming.views.base import OcpiView


class ClientInfoView(OcpiView):
    """Whether a party behind a hub is connected; for hubs only (2.2.1 mod_hub_client_info, 15.2.1)."""

    module = Module.HUBCLIENTINFO
    is_configuration = True

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if self.platform.type != PlatformType.HUB:
            raise NotFound("There is nothing at this address.")

    def get(self, request: Request, country_code: str, party_id: str) -> Response:
        return self.ok(hub.find_client(self.platform, country_code, party_id).body)

    def put(self, request: Request, country_code: str, party_id: str) -> Response:
        created = hub.receive_client(self.platform, country_code, party_id, self.body("ClientInfo"))
        return self.ok(http_status=201 if created else 200)
