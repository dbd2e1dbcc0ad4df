"""How fast Plugtill answers chargers, beside a central system without a database; see docs/benchmarks.md.

    DATABASE_URL=postgres://... REDIS_URL=redis://... .venv/bin/python -m benchmarks.ocpp

Makes a database of its own on that server and drops it at the end.
"""

import argparse
import asyncio
import os
import statistics
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import NamedTuple

import uvloop

from benchmarks import stage
from benchmarks.ocpp_client import Charger, Slice, Told, Work, measure, one_transaction
from benchmarks.stage import line

PASSWORD = "password-of-every-charger"
MESSAGES_OF_A_TRANSACTION = 9
SIZES = (1, 100, 1_000)
# Of these the wanted shares of the bare system's rate are judged.
JUDGED = 100
WANTED_HEARTBEATS, WANTED_TRANSACTIONS = 0.40, 0.08
IDLE, WANTED_MEMORY = 1_000, 400
RETURNING, WANTED_RETURN = 500, 15.0
# A charger that waits longer for an answer may give up, by its own settings.
LONGEST_ANSWER = 30.0


class Side(NamedTuple):
    """One of the two central systems, and its chargers that are connected now."""

    port: int
    processor_ms: Callable[[], float]
    told: Told
    chargers: list[Charger]


