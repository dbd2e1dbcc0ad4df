"""How Plugtill behaves with many chargers and paid sessions at once, while one of its partners is dead.

    DATABASE_URL=postgres://... REDIS_URL=redis://... .venv/bin/python -m benchmarks.load --minutes 10

Makes a database of its own on that server and drops it at the end; see docs/reliability.md.
"""

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from bisect import bisect_right
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

import psycopg

from benchmarks import stage
from benchmarks.load_events import Seen, read

ALIVE = ("alive-1", "alive-2")
SAMPLE_EVERY = 5.0
CONNECTED_WITHIN, SETTLED_WITHIN = 180.0, 180.0
QUEUES = """
SELECT coalesce(max(extract(epoch FROM now() - queued_at)) FILTER (WHERE p.code <> 'dead'), 0),
       count(*) FILTER (WHERE p.code <> 'dead'), count(*) FILTER (WHERE p.code = 'dead')
FROM roaming_push q JOIN roaming_roamingplatform p ON p.id = q.platform_id
WHERE q.state IN ('PENDING', 'IN_FLIGHT') AND q.not_before <= now()"""
# Of all that is not for the dead partner, due or not.
LEFT = """
SELECT (SELECT count(*) FROM infrastructure_outboxevent WHERE processed_at IS NULL),
       (SELECT count(*) FROM roaming_push q JOIN roaming_roamingplatform p ON p.id = q.platform_id
        WHERE q.state IN ('PENDING', 'IN_FLIGHT') AND p.code <> 'dead')"""
STATUSES = """
SELECT c.identity, e.status FROM infrastructure_evse e JOIN infrastructure_charger c ON c.id = e.charger_id"""
OUTBOX = """
SELECT coalesce(extract(epoch FROM now() - min(created_at)), 0) FROM infrastructure_outboxevent
WHERE processed_at IS NULL"""
SESSIONS = "SELECT status, count(*) FROM chargers_chargingsession GROUP BY status ORDER BY status"
COUNTS = """
SELECT (SELECT count(*) FROM chargers_cdr), (SELECT count(DISTINCT session_id) FROM chargers_cdr),
       (SELECT count(*) FROM payments_invoice), (SELECT max(last_number) FROM payments_invoiceseries)"""


