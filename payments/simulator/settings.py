"""The options of the simulated payment terminal provider, shared by both ways to start it."""

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DEFAULT_ADDRESS = "127.0.0.1:9201"
ACTIONS = ("tap", "stop", "state", "events", "push-terminals", "register", "pull")


@dataclass(frozen=True)
class Settings:
    """Who the PTP is and whom it registers with."""

    listen: tuple[str, int] = ("127.0.0.1", 0)
    public_url: str = ""
    plugtill_versions: str = ""
    token: str = ""
    offer_token: str = ""
    country: str = "NL"
    party: str = "PTP"
    name: str = "Simulated terminals"
    role: str = "EMSP"
    terminals: int = 2
    invoice_creator: str = "CPO"
    sync: bool = False
    state: Path | None = None
    quiet: bool = False
    json: bool = False


def address(value: str) -> tuple[str, int]:
    """Reads host:port."""
    host, _, port = value.rpartition(":")
    if not port.isdigit():
        raise ArgumentTypeError(f"{value!r} is not host:port")
    return host or "127.0.0.1", int(port)


def add_arguments(parser: ArgumentParser) -> None:
    """Adds the options of the server and the actions of the client to a parser."""
    server = parser.add_argument_group("run a provider (without ACTION)")
    add = server.add_argument
    add("--listen", type=address, default=address(DEFAULT_ADDRESS), metavar="HOST:PORT")
    add("--public-url", default="", help="how the CPO reaches us, when that is not http://HOST:PORT")
    add("--plugtill-versions", default="", metavar="URL", help="register there; needs --token")
    add("--token", default="", help="registration token (token A) that the CPO gave us")
    add("--offer-token", default="", help="registration token the CPO may register with us by")
    add("--country", default="NL", help="our country code")
    add("--party", default="PTP", help="our party id")
    add("--name", default="Simulated terminals", help="our business name")
    add("--role", default="EMSP", help="our role in credentials; OCPI 2.2.1 has none for a PTP (EMSP)")
    add("--terminals", type=int, default=2, metavar="N", help="number of our terminals (2)")
    add("--invoice-creator", choices=("CPO", "PTP"), default="CPO", help="who makes the invoice (CPO)")
    add("--sync", action="store_true", help="once registered, push the terminals, pull locations and tariffs")
    add("--state", type=Path, metavar="FILE", help="keep everything we know here")
    add("--quiet", action="store_true", help="print nothing")
    add("--json", action="store_true", help="print one JSON object per event")
    client = parser.add_argument_group("command a running provider")
    client.add_argument("--control", default=f"http://{DEFAULT_ADDRESS}", metavar="URL", help="where it is")
    client.add_argument("--force", action="store_true", help="tap: send whatever was typed, unchecked")
    client.add_argument("--reference", default="", help="tap: use this authorization reference")
    client.add_argument(
        "action",
        nargs="?",
        choices=ACTIONS,
        metavar="ACTION",
        help="tap LOCATION EVSE CONNECTOR [TERMINAL] | stop [REFERENCE] | " + " | ".join(ACTIONS[2:]),
    )
    client.add_argument("arguments", nargs="*", metavar="ARGUMENT")


def from_options(options: Mapping[str, Any]) -> Settings:
    """The settings in parsed options."""
    fields = Settings.__dataclass_fields__
    return Settings(**{name: value for name, value in options.items() if name in fields})
