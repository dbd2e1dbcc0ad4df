"""The control API: what testers, the demo and the command line tell the provider to do."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

from payments.simulator import driver, registration
from payments.simulator.book import Object
from payments.simulator.client import Unreachable
from payments.simulator.office import Office
from payments.simulator.settlement import advice_by_hand, post_advice
from payments.simulator.wire import loads


class Control:
    """Each action takes the JSON body of a POST and returns the content of the answer."""

    def __init__(self, office: Office, add_fault: Callable[[Object], None]) -> None:
        self.office, self._add_fault = office, add_fault
        self.actions: dict[str, Callable[[Object], Any]] = {
            "register": self.register,
            "unregister": self.unregister,
            "offer": self.offer,
            "push-terminals": lambda body: driver.push_terminals(office),
            "pull": lambda body: driver.pull(office),
            "tap": lambda body: driver.tap(office, body),
            "stop": lambda body: driver.stop(office, body),
            "advice": self.advice,
            "faults": self.faults,
        }

    def register(self, body: Object) -> Object:
        registration.register(self.office, body.get("versions_url", ""), body.get("token", ""))
        return {"registered": True}

    def unregister(self, body: Object) -> Object:
        registration.unregister(self.office)
        return {"registered": False}

    def offer(self, body: Object) -> Object:
        with self.office.book.changing() as book:
            book.registration.offered_token = str(body["token"])
        return {"versions_url": self.office.versions_url}

    def advice(self, body: Object) -> Object:
        entry: Object = {"advice": advice_by_hand(self.office, body), "delivered": False, "attempts": 0}
        with self.office.book.changing() as book:
            book.advices[entry["advice"]["id"]] = entry
        self.office.delivering.add(entry["advice"]["id"])
        post_advice(self.office, entry)
        return entry

    def faults(self, body: Object) -> Object:
        self._add_fault(body)
        return {"planned": body}

    def handle(self, method: str, path: str, query: str, raw: bytes) -> tuple[int, Any]:
        """HTTP status and JSON content of a control request."""
        name = path.removeprefix("/control").strip("/")
        reads = method == "GET" and name in {"state", "events"}
        if not reads and (method != "POST" or name not in self.actions):
            return 404, {"error": f"GET state or events, POST {', '.join(self.actions)}"}
        try:
            if reads:
                return 200, self.read(name, query)
            return 200, self.actions[name](loads(raw or b"{}"))
        except KeyError as error:
            return 400, {"error": f"{error} is missing or unknown"}
        except (ValueError, TypeError) as error:
            return 400, {"error": str(error)}
        except driver.DriverError as error:
            return 409, {"error": str(error)}
        except (Unreachable, registration.RegistrationFailed) as error:
            return 502, {"error": str(error)}

    def read(self, name: str, query: str = "") -> Any:
        """The state, or the events after number `after`, for which one may `wait` some seconds."""
        if name == "state":
            return self.office.book.public_state()
        given = parse_qs(query)
        after, wait = int(given.get("after", ["0"])[0]), float(given.get("wait", ["0"])[0])
        return self.office.log.events(after, min(wait, 60.0))
