"""The web server of Plugtill as `make run` starts it, with one address more: /benchmark/memory.

That view returns the bytes of the file named by BENCHMARK_BYTES from memory: what this server can do at most.
"""

import os
from functools import cache
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from config import asgi  # noqa: F401  loads the apps

# isort: split
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import path

from config import urls
from config.server import Server


@cache
def _page() -> bytes:
    return Path(os.environ["BENCHMARK_BYTES"]).read_bytes()


def memory(request: HttpRequest) -> HttpResponse:
    return HttpResponse(_page(), content_type="application/json")


if __name__ == "__main__":
    urls.urlpatterns.insert(0, path("benchmark/memory", memory))
    server = Server("127.0.0.1", settings.PORT)
    server.serve_until_stopped(server.bind())
