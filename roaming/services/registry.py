"""What other apps add to the OCPI delivery of this one, filled in their `AppConfig.ready`.

Endpoints for the version details, senders of queued pushes, and lists that are fetched from platforms.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from roaming.choices import InterfaceRole, PlatformType
from roaming.models import Push, RoamingPlatform
from roaming.ocpi.client import Reply


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An entry of our version details; `platform_types` empty means every platform."""

    module: str
    role: InterfaceRole
    platform_types: frozenset[PlatformType] = frozenset()


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request to a peer. `routing` is False for modules without OCPI-to/from headers; `addressee` is whom of
    the peer's parties it is for (country code and party id; None: the first)."""

    method: str
    url: str
    body: Any = None
    country_code: str = ""
    party_id: str = ""
    routing: bool = True
    addressee: tuple[str, str] | None = None
    state: Any = None  # what the peer holds once it took the request


@dataclass(frozen=True, slots=True)
class Sender:
    """`build` makes the request from the rows as they are now (None: nothing left to say);
    `acknowledge` writes down that the peer took it. `refused` may change what is sent next (True: try again
    now)."""

    build: Callable[[Push], Request | None]
    acknowledge: Callable[[Push, Request, Reply], None] = lambda push, request, reply: None
    refused: Callable[[Push], bool] = lambda push: False


@dataclass(frozen=True, slots=True)
class PullSource:
    """A list that platforms of these types own. `url` is None where a platform does not offer it; `receive` takes
    one validated object and since when it was asked for, and raises OcpiError; `after_full` follows a complete fetch
    (its beginning is given). `has_routing` is False for modules without OCPI-to/from headers."""

    name: str
    type_name: str
    platform_types: frozenset[PlatformType]
    url: Callable[[RoamingPlatform], str | None]
    receive: Callable[[RoamingPlatform, dict[str, Any], datetime], object]
    after_full: Callable[[RoamingPlatform, datetime], object] | None = None
    has_routing: bool = True


@dataclass(slots=True)
class Registry:
    endpoints: list[Endpoint] = field(default_factory=list)
    senders: dict[str, Sender] = field(default_factory=dict)
    pull_sources: dict[str, PullSource] = field(default_factory=dict)

    def endpoints_for(self, platform_type: str) -> list[Endpoint]:
        return [entry for entry in self.endpoints if not entry.platform_types or platform_type in entry.platform_types]

    def add_pull_source(self, source: PullSource) -> None:
        self.pull_sources[source.name] = source


registry = Registry()
