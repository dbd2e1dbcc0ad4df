"""The correlation id of what is being done right now: one word that joins its log lines and its messages."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

LONGEST = 64

_current: ContextVar[str] = ContextVar("correlation_id", default="")


def current() -> str:
    """Empty outside of `correlated`."""
    return _current.get()


@contextmanager
def correlated(correlation_id: str) -> Iterator[None]:
    """Log lines from within carry the id. A peer may have chosen it, so it is cut and kept to one line."""
    correlation_id = correlation_id[:LONGEST]
    if not correlation_id.isprintable():
        correlation_id = "".join(character for character in correlation_id if character.isprintable())
    token = _current.set(correlation_id)
    try:
        yield
    finally:
        _current.reset(token)
