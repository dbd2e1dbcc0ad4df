from rest_framework.request import Request
from rest_framework.response import Response

from roaming.choices import Module
from roaming.services import credentials
from roaming.views.base import OcpiView


class CredentialsView(OcpiView):
    """The credentials module (2.2.1 credentials, 7.2)."""

    module = Module.CREDENTIALS
    is_configuration = True
    accepts_registration_token = True

    def get(self, request: Request) -> Response:
        return self.ok(credentials.own_credentials(self.platform, self.caller.token))

    def post(self, request: Request) -> Response:
        return self.ok(credentials.receive_post(self.caller, self.json()))

    def put(self, request: Request) -> Response:
        return self.ok(credentials.receive_put(self.caller, self.json()))

    def delete(self, request: Request) -> Response:
        credentials.receive_delete(self.caller)
        return self.ok()
