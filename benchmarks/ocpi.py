"""How fast partners can pull from Plugtill; see README.md in this folder.

    DATABASE_URL=postgres://... REDIS_URL=redis://... .venv/bin/python -m benchmarks.ocpi

Makes a database of its own on that server and drops it at the end.
"""

import argparse
import json
import os
import statistics
import tempfile
import threading
import time
from functools import partial
from pathlib import Path

from benchmarks import stage
from benchmarks.ocpi_client import KeepAlive, all_at_once, crawl, seconds
from benchmarks.stage import line

TOKEN = "benchmark-token-of-the-partner"
AUTHORIZATION = "Token YmVuY2htYXJrLXRva2VuLW9mLXRoZS1wYXJ0bmVy"
LIST = "/ocpi/2.2.1/locations"
START = "/ocpi/2.2.1/commands/START_SESSION"
MEMORY = "/benchmark/memory"
WANTED_PAGES, WANTED_SHARE, WANTED_FACTOR = 200, 0.25, 2.0
CONNECTIONS = 8
IN_THIS_PROCESS = 8  # requests of _show_queries


def main() -> None:
    options = _options()
    with stage.database(os.environ["DATABASE_URL"]) as database_url, tempfile.TemporaryDirectory() as folder:
        os.environ |= stage.environment(database_url, options.port) | {"PEERS_ALLOW_PRIVATE_ADDRESSES": "on"}
        os.environ["BENCHMARK_BYTES"] = str(Path(folder) / "page.json")
        import django

        django.setup()
        _prepare(options)
        _show_queries(options)
        with stage.server(options.port, "-m", "benchmarks.ocpi_server") as process:
            _measure(options, process.pid)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--locations", type=int, default=10_000)
    parser.add_argument("--limit", type=int, default=50, help="locations of a page (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="full crawls; the best counts (default: %(default)s)")
    parser.add_argument("--starts", type=int, default=100, help="START_SESSION under load (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8106)
    if "DATABASE_URL" not in os.environ or "REDIS_URL" not in os.environ:
        parser.error("set DATABASE_URL and REDIS_URL; use a Redis database that nothing else uses")
    return parser.parse_args()


def _prepare(options: argparse.Namespace) -> None:
    from django.core.management import call_command

    from benchmarks.ocpi_seed import seed

    stage.show_machine()
    call_command("migrate", interactive=False, verbosity=0)
    spent = seconds(lambda: seed(options.locations, TOKEN))
    line(f"Database with {options.locations:,} locations, made in", f"{spent:,.1f} s")


def _show_queries(options: argparse.Namespace) -> None:
    """Asks Plugtill in this process, to count and explain its queries."""
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    client = Client(headers={"Authorization": AUTHORIZATION, "Host": "127.0.0.1"})

    def queries(query: str) -> list[str]:
        with CaptureQueriesContext(connection) as captured:
            assert client.get(f"{LIST}?{query}").json()["status_code"] == 1000
        return [entry["sql"] for entry in captured.captured_queries]

    # Whoever begins to pull waits for those who are writing, in a query of its own.
    last = options.locations - options.limit
    first = {len(queries(f"limit={size}")) for size in (1, options.limit, 100)}
    later = {len(queries(f"limit={size}&offset={place}")) for size in (1, options.limit) for place in (1, last)}
    counts = f"{', '.join(map(str, first))} and {', '.join(map(str, later))}"
    line("Queries of the first page and of any other", counts, is_ok=(first, later) == ({2}, {1}))
    recent = "date_from=2050-01-01T00:00:00Z"
    with connection.cursor() as cursor:
        for sql in (sql for sql in queries(recent) if "last_updated" in sql):
            cursor.execute(f"EXPLAIN {sql}")
            plan = "\n".join(row[0] for row in cursor.fetchall())
            has_index = "document_changed" in plan and "Seq Scan on roaming_document" not in plan
            line("  date_from uses the index document_changed", "yes" if has_index else plan, is_ok=has_index)


def _measure(options: argparse.Namespace, pid: int) -> None:
    first = f"{LIST}?limit={options.limit}"
    page_count = -(-options.locations // options.limit)
    with _connection() as connection:
        page = connection.get(first).body
        Path(os.environ["BENCHMARK_BYTES"]).write_bytes(page)
        line("A page", f"{len(page):,} bytes")
        line("Memory after the first request", f"{stage.memory(pid):,.0f} MB")
        crawls, from_memory, costs = [], [], []
        for _ in range(options.rounds):
            before = stage.processor_ms(pid)
            crawls.append(page_count / seconds(lambda: _whole(crawl(connection, first), page_count)))
            between = stage.processor_ms(pid)
            from_memory.append(page_count / seconds(lambda: [connection.get(MEMORY) for _ in range(page_count)]))
            after = stage.processor_ms(pid)
            costs.append([between[0] - before[0], between[1] - before[1], after[0] - between[0]])
            print(f"  round: {crawls[-1]:,.0f} of {from_memory[-1]:,.0f} pages/s, load {os.getloadavg()[0]:.1f}")
        best = max(crawls)
        line("Full crawl, 1 connection", f"{best:,.0f} pages/s", is_ok=best >= WANTED_PAGES)
        line("  same bytes from memory", f"{max(from_memory):,.0f} pages/s")
        shares = [mine / other for mine, other in zip(crawls, from_memory, strict=True)]
        share = statistics.median(shares)
        line("  share, median of the rounds", f"{share:.0%}", is_ok=share >= WANTED_SHARE)
        server, database, memory = (statistics.median(spent) / page_count for spent in zip(*costs, strict=True))
        line("Processor per page, server and PostgreSQL", f"{server:.2f} and {database:.2f} ms")
        line("  same bytes from memory", f"{memory:.2f} ms, {memory / (server + database):.0%}")
        _compare_ends(connection, options)
    _measure_many(options, first, page_count)
    line("Memory after the crawls", f"{stage.memory(pid):,.0f} MB")
    _measure_starts(options, first)
    _check_log()


def _connection() -> KeepAlive:
    return KeepAlive(int(os.environ["PORT"]), AUTHORIZATION)


def _whole(pages: int, wanted: int) -> None:
    assert pages == wanted, f"the crawl had {pages} pages instead of {wanted}"


def _compare_ends(connection: KeepAlive, options: argparse.Namespace) -> None:
    times: dict[int, list[float]] = {0: [], options.locations - options.limit: []}
    for _ in range(100):
        for offset, spent in times.items():
            path = f"{LIST}?limit={options.limit}&offset={offset}"
            spent.append(seconds(partial(connection.get, path)))
    first, last = (statistics.median(spent) * 1000 for spent in times.values())
    is_ok = max(first, last) <= WANTED_FACTOR * min(first, last)
    line("  first and last page", f"{first:.1f} and {last:.1f} ms", is_ok=is_ok)


def _measure_many(options: argparse.Namespace, first: str, page_count: int) -> None:
    def whole_crawl() -> None:
        with _connection() as connection:
            _whole(crawl(connection, first), page_count)

    def memory() -> None:
        with _connection() as connection:
            for _ in range(page_count):
                connection.get(MEMORY)

    crawled = CONNECTIONS * page_count / all_at_once([whole_crawl] * CONNECTIONS)
    line(f"Full crawls, {CONNECTIONS} connections at once", f"{crawled:,.0f} pages/s")
    remembered = CONNECTIONS * page_count / all_at_once([memory] * CONNECTIONS)
    line("  same bytes from memory", f"{remembered:,.0f} pages/s")


def _measure_starts(options: argparse.Namespace, first: str) -> None:
    """START_SESSION to its response, each at another charger, alone and while another connection crawls."""
    half = options.starts
    line("START_SESSION, median and slowest", _spread(_starts(range(half))))
    is_over = threading.Event()

    def load() -> None:
        with _connection() as connection:
            path = first
            while not is_over.is_set():
                path = connection.get(path).next_path or first

    crawling = threading.Thread(target=load)
    crawling.start()
    try:
        line("  while another connection crawls", _spread(_starts(range(half, 2 * half))))
    finally:
        is_over.set()
        crawling.join()


def _starts(numbers: range) -> list[float]:
    with _connection() as connection:
        return [seconds(partial(_start, connection, number)) for number in numbers]


def _start(connection: KeepAlive, number: int) -> None:
    token: dict[str, object] = {"country_code": "NL", "party_id": "PTP", "uid": f"T{number}", "type": "AD_HOC_USER"}
    token |= {"contract_id": f"C{number}", "issuer": "Benchmark", "valid": True, "whitelist": "NEVER"}
    command = {
        "response_url": "http://127.0.0.1:1/result",
        "token": token | {"last_updated": "2026-01-01T00:00:00Z"},
        "location_id": f"AREA-{number:05}",
        "evse_uid": f"CP-{number:05}-1",
        "connector_id": "1",
        "authorization_reference": f"REFERENCE-{number}",
    }
    answer = json.loads(connection.post(START, json.dumps(command).encode()).body)
    assert answer["data"]["result"] == "ACCEPTED", answer


def _spread(times: list[float]) -> str:
    return f"{statistics.median(times) * 1000:.1f} and {max(times) * 1000:.1f} ms"


def _check_log() -> None:
    """Everything that was asked must be in the message log soon after the last answer."""
    from roaming.models import Message

    asked = KeepAlive.asked + IN_THIS_PROCESS
    for _ in range(50):
        logged = Message.objects.count()
        if logged >= asked:
            break
        time.sleep(0.2)
    line("Messages in the log", f"{logged:,} of {asked:,}", is_ok=logged == asked)


if __name__ == "__main__":
    main()
