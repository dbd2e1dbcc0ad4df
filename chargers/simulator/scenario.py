"""A scripted scenario: what drivers and misfortune do to the charge point, step by step, from a JSON file.

    [{"wait": 5, "do": "plug", "connector": 1}, {"until": "Charging", "connector": 1},
     {"wait": 10, "do": "offline", "seconds": 30}, {"do": "fault", "connector": 2}, {"do": "stop", "connector": 1},
     {"do": "sign-certificate", "organization": "Acme"}, {"do": "password", "password": "a secret of 20 letters"}]

`wait` is seconds before the step, `until` a status (OCPP 1.6 ChargePointStatus) of its connector to wait for, `do` an
action of the control API with its body beside it.
"""

import asyncio
import json
from pathlib import Path
from typing import Any

from chargers.simulator.control import Control, Refused

Step = dict[str, Any]
LOOK_EVERY = 0.05
OWN_WORDS = {"wait", "until", "do"}


def read_scenario(path: Path, actions: set[str]) -> list[Step]:
    """Raises ValueError, with the number of the step, for one that nobody can play."""
    steps = json.loads(path.read_text())
    if not isinstance(steps, list):
        raise ValueError("a scenario is a JSON array of steps")
    for number, step in enumerate(steps, start=1):
        if not isinstance(step, dict) or not step.keys() & OWN_WORDS:
            raise ValueError(f"step {number} is no object with wait, until or do")
        if "do" in step and f"/{step['do']}" not in actions:
            raise ValueError(f"step {number}: {step['do']!r} is none of {', '.join(sorted(actions))}")
        if not isinstance(step.get("wait", 0), int | float):
            raise ValueError(f"step {number}: wait is no number of seconds")
    return steps


async def play(control: Control, steps: list[Step]) -> None:
    """One step after the other; one that makes no sense when it comes is told in the log and passed over."""
    for number, step in enumerate(steps, start=1):
        await asyncio.sleep(step.get("wait", 0))
        if "until" in step:
            await _reach(control, step)
        if "do" in step:
            await _do(control, number, step)
    control.charger.log.record("scenario_played", steps=len(steps))


async def _reach(control: Control, step: Step) -> None:
    connector = control.charger.connectors[step.get("connector", 1)]
    while connector.status != step["until"]:
        await asyncio.sleep(LOOK_EVERY)


async def _do(control: Control, number: int, step: Step) -> None:
    body = {name: value for name, value in step.items() if name not in OWN_WORDS}
    control.charger.log.record("scenario_step", number=number, do=step["do"])
    try:
        await control.actions[f"/{step['do']}"](body)
    except (Refused, ValueError, KeyError, TypeError) as error:
        control.charger.log.record("scenario_step_failed", number=number, reason=str(error))
