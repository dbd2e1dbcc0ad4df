"""One request to us and our answer; how an answer is refused."""

from dataclasses import dataclass, field
from typing import Any

from payments.simulator.wire import INVALID_PARAMETERS


@dataclass
class Request:
    """An HTTP request; `parts` are the path segments below the version, unquoted."""

    method: str
    path: str
    module: str
    parts: list[str]
    query: dict[str, str]
    headers: dict[str, str]
    raw: bytes
    received_at: str
    body: Any = None

    def header(self, name: str) -> str:
        return self.headers.get(name.lower(), "")


@dataclass
class Answer:
    """HTTP status, OCPI data and code, and headers beside the usual ones."""

    data: Any = None
    status: int = 200
    code: int = 1000
    message: str = "Success"
    headers: dict[str, str] = field(default_factory=dict)


class Refusal(Exception):
    """A request we do not fulfil. `rule` names the rule that was broken; "" if none was."""

    def __init__(self, rule: str, message: str, status: int = 200, code: int = INVALID_PARAMETERS) -> None:
        super().__init__(message)
        self.rule, self.message, self.status, self.code = rule, message, status, code

    @property
    def answer(self) -> Answer:
        return Answer(status=self.status, code=self.code, message=self.message)
