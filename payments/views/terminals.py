"""DirectPayment v1.9, 5.1.1, the CPO's side."""

from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.urls import reverse
from rest_framework.request import Request
from rest_framework.response import Response

from payments.mapping import terminal_body
from payments.models import Terminal
from payments.services.terminals import receive_terminal
from payments.views.base import PaymentsView
from roaming.ocpi.errors import NotFound


class TerminalBaseView(PaymentsView):
    def terminals(self) -> QuerySet[Terminal]:
        return Terminal.objects.filter(platform=self.platform).prefetch_related("locations", "evses__charger")

    def find(self, terminal_id: str) -> Terminal:
        terminal = self.terminals().filter(terminal_id__iexact=terminal_id).first()
        if terminal is None:
            raise NotFound("There is no such terminal.")
        return terminal

    def receive(self, body: dict[str, Any]) -> Response:
        addressed_to = (self.routing.to_country, self.routing.to_party)
        terminal, created = receive_terminal(self.platform, body, addressed_to=addressed_to)
        path = reverse("payments:terminal", args=[terminal.terminal_id])
        return self.ok(http_status=201 if created else 200, headers={"Location": f"{settings.PUBLIC_URL}{path}"})


class TerminalListView(TerminalBaseView):
    def get(self, request: Request) -> Response:
        return self.page(self.terminals(), terminal_body)

    def post(self, request: Request) -> Response:
        return self.receive(self.body("Terminal"))


class TerminalView(TerminalBaseView):
    """PUT and PATCH are extensions: some PTPs treat the receiver of a terminal like that of a location."""

    def get(self, request: Request, terminal_id: str) -> Response:
        return self.ok(terminal_body(self.find(terminal_id)))

    def put(self, request: Request, terminal_id: str) -> Response:
        return self.receive(self.named_body("Terminal", "terminal_id", terminal_id))

    def patch(self, request: Request, terminal_id: str) -> Response:
        self.find(terminal_id)
        return self.receive(self.named_body("Terminal", "terminal_id", terminal_id, partial=True))
