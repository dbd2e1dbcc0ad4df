"""How much the fuzz tests send. `FUZZ=20` before a command: so many times as much, and something else each time."""

import os
from collections import Counter
from typing import Any

TIMES = int(os.environ.get("FUZZ", "1"))
# What a run sent, by surface; printed at its end where it is one process (`-n 0`).
sent: Counter[str] = Counter()


def examples(number: int) -> dict[str, Any]:
    """For hypothesis: the same each time unless more are asked for, so that a failure is always one of a change."""
    return {"max_examples": number * TIMES, "derandomize": TIMES == 1}
