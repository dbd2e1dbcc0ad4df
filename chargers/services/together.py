"""What several chargers told, in one transaction; whatever does not fit in there is done one by one."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from django.db import transaction

logger = logging.getLogger(__name__)

Told = TypeVar("Told")
Answer = TypeVar("Answer")


def answer_all(
    told: Sequence[Told],
    together: Callable[[Sequence[Told]], Mapping[int, Answer]],
    alone: Callable[[Told], Answer],
) -> list[Answer | Exception]:
    """What became of each. `together` gives the answers of those that it took in, by their place in `told`."""
    done: Mapping[int, Answer] = {}
    if len(told) > 1:
        try:
            with transaction.atomic():
                done = together(told)
        except Exception:  # one of them must not keep the others from being heard
            logger.exception("%d messages could not be recorded together", len(told))
            done = {}  # the commit itself may have failed
    return [done[number] if number in done else _answer(alone, one) for number, one in enumerate(told)]


def _answer(alone: Callable[[Told], Answer], told: Told) -> Answer | Exception:
    try:
        return alone(told)
    except Exception as error:
        return error
