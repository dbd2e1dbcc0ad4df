"""What a platform may pull of ours: every answer is the stored rendering for that platform."""

from typing import Any, ClassVar

from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response

from roaming.choices import Module
from roaming.ocpi import envelope
from roaming.ocpi.errors import InvalidParameters, NotFound
from roaming.ocpi.pagination import PageRequest, page_headers
from roaming.services.document_lists import DocumentPage, named, read_page
from roaming.services.moments import await_changes
from roaming.services.tokens import Caller
from roaming.views.base import OcpiView


class DocumentView(OcpiView):
    def find(self, object_id: str, **owner: str) -> dict[str, Any]:
        """Body of one object; ids are CiStrings. Another platform's is as unknown as none at all."""
        document = named(self.platform, self.module, object_id, **owner)
        if document is None:
            raise NotFound(f"There is no {object_id[:40]} in {self.module}.")
        body: dict[str, Any] = document.body
        return body


class DocumentListView(DocumentView):
    """Partners fetch everything from here, page by page: one query tells who asks and what the answer is."""

    module: ClassVar[Module]
    found: DocumentPage

    def identify(self, request: Request) -> Caller:
        try:
            page = PageRequest.from_query(request.query_params.dict())
        except InvalidParameters:
            return super().identify(request)  # `get` refuses it
        if page.is_first:
            await_changes(self.module)
        caller, self.found = read_page(request.headers.get("Authorization"), self.module, page)
        return caller

    def get(self, request: Request) -> HttpResponse:
        params = request.query_params.dict()
        page = PageRequest.from_query(params)
        end = self.found.end
        headers = page_headers(self.address(), params, page, self.found.total, is_last=end is None, end=end)
        body = envelope.success_of(self.found.objects)
        return HttpResponse(body, content_type="application/json", headers=headers)


class DocumentObjectView(DocumentView):
    def get(self, request: Request, object_id: str) -> Response:
        return self.ok(self.find(object_id))
