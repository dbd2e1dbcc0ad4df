"""The options of the simulated charge point, shared by both ways to start it."""

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VERSIONS = ("1.6", "2.0.1")
METERS = ("register", "interval")


@dataclass(frozen=True)
class Settings:
    """What one simulated charge point is. Powers in kW, times in seconds; None means never or none."""

    identity: str
    url: str
    password: str = ""
    ocpp: str = "1.6"
    evses: int = 1
    power_kw: float = 22.0
    speed_up: float = 1.0
    meter_interval: float = 10.0
    meter: str = "register"
    auto_plug: float | None = 0.2
    auto_unplug: float | None = 0.5
    battery_kwh: float | None = None
    control: tuple[str, int] | None = None
    vendor: str = "Plugtill"
    model: str = "Simulator"
    serial: str = ""
    state: Path | None = None
    scenario: Path | None = None
    answer_timeout: float = 30.0
    quiet: bool = False
    json: bool = False


def seconds_or_never(value: str) -> float | None:
    """Reads a number of seconds, or the word "never"."""
    if value == "never":
        return None
    return positive(value)


def positive(value: str) -> float:
    """Reads a number that is not negative."""
    try:
        number = float(value)
    except ValueError as error:
        raise ArgumentTypeError(f"{value!r} is not a number") from error
    if number < 0:
        raise ArgumentTypeError(f"{value} is negative")
    return number


def factor(value: str) -> float:
    """Reads a number above zero."""
    number = positive(value)
    if not number:
        raise ArgumentTypeError("must be above zero")
    return number


def address(value: str) -> tuple[str, int]:
    """Reads host:port."""
    host, _, port = value.rpartition(":")
    if not port.isdigit():
        raise ArgumentTypeError(f"{value!r} is not host:port")
    return host or "127.0.0.1", int(port)


def websocket(value: str) -> str:
    """Reads a ws:// or wss:// URL."""
    if not value.startswith(("ws://", "wss://")):
        raise ArgumentTypeError(f"{value!r} does not begin with ws:// or wss://")
    return value


def connectors(value: str) -> int:
    """Reads the number of EVSEs, at least one."""
    if not value.isdigit() or int(value) < 1:
        raise ArgumentTypeError(f"{value!r} is not a number of EVSEs")
    return int(value)


def add_arguments(parser: ArgumentParser) -> None:
    """Adds the options of the charge point to a parser."""
    add = parser.add_argument
    add("--identity", required=True, help="charge point identity, appended to the URL")
    add(
        "--url", type=websocket, required=True, help="OCPP endpoint without the identity, e.g. ws://127.0.0.1:8000/ocpp"
    )
    add("--password", default="", help="HTTP Basic password; the user is the identity")
    add("--ocpp", choices=VERSIONS, default=VERSIONS[0], help="OCPP version to speak (1.6)")
    add("--evses", type=connectors, default=1, metavar="N", help="number of EVSEs, connector ids 1..N")
    add("--power", type=positive, default=22.0, metavar="KW", help="charging power per EVSE (22)")
    add(
        "--speed-up",
        type=factor,
        default=1.0,
        metavar="N",
        help="energy flows N times as fast as the power says; clock times stay real",
    )
    add("--meter-interval", type=positive, default=10.0, metavar="S", help="seconds between MeterValues (10)")
    add(
        "--meter",
        choices=METERS,
        default=METERS[0],
        help="what the meter tells: its register, or only the energy since the last value (register)",
    )
    add(
        "--auto-plug",
        type=seconds_or_never,
        default=0.2,
        metavar="S|never",
        help="the driver plugs in so long after a start was authorised (0.2)",
    )
    add(
        "--auto-unplug",
        type=seconds_or_never,
        default=0.5,
        metavar="S|never",
        help="the driver unplugs so long after the end of a transaction (0.5)",
    )
    add("--battery", type=factor, metavar="KWH", help="the car is full after so much energy (never)")
    add("--control", type=address, metavar="HOST:PORT", help="serve the HTTP control API here")
    add("--vendor", default="Plugtill", help="chargePointVendor")
    add("--model", default="Simulator", help="chargePointModel")
    add("--serial", default="", help="chargePointSerialNumber")
    add("--state", type=Path, metavar="FILE", help="keep registers, transactions and unsent messages here")
    add(
        "--scenario",
        type=Path,
        metavar="FILE",
        help="play the steps of this JSON file (chargers/simulator/scenario.py)",
    )
    add("--answer-timeout", type=factor, default=30.0, metavar="S", help="wait so long for an answer (30)")
    add("--quiet", action="store_true", help="print nothing")
    add("--json", action="store_true", help="print one JSON object per event")


def from_options(options: Mapping[str, Any]) -> Settings:
    """The settings in parsed options."""
    renamed = {"power": "power_kw", "battery": "battery_kwh"}
    fields = Settings.__dataclass_fields__
    values = {renamed.get(name, name): value for name, value in options.items()}
    return Settings(**{name: value for name, value in values.items() if name in fields})
