"""What the clients of `benchmarks/load.py` saw, as lines of a file: instant, event, key, value.

Instants are of the monotonic clock, which all processes of a machine share.
"""

import time
from collections import defaultdict
from pathlib import Path
from typing import TextIO

PASSWORD = "password-of-each-charger"
Seen = dict[str, list[tuple[float, str, str]]]


def token_of(platform: str) -> str:
    """What the platform sends us."""
    return f"token-of-{platform}-which-is-long-enough"


class Events:
    """Written at once, so that a killed client has told all."""

    def __init__(self, path: Path) -> None:
        self._file: TextIO = path.open("w", buffering=1)

    def tell(self, event: str, key: str, value: str = "") -> None:
        self._file.write(f"{time.monotonic():.4f}\t{event}\t{key}\t{value}\n")


def read(*paths: Path) -> Seen:
    """(instant, key, value) of each event, in order of time."""
    seen: Seen = defaultdict(list)
    for path in paths:
        for line in path.read_text().splitlines():
            at, event, key, value = line.split("\t")
            seen[event].append((float(at), key, value))
    for found in seen.values():
        found.sort()
    return seen
