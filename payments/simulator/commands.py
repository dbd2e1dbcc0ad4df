"""Commands to the CPO and the results it calls back with (OCPI 2.2.1 §13, SENDER)."""

import uuid
from typing import Any

from payments.simulator.book import Object
from payments.simulator.client import Reply
from payments.simulator.exchange import Answer, Refusal, Request
from payments.simulator.office import Office
from payments.simulator.receivers import checked, not_allowed
from payments.simulator.schema import problems
from payments.simulator.settlement import release
from payments.simulator.wire import CLIENT_ERROR


def send(office: Office, name: str, reference: str, fields: Object) -> tuple[Object, Reply]:
    """Sends START_SESSION or STOP_SESSION; our note of the command, and the CPO's answer."""
    identifier = str(uuid.uuid4())
    command: Object = {
        "id": identifier,
        "command": name,
        "authorization_reference": reference,
        "response": None,
        "result": None,
    }
    with office.book.changing() as book:
        book.commands[identifier] = command
    url = f"{office.book.registration.endpoint('commands', 'RECEIVER')}/{name}"
    body = {"response_url": office.module_url(f"commands/{name}/{identifier}")} | fields
    office.log.record(name.lower(), "out", authorization_reference=reference, command=identifier)
    reply = office.client.call("POST", url, "commands", body)
    _note_response(office, command, reply)
    return command, reply


def _note_response(office: Office, command: Object, reply: Reply) -> None:
    """Keeps the CommandResponse and, if a result was promised, watches that it comes in time."""
    malformed = problems("CommandResponse", reply.data) if reply.ok else []
    if malformed:
        office.complain("schema", "; ".join(malformed), command=command["id"])
    response = reply.data if isinstance(reply.data, dict) else {}
    with office.book.changing():
        command["response"] = response.get("result") or reply.reason
    office.log.record(
        "command_response",
        "in",
        result=command["response"],
        code=reply.code,
        authorization_reference=command["authorization_reference"],
        command=command["id"],
    )
    if command["response"] == "ACCEPTED" and not malformed:
        office.later("timeout", lambda: _watch(office, command["id"]), delay=float(response["timeout"]))


def _watch(office: Office, identifier: str) -> None:
    command = office.book.commands[identifier]
    if command["result"] is None and not office.closing.is_set():
        office.complain("command-result", "no CommandResult within the timeout", command=identifier)


def results(office: Office, request: Request) -> Answer:
    """POST of a CommandResult to the response_url of a command."""
    if request.method != "POST":
        raise not_allowed(request)
    command = office.book.commands.get(request.parts[-1] if request.parts else "")
    if command is None or request.parts[:-1] != [command["command"]]:
        raise Refusal("command-unknown", "this is no response_url of ours", 404, CLIENT_ERROR)
    checked("CommandResult", request.body)
    _store(office, request, command)
    return Answer()


def _store(office: Office, request: Request, command: Object) -> None:
    result: Any = request.body["result"]
    context = {"command": command["id"], "authorization_reference": command["authorization_reference"]}
    if command["result"] is not None:
        return office.complain("command-result", f"a second result: {result}", **context)
    if command["response"] not in {None, "ACCEPTED"}:
        office.complain("command-result", f"a result after {command['response']}", **context)
    with office.book.changing():
        command["result"] = result
    office.log.record("command_result", "in", at=request.received_at, result=result, **context)
    if command["command"] == "START_SESSION" and result != "ACCEPTED":
        release_start(office, command, f"command result {result}")


def release_start(office: Office, command: Object, reason: str) -> None:
    """Releases the hold of a start that failed; a repeated start must not release the first one's."""
    hold = office.book.holds.get(command["authorization_reference"])
    if hold and hold["command"] in {None, command["id"]}:
        release(office, command["authorization_reference"], reason)
