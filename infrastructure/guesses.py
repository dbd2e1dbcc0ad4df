"""Who guesses tokens and passwords is stopped, and nobody else.

What counts is how many different wrong ones come from one place: a partner or charger that repeats the same wrong one
guesses nothing. A place that has reached its limit waits, apart from who shows what was right there before: a stranger
cannot lock out whoever shares an address with him.
"""

import ipaddress
import logging
import time
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.cache import cache

from infrastructure.secrets import keyed_hash

WINDOW_S = 600
# So long a place is remembered as that of somebody who has proved himself.
KNOWN_S = 30 * 24 * 3600
# This process asks and tells the cache no more often than this about who comes all the time.
RECENT_S = 300
_MOST_RECENT = 20_000

logger = logging.getLogger(__name__)
_recent: dict[str, float] = {}


def network_of(address: str) -> str:
    """As whose an address counts: of IPv6 the first 64 bits, which is what one customer of a provider has."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv4Address):
        return address
    if ip.ipv4_mapped:
        return str(ip.ipv4_mapped)
    return str(ipaddress.ip_network((int(ip), 64), strict=False).network_address)


@dataclass(frozen=True, slots=True)
class Limit:
    """`settings.GUESS_LIMIT` times `factor` different wrong proofs from one place in ten minutes; 0: no limit.

    A place is an address (`network_of`), or one with what is guessed at. Never raises: while the cache is away there is
    no limit, for partners and chargers must get in.
    """

    name: str
    factor: int = 1

    def is_reached(self, place: str, proof: str) -> bool:
        key = self._key("right", place, proof)
        if not settings.GUESS_LIMIT or _recent.get(key, 0.0) > time.monotonic() - RECENT_S:
            return False
        count = self._key("count", place)
        try:
            found: dict[str, Any] = cache.get_many([count, key])
        except Exception as error:  # each cache has errors of its own
            logger.warning("the limit on guesses is off, the cache does not answer: %s", error)
            return False
        return found.get(count, 0) >= settings.GUESS_LIMIT * self.factor and key not in found

    def note_wrong(self, place: str, proof: str) -> None:
        count = self._key("count", place)
        try:
            if settings.GUESS_LIMIT and cache.add(self._key("wrong", place, proof), 1, WINDOW_S):
                cache.add(count, 0, WINDOW_S)
                cache.incr(count)
        except ValueError:  # it expired between the two calls
            pass
        except Exception as error:
            logger.warning("a wrong guess was not counted, the cache does not answer: %s", error)

    def note_right(self, place: str, proof: str) -> None:
        key, now = self._key("right", place, proof), time.monotonic()
        if not settings.GUESS_LIMIT or _recent.get(key, 0.0) > now - RECENT_S:
            return
        if len(_recent) >= _MOST_RECENT:
            _recent.clear()
        try:
            cache.set(key, 1, KNOWN_S)
            _recent[key] = now
        except Exception as error:
            logger.warning("who proved himself was not remembered, the cache does not answer: %s", error)

    def _key(self, kind: str, *parts: str) -> str:
        # Hashed: a proof is a secret, and anything may be in it.
        return f"guess-{kind}-{keyed_hash(repr((self.name, *parts)), purpose='guess')}"
