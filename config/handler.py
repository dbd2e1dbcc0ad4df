"""How Django runs below ASGI: a request stays in one thread from its first middleware to its view."""

from typing import Any

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIHandler


class OneThreadHandler(ASGIHandler):
    """Our middlewares and views are synchronous. Django would go back to the event loop and into a thread again
    wherever one that could be asynchronous stands among them, which takes longer than the middleware itself."""

    def load_middleware(self, is_async: bool = False) -> None:
        super().load_middleware(is_async=False)
        chain: Any = self._middleware_chain  # type: ignore[has-type]
        self._middleware_chain = sync_to_async(chain, thread_sensitive=True)
