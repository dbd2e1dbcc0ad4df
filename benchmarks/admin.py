"""Whether every page of the admin stays quick in a large installation; see README.md in this folder.

    DATABASE_URL=postgres://... .venv/bin/python -m benchmarks.admin

Makes a database of its own on that server and drops it at the end. Pages are found in the admin's own addresses: all
without a parameter, and those of one row with the newest row of their list. Time is from the request to the last byte
of the answer inside this process; the better of two counts, after a first one.
"""

import argparse
import os
import re
import sys
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from benchmarks import stage

MOST_QUERIES, MOST_SECONDS = 25, 0.4
# Where there is none, or not for a GET.
NO_PAGE = (301, 302, 403, 405)
# Nor are these: files of whole lists, which take their time.
NO_PAGES = re.compile(r"logout|jsi18n|autocomplete|/export/|/example/|/r/")


class Page(NamedTuple):
    address: str
    status: int
    queries: int
    seconds: float


def main() -> None:
    options = _options()
    with stage.database(os.environ["DATABASE_URL"]) as database_url:
        # Pages that nobody may open are found out by asking: no log of each.
        os.environ |= stage.environment(database_url, 8107) | {"LOG_LEVEL": "CRITICAL"}
        import django

        django.setup()
        _prepare(options)
        pages = [page for address in addresses() if options.only in address for page in _visited(address)]
        sys.exit(_report(pages))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connectors", type=int, default=10_000)
    parser.add_argument("--sessions", type=int, default=100_000)
    parser.add_argument("--only", default="", help="pages whose address contains this")
    parser.add_argument("--sql", action="store_true", help="print the slowest statements of pages over their budget")
    if "DATABASE_URL" not in os.environ:
        parser.error("set DATABASE_URL to an address on a PostgreSQL server that may create databases")
    return parser.parse_args()


def _prepare(options: argparse.Namespace) -> None:
    from django.core.management import call_command

    from benchmarks.admin_seed import seed

    stage.show_machine()
    started = time.perf_counter()
    call_command("migrate", interactive=False, verbosity=0)
    migrated = time.perf_counter()
    seed(options.connectors, options.sessions)
    print(
        f"{options.connectors:,} connectors and {options.sessions:,} sessions in {time.perf_counter() - migrated:.0f} s"
        f" (migrations {migrated - started:.0f} s)",
        flush=True,
    )


def addresses() -> Iterator[str]:
    """Every page of the admin, lists also searched."""
    from django.contrib import admin

    for model in admin.site._registry:
        name = f"{model._meta.app_label}/{model._meta.model_name}"
        yield f"/admin/{name}/?q=CP-77"
    for route in _routes(admin.site.get_urls()):
        if NO_PAGES.search(f"/{route}"):
            continue
        address = _filled(route)
        if address is not None:
            yield f"/admin/{address}"


def _routes(patterns: Any, start: str = "") -> Iterator[str]:
    for pattern in patterns:
        route = start + str(pattern.pattern)
        if hasattr(pattern, "url_patterns"):
            yield from _routes(pattern.url_patterns, route)
        else:
            yield route


def _filled(route: str) -> str | None:
    """The address with the newest row of the list; None for a pattern that wants something else."""
    from django.apps import apps

    if "<" not in route and "(" not in route:
        return route
    filled = re.sub(r"<(path|str|int):object_id>", "ROW", route)
    if "<" in filled or "(" in filled:
        return None
    app, model = route.split("/")[:2]
    row = apps.get_model(app, model)._default_manager.order_by("pk").last()
    return None if row is None else filled.replace("ROW", str(row.pk))


def _visited(address: str) -> list[Page]:
    from django.contrib.auth import get_user_model
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    client = Client(headers={"Host": "127.0.0.1"}, raise_request_exception=False)
    client.force_login(get_user_model().objects.get(), "django.contrib.auth.backends.ModelBackend")
    with CaptureQueriesContext(connection) as captured:
        first = client.get(address)
    queries = captured.captured_queries
    if first.status_code in NO_PAGE or "text/html" not in first.headers.get("Content-Type", ""):
        return []
    times = []
    for _ in range(2):
        started = time.perf_counter()
        client.get(address)
        times.append(time.perf_counter() - started)
    page = Page(address, first.status_code, len(queries), min(times))
    if "--sql" in sys.argv and not _is_ok(page):
        for query in sorted(queries, key=lambda entry: -float(entry["time"]))[:3]:
            print(f"    {query['time']} s  {query['sql'][:700]}")
        print(f"  {page}", flush=True)
    return [page]


def _is_ok(page: Page) -> bool:
    return page.status == 200 and page.queries < MOST_QUERIES and page.seconds < MOST_SECONDS


def _report(pages: list[Page]) -> int:
    print(f"{len(pages)} pages; those over their budget and the twenty slowest:")
    print(f"{'page':<78}{'queries':>8}{'ms':>7}")
    shown = {page for page in pages if not _is_ok(page)} | set(sorted(pages, key=lambda page: -page.seconds)[:20])
    for page in sorted(shown, key=lambda page: -page.seconds):
        mark = "" if _is_ok(page) else "  TOO SLOW OR WRONG" if page.status == 200 else f"  ANSWERS {page.status}"
        print(f"{page.address:<78}{page.queries:>8}{page.seconds * 1000:>7.0f}{mark}")
    wrong = sum(not _is_ok(page) for page in pages)
    print(f"{wrong} of {len(pages)} pages are over {MOST_QUERIES} queries or {MOST_SECONDS * 1000:.0f} ms.")
    return 1 if wrong else 0


if __name__ == "__main__":
    main()