def main() -> None:
    options = _options()
    with stage.database(os.environ["DATABASE_URL"]) as database_url:
        os.environ |= stage.environment(database_url, options.port)
        # Transactions that begin twelve hours ago are worth a warning each.
        os.environ["LOG_LEVEL"] = "ERROR"
        import django

        django.setup()
        _prepare(options)
        with ExitStack() as stack:
            serve = ("manage.py", "serve", "--only", "web")
            process = stack.enter_context(stage.server(options.port, *serve))
            port = options.port + 1
            bare = stack.enter_context(stage.server(port, "-m", "benchmarks.ocpp_bare", str(port)))
            line("Memory at first", f"{stage.memory(process.pid):,.0f} MB")
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                told = runner.run(_measure(options, process.pid, bare.pid))
        _check_rows(told)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="chargers at once (default: %(default)s)")
    parser.add_argument("--cards", choices=["own", "partner"], default="own", help="whose (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="slices of each system (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=1.0, help="of a slice (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8106, help="and the next one (default: %(default)s)")
    if "DATABASE_URL" not in os.environ or "REDIS_URL" not in os.environ:
        parser.error("set DATABASE_URL and REDIS_URL; use a Redis database that nothing else uses")
    return parser.parse_args()


def _prepare(options: argparse.Namespace) -> None:
    from django.core.management import call_command

    from benchmarks.ocpp_seed import seed

    stage.show_machine()
    call_command("migrate", interactive=False, verbosity=0)
    seed(max(*SIZES, IDLE, RETURNING), PASSWORD, of_partner=options.cards == "partner")


async def _measure(options: argparse.Namespace, pid: int, bare_pid: int) -> Told:
    plugtill = Side(options.port, lambda: sum(stage.processor_ms(pid)), Told(), [])
    bare = Side(options.port + 1, lambda: stage.processor_ms(bare_pid)[0], Told(), [])
    works: dict[str, Work] = {"Heartbeat": Charger.heartbeat, "StatusNotification": Charger.status}
    for size in options.sizes:
        for side in (plugtill, bare):
            await _connect(side, range(len(side.chargers), size))
        for name, work in works.items():
            await _compare(options, f"{name}, {size:,}", (plugtill, bare), work)
        await _compare_meter_values(options, f"MeterValues, {size:,}", (plugtill, bare))
        await _compare_transactions(options, f"Transactions, {size:,}", (plugtill, bare))
    await _connect(plugtill, range(len(plugtill.chargers), IDLE))
    memory = stage.memory(pid)
    line(f"Memory with {IDLE:,} chargers", f"{memory:,.0f} MB", is_ok=memory <= WANTED_MEMORY)
    await _return(plugtill)
    return plugtill.told


async def _connect(side: Side, numbers: Iterable[int]) -> None:
    from benchmarks.ocpp_seed import id_tag, identity

    for number in numbers:
        charger = await Charger.connect(side.port, identity(number), PASSWORD, id_tag(number), side.told)
        side.chargers.append(charger)
        await charger.boot()


async def _compare(
    options: argparse.Namespace, name: str, sides: tuple[Side, Side], work: Work, messages: int = 1
) -> None:
    """In turn, so that both meet the same other programs. `messages`: how many each work has."""
    slices: tuple[list[Slice], list[Slice]] = ([], [])
    for _ in range(options.rounds):
        for side, found in zip(sides, slices, strict=True):
            found.append(await measure(side.chargers, work, options.seconds, side.processor_ms))
    _show(name, slices, messages)


def _show(name: str, slices: tuple[list[Slice], list[Slice]], messages: int) -> None:
    ours, bare = slices
    rates = [statistics.median(one.rate for one in side) * messages for side in slices]
    share = statistics.median(mine.rate / other.rate for mine, other in zip(ours, bare, strict=True))
    line(f"{name} chargers", f"{rates[0]:,.0f} /s")
    line(
        f"  bare, share, load {os.getloadavg()[0]:.1f}",
        f"{rates[1]:,.0f} /s, {share:.0%}",
        is_ok=_is_enough(name, share),
    )
    costs = [sum(one.processor_ms for one in side) / sum(len(one.times) for one in side) / messages for side in slices]
    line("  processor per message", f"{costs[0]:.2f} ms, bare {costs[1]:.2f}")
    times = sorted(spent for one in ours for spent in one.times)
    middle, late = times[len(times) // 2] * 1000, times[len(times) * 99 // 100] * 1000
    slowest = times[-1]
    line("  p50, p99, slowest", f"{middle:,.1f}, {late:,.1f}, {slowest * 1000:,.0f} ms", is_ok=slowest < LONGEST_ANSWER)


def _is_enough(name: str, share: float) -> bool | None:
    wanted = {f"Heartbeat, {JUDGED}": WANTED_HEARTBEATS, f"Transactions, {JUDGED}": WANTED_TRANSACTIONS}.get(name)
    return None if wanted is None else share >= wanted


async def _compare_meter_values(options: argparse.Namespace, name: str, sides: tuple[Side, Side]) -> None:
    """Each slice in transactions of its own: how long one lasts is not to depend on how fast the machine is."""
    slices: tuple[list[Slice], list[Slice]] = ([], [])
    for _ in range(options.rounds):
        for side, found in zip(sides, slices, strict=True):
            _begin_again(side)
            await _all(charger.start() for charger in side.chargers)
            found.append(await measure(side.chargers, Charger.meter_value, options.seconds, side.processor_ms))
            await _all(charger.stop() for charger in side.chargers)
    _show(name, slices, 1)


async def _compare_transactions(options: argparse.Namespace, name: str, sides: tuple[Side, Side]) -> None:
    for side in sides:
        _begin_again(side)
    await _compare(options, name, sides, one_transaction, MESSAGES_OF_A_TRANSACTION)


def _begin_again(side: Side) -> None:
    for charger in side.chargers:
        charger.begin()


async def _all(works: Iterable[object]) -> None:
    await asyncio.gather(*works)  # type: ignore[call-overload]


async def _return(side: Side) -> None:
    """A power cut is over: all chargers connect and boot at once."""
    leaving = side.chargers[:RETURNING]
    for charger in leaving:
        charger.drop()
    began = time.perf_counter()

    async def come_back(charger: Charger) -> None:
        again = await Charger.connect(side.port, charger.identity, PASSWORD, charger.id_tag, side.told)
        await again.boot()
        side.chargers.append(again)

    await _all(come_back(charger) for charger in leaving)
    spent = time.perf_counter() - began
    line(f"{RETURNING} chargers back at once, all booted after", f"{spent:.1f} s", is_ok=spent <= WANTED_RETURN)


def _check_rows(told: Told) -> None:
    """What was answered must be there, and the log must have it a little later."""
    from chargers.models import CDR, ChargingSession, MeterSample

    wanted, counts = told.counts, {}
    counts["StartTransaction"] = ChargingSession.objects.count()
    counts["StopTransaction"] = CDR.objects.count()
    counts["MeterValues"] = MeterSample.objects.count()
    for action, found in counts.items():
        line(f"Rows of {action}", f"{found:,} of {wanted[action]:,}", is_ok=found == wanted[action])


if __name__ == "__main__":
    main()