def main() -> int:
    options = _options()
    stage.show_machine()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        database_url = stack.enter_context(stage.database(os.environ["DATABASE_URL"]))
        os.environ |= stage.environment(database_url, options.port) | {"PEERS_ALLOW_PRIVATE_ADDRESSES": "on"}
        _prepare(options)
        run = Run(options, folder, stack)
        run.whole()
        return run.report()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10, help="with drivers (default: %(default)s)")
    parser.add_argument("--chargers", type=int, default=1000, help="connected (default: %(default)s)")
    parser.add_argument("--sessions", type=int, default=200, help="paid ones at a time (default: %(default)s)")
    parser.add_argument(
        "--session-seconds", type=int, default=120, help="half to one and a half (default: %(default)s)"
    )
    parser.add_argument("--meter-interval", type=int, default=30, help="seconds (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8600, help="and the two above it (default: %(default)s)")
    parser.add_argument("--log", type=Path, help="a file for what Plugtill logs")
    return parser.parse_args()


def _prepare(options: argparse.Namespace) -> None:
    import django

    django.setup()
    from django.core.management import call_command

    from benchmarks.load_seed import seed
    from infrastructure import outbox

    call_command("migrate", verbosity=0)
    urls = {name: f"http://127.0.0.1:{options.port + 1}/{name}" for name in ALIVE}
    seed(options.chargers, urls | {"dead": f"http://127.0.0.1:{options.port + 2}/dead"})
    outbox.drain()


class Run:
    """Server and clients as processes of their own; they tell what they saw in files."""

    def __init__(self, options: argparse.Namespace, folder: Path, stack: ExitStack) -> None:
        self.options, self._folder, self._stack = options, folder, stack
        self._queues: list[tuple[float, int, int, float]] = []
        self._memory: dict[str, list[float]] = defaultdict(list)
        self._server: subprocess.Popen[bytes]
        self._problems: list[str] = []
        self._began = time.monotonic()

    def whole(self) -> None:
        options = self.options
        log = self._stack.enter_context(options.log.open("wb")) if options.log else None
        self._server = self._start(sys.executable, "manage.py", "serve", output=log)
        _wait("the server", self._is_ready, CONNECTED_WITHIN)
        peers = self._client("peers", "chargers", "sessions", "session-seconds", peer_port=1, dead_port=2)
        self._client("chargers", "chargers", "meter-interval", "session-seconds", first=None)
        wanted = options.chargers
        _wait("all chargers", lambda: len({key for _, key, _ in self._seen("connected")}) >= wanted, CONNECTED_WITHIN)
        print(f"{wanted} chargers are connected after {time.monotonic() - self._began:.0f} s")
        self._began = time.monotonic()
        peers.send_signal(signal.SIGUSR1)
        self._sample_until(self._began + options.minutes * 60)
        peers.send_signal(signal.SIGUSR1)
        deadline = time.monotonic() + SETTLED_WITHIN + 2 * options.session_seconds
        while time.monotonic() < deadline and not self._is_settled():
            self._sample_until(time.monotonic() + SAMPLE_EVERY)

    def _is_ready(self) -> bool:
        """Web, workers and beat."""
        try:
            with urlopen(f"http://127.0.0.1:{self.options.port}/readyz", timeout=5):
                return True
        except OSError:
            return False

    def _start(self, *command: str, output: object = None) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(command, cwd=stage.ROOT, stdout=output, stderr=output)  # type: ignore[call-overload]
        self._stack.callback(_end, process)
        return process

    def _client(self, name: str, *wanted: str, **more: int | None) -> subprocess.Popen[bytes]:
        values = {one: getattr(self.options, one.replace("-", "_")) for one in wanted}
        for one, offset in more.items():
            values[one.replace("_", "-")] = 0 if offset is None else self.options.port + offset
        arguments = [f"--{key}={value}" for key, value in (values | {"port": self.options.port}).items()]
        return self._start(
            sys.executable, "-m", f"benchmarks.load_{name}", *arguments, f"--events={self._folder / name}"
        )

    def _seen(self, event: str) -> list[tuple[float, str, str]]:
        files = [path for name in ("chargers", "peers") if (path := self._folder / name).exists()]
        return read(*files)[event]

    def _is_settled(self) -> bool:
        with psycopg.connect(_libpq(os.environ["DATABASE_URL"])) as connection:
            by_status: dict[str, int] = dict(connection.execute(SESSIONS).fetchall())
            left = connection.execute(LEFT).fetchone()
        is_charging = {"PENDING", "ACTIVE"} & set(by_status)
        has_all = len({key for _, key, _ in self._seen("cdr")}) >= by_status.get("COMPLETED", 0)
        return not is_charging and has_all and left == (0, 0)

    def _sample_until(self, end: float) -> None:
        with psycopg.connect(_libpq(os.environ["DATABASE_URL"]), autocommit=True) as connection:
            while time.monotonic() < end:
                oldest, waiting, of_dead = connection.execute(QUEUES).fetchone() or (0, 0, 0)
                (outbox,) = connection.execute(OUTBOX).fetchone() or (0,)
                self._queues.append((float(oldest), waiting, of_dead, float(outbox)))
                for name, megabytes in _memory_of(self._server.pid).items():
                    self._memory[name].append(megabytes)
                time.sleep(max(0.0, min(SAMPLE_EVERY, end - time.monotonic())))

    # -- what it came to

    def report(self) -> int:
        seen = read(self._folder / "chargers", self._folder / "peers")
        _spread("START_SESSION to its response", _answers(seen))
        _spread("START_SESSION to RemoteStartTransaction", _starts(seen))
        for peer in ALIVE:
            _spread(f"StatusNotification to PATCH at {peer}", self._statuses(seen, peer))
        _spread("StopTransaction to CDR at the partner", self._stops(seen))
        for action in ("MeterValues", "StartTransaction", "StopTransaction"):
            _spread(f"{action} to its answer", [float(value) for _, key, value in seen["answered"] if key == action])
        ages = [one[0] for one in self._queues]
        _line("Oldest due message to a live partner", f"{statistics.median(ages):.1f} / {max(ages):.1f} s")
        _line("Oldest event in the outbox", f"{max(one[3] for one in self._queues):.1f} s at most")
        _line(
            "Waiting for live partners, for the dead one", f"{max(o[1] for o in self._queues)}, {self._queues[-1][2]}"
        )
        for name, values in self._memory.items():
            steps = [values[round(n * (len(values) - 1) / 4)] for n in range(5)]
            _line(f"Memory of {name}, MB", " ".join(f"{value:.0f}" for value in steps))
            _line("  its processor time", f"{_seconds_of(self._server.pid).get(name, 0):.0f} s")
        self._check(seen)
        return 1 if self._problems else 0

    def _statuses(self, seen: Seen, peer: str) -> list[float]:
        """From the charger's word to the partner's knowledge. One that the next overtook counts with the next of its
        kind, or not at all; that none is missing in the end is `_astray`."""
        heard: dict[tuple[str, str], list[float]] = defaultdict(list)
        for at, uid, status in seen[f"status-at-{peer}"]:
            heard[uid.removesuffix("-1"), status].append(at)
        spent = []
        for at, identity, status in seen["status"]:
            times = heard[identity, status]
            index = bisect_right(times, at)
            if at >= self._began and index < len(times):
                spent.append(times[index] - at)
        return spent

    def _stops(self, seen: Seen) -> list[float]:
        charger_of = {reference: (at, identity) for at, reference, identity in seen["start"]}
        stops: dict[str, list[float]] = defaultdict(list)
        for at, identity, _ in seen["stopped"]:
            stops[identity].append(at)
        spent = []
        for at, reference, _ in seen["cdr"]:
            began, identity = charger_of[reference]
            index = bisect_right(stops[identity], began)
            if index < len(stops[identity]):
                spent.append(at - stops[identity][index])
        return spent

    def _astray(self, seen: Seen, peer: str, statuses: dict[str, str]) -> list[str]:
        """The chargers of which the partner does not know the last status."""
        # What it was told before the chargers came: `ocpi_seed.make_evse`.
        known = dict.fromkeys(statuses, "AVAILABLE")
        known |= {uid.removesuffix("-1"): status for _, uid, status in seen[f"status-at-{peer}"]}
        _line(f"EVSEs with our status at {peer}", f"{sum(known[one] == statuses[one] for one in statuses)}")
        return [f"{one} {known[one]}, ours {status}" for one, status in statuses.items() if known[one] != status]

    def _check(self, seen: Seen) -> None:
        with psycopg.connect(_libpq(os.environ["DATABASE_URL"])) as connection:
            by_status: dict[str, int] = dict(connection.execute(SESSIONS).fetchall())
            statuses: dict[str, str] = dict(connection.execute(STATUSES).fetchall())
            cdrs, of_sessions, invoices, last_number = connection.execute(COUNTS).fetchone() or (0, 0, 0, 0)
        at_peers = [key for _, key, _ in seen["cdr"]]
        completed = by_status.get("COMPLETED", 0)
        _line("Sessions", ", ".join(f"{status} {number}" for status, number in by_status.items()))
        _line("CDRs, at partners, sent twice", f"{cdrs}, {len(set(at_peers))}, {len(at_peers) - len(set(at_peers))}")
        _line("Invoices, last number", f"{invoices}, {last_number}")
        _line("MeterValues, chargers that lost the connection", f"{len(seen['metered'])}, {len(seen['disconnected'])}")
        if not completed == cdrs == of_sessions == len(set(at_peers)) == invoices == last_number:
            self._problems.append("sessions, CDRs, CDRs at partners and invoices are not as many")
        for peer in ALIVE:
            if astray := self._astray(seen, peer, statuses):
                self._problems.append(f"{peer} has another status than we of {len(astray)} EVSEs: {astray[:3]}")
        if {"ACTIVE", "PENDING"} & set(by_status):
            self._problems.append("sessions are still open")
        self._problems += [f"{key}: {value}" for _, key, value in [*seen["broken"], *seen["refused"]][:5]]
        for problem in self._problems:
            print(f"WRONG: {problem}")
        if not self._problems:
            print("Nothing was lost and nothing came twice.")


def _answers(seen: Seen) -> list[float]:
    asked = {key: at for at, key, _ in seen["start"]}
    return [at - asked[key] for at, key, value in seen["started"] if value == "ACCEPTED"]


def _starts(seen: Seen) -> list[float]:
    asked: dict[str, list[float]] = defaultdict(list)
    for at, identity, action in seen["asked"]:
        if action == "RemoteStartTransaction":
            asked[identity].append(at)
    spent = []
    for at, _, identity in seen["start"]:
        index = bisect_right(asked[identity], at)
        if index < len(asked[identity]):
            spent.append(asked[identity][index] - at)
    return spent


def _wait(what: str, is_there: object, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not is_there():  # type: ignore[operator]
        if time.monotonic() > deadline:
            raise SystemExit(f"waited {seconds:.0f} s in vain for {what}")
        time.sleep(0.5)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _tree(pid: int) -> dict[str, int]:
    """The web process and its children, by what they are."""
    found = {"web": pid}
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        command = Path(f"/proc/{child}/cmdline").read_text().split("\0")
        found["beat" if "beat" in command else f"worker of {command[command.index('--queues') + 1]}"] = int(child)
    return found


def _memory_of(pid: int) -> dict[str, float]:
    """Resident, in MB."""
    pages = {name: int(Path(f"/proc/{one}/statm").read_text().split()[1]) for name, one in _tree(pid).items()}
    return {name: number * os.sysconf("SC_PAGE_SIZE") / 2**20 for name, number in pages.items()}


def _seconds_of(pid: int) -> dict[str, float]:
    """Processor time so far."""
    stats = {name: Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split() for name, one in _tree(pid).items()}
    return {name: (int(values[11]) + int(values[12])) / os.sysconf("SC_CLK_TCK") for name, values in stats.items()}


def _libpq(url: str) -> str:
    return urlsplit(url)._replace(scheme="postgresql").geturl()


def _spread(name: str, spent: list[float]) -> None:
    if not spent:
        return _line(name, "none")
    ordered = sorted(spent)
    half, most = ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]
    _line(f"{name} ({len(ordered)})", f"p50 {half * 1000:.0f}, p99 {most * 1000:.0f}, max {ordered[-1] * 1000:.0f} ms")


def _line(name: str, value: str) -> None:
    print(f"{name:<58}{value:>40}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
