"""What several chargers told, in one transaction; whatever does not fit in there is left to be done by itself."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from django.db import connection, transaction

logger = logging.getLogger(__name__)

Told = TypeVar("Told")
Answer = TypeVar("Answer")


def take_together(
    told: Sequence[Told], together: Callable[[Sequence[Told]], Mapping[int, Answer]]
) -> Mapping[int, Answer]:
    """The answers of those that `together` took in, by their place in `told`; committed.

    Raises OperationalError when there is no database: the others need not find that out each after a time-out.
    """
    connection.ensure_connection()
    try:
        with transaction.atomic():
            return together(told)
    except Exception:  # one of them must not keep the others from being heard
        logger.exception("%d messages could not be recorded together", len(told))
    connection.ensure_connection()
    return {}  # the commit itself may have failed
