from rest_framework.request import Request
from rest_framework.response import Response

from roaming.choices import Module
from roaming.views.documents import DocumentListView, DocumentObjectView, DocumentView


class TariffListView(DocumentListView):
    module = Module.TARIFFS


class TariffView(DocumentObjectView):
    """By id: no version of OCPI has it, but DirectPayment (4.3) tells terminals to pull tariffs so."""

    module = Module.TARIFFS


class PartyTariffView(DocumentView):
    """The same with the owner's party in the address."""

    module = Module.TARIFFS

    def get(self, request: Request, country_code: str, party_id: str, object_id: str) -> Response:
        return self.ok(self.find(object_id, country_code__iexact=country_code, party_id__iexact=party_id))
