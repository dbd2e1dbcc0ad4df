"""The command line of another shell: sends one action to a running provider and prints the outcome."""

import sys
from typing import Any

import requests

from payments.simulator.wire import dumps


def body_of(action: str, words: list[str], options: Any) -> dict[str, Any]:
    """The JSON body of an action typed as words. Raises ValueError when words are missing."""
    if action == "tap":
        if len(words) not in {3, 4}:
            raise ValueError("tap LOCATION EVSE CONNECTOR [TERMINAL]")
        names = ("location_id", "evse_uid", "connector_id", "terminal_id")
        body: dict[str, Any] = dict(zip(names, words, strict=False))
        if options.get("reference"):
            body["authorization_reference"] = options["reference"]
        return body | ({"force": True} if options.get("force") else {})
    return {"authorization_reference": words[0]} if action == "stop" and words else {}


def command(control_url: str, action: str, words: list[str], options: Any) -> int:
    """Performs the action; the exit status is 0 when it worked."""
    base = control_url.rstrip("/") + "/control/"
    with requests.Session() as http:
        http.trust_env = False
        try:
            if action in {"state", "events"}:
                response = http.get(base + action, timeout=60)
            else:
                body = body_of(action, words or _running(http, base, action), options)
                response = http.post(base + action, data=dumps(body), timeout=60)
        except ValueError as error:
            print(error, file=sys.stderr)
            return 2
        except requests.RequestException as error:
            print(f"no provider answers at {control_url}: {error}", file=sys.stderr)
            return 1
    print(dumps(response.json(), indent=2))
    return 0 if response.ok else 1


def _running(http: requests.Session, base: str, action: str) -> list[str]:
    """For a stop without reference: the only session that runs."""
    if action != "stop":
        return []
    sessions = http.get(base + "state", timeout=60).json()["sessions"].values()
    running = [one["authorization_reference"] for one in sessions if one["status"] in {"ACTIVE", "PENDING"}]
    if len(running) != 1:
        raise ValueError(f"{len(running)} sessions run; stop REFERENCE, one of: {' '.join(running) or 'none'}")
    return running
