"""DirectPayment v1.9, 5.2.1, the CPO's side."""

from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.urls import reverse
from rest_framework.request import Request
from rest_framework.response import Response

from payments.mapping import advice_body
from payments.models import FinancialAdviceConfirmation
from payments.services.advices import receive_advice
from payments.views.base import PaymentsView
from roaming.ocpi.errors import NotFound

TYPE = "FinancialAdviceConfirmation"


class AdviceBaseView(PaymentsView):
    def advices(self) -> QuerySet[FinancialAdviceConfirmation]:
        return FinancialAdviceConfirmation.objects.filter(platform=self.platform)

    def receive(self, body: dict[str, Any]) -> Response:
        advice, created = receive_advice(self.platform, body)
        path = reverse("payments:advice", args=[advice.advice_id])
        return self.ok(http_status=201 if created else 200, headers={"Location": f"{settings.PUBLIC_URL}{path}"})


class AdviceListView(AdviceBaseView):
    def get(self, request: Request) -> Response:
        return self.page(self.advices(), advice_body)

    def post(self, request: Request) -> Response:
        return self.receive(self.body(TYPE))


class AdviceView(AdviceBaseView):
    """PUT is an extension with the same effect as POST."""

    def get(self, request: Request, advice_id: str) -> Response:
        advice = self.advices().filter(advice_id__iexact=advice_id).first()
        if advice is None:
            raise NotFound("There is no such financial advice confirmation.")
        return self.ok(advice_body(advice))

    def put(self, request: Request, advice_id: str) -> Response:
        return self.receive(self.named_body(TYPE, "id", advice_id))
