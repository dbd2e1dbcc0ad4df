from roaming.choices import Module
from roaming.views.documents import DocumentListView, DocumentObjectView


class CdrListView(DocumentListView):
    module = Module.CDRS


class CdrView(DocumentObjectView):
    """By id: an extension, so that a partner can fetch a record again."""

    module = Module.CDRS
