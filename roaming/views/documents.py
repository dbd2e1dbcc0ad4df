"""What a platform may pull of ours: every answer is the stored rendering for that platform."""

from typing import Any

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from roaming.models import Document
from roaming.ocpi.errors import NotFound
from roaming.views.base import OcpiView


class DocumentView(OcpiView):
    def documents(self) -> QuerySet[Document]:
        return Document.objects.filter(platform=self.platform, module=self.module, is_deleted=False)

    def find(self, object_id: str, **conditions: str) -> dict[str, Any]:
        """Body of one object; ids are CiStrings. Another platform's is as unknown as none at all."""
        document = self.documents().filter(object_id__iexact=object_id, **conditions).first()
        if document is None:
            raise NotFound(f"There is no {object_id[:40]} in {self.module}.")
        body: dict[str, Any] = document.body
        return body


class DocumentListView(DocumentView):
    def get(self, request: Request) -> Response:
        # `acknowledged` is a second copy of the body, not needed here.
        return self.page(self.documents().only("body"), _body)


class DocumentObjectView(DocumentView):
    def get(self, request: Request, object_id: str) -> Response:
        return self.ok(self.find(object_id))


def _body(document: Document) -> object:
    return document.body
