from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response

from roaming.choices import Module
from roaming.ocpi.errors import InvalidParameters
from roaming.services.preferences import receive_preferences
from roaming.views.base import OcpiView
from roaming.views.documents import DocumentListView, DocumentObjectView


class SessionListView(DocumentListView):
    """`date_from` is required here, unlike in every other list (2.2.1 mod_sessions, 9.2.1)."""

    module = Module.SESSIONS

    def get(self, request: Request) -> HttpResponse:
        if not request.query_params.get("date_from"):
            raise InvalidParameters("date_from: is required")
        return super().get(request)


class ChargingPreferencesView(OcpiView):
    """2.2.1 mod_sessions, 9.2.2; the answer is a bare string."""

    module = Module.SESSIONS

    def put(self, request: Request, object_id: str) -> Response:
        return self.ok(receive_preferences(self.platform, object_id, self.body("ChargingPreferences")).value)


class SessionView(DocumentObjectView):
    """By id: an extension, so that a partner can look after one session."""

    module = Module.SESSIONS
