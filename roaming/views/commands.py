from typing import Any, Protocol

from rest_framework.request import Request
from rest_framework.response import Response

from roaming.choices import CommandResponseType, CommandType, Module
from roaming.models import RoamingPlatform
from roaming.ocpi import envelope
from roaming.ocpi.errors import InvalidParameters, NotFound
from roaming.services.commands import (
    CommandAnswer,
    receive_cancel_reservation,
    receive_reserve_now,
    receive_start_session,
    receive_stop_session,
    receive_unlock_connector,
)
from roaming.services.peers import check_response_url
from roaming.views.base import OcpiView


class Receive(Protocol):
    def __call__(
        self, platform: RoamingPlatform, body: dict[str, Any], *, sender: tuple[str, str]
    ) -> CommandAnswer: ...


# Command -> type of its body, and who takes it (2.2.1 mod_commands, 13.3).
_COMMANDS: dict[str, tuple[str, Receive]] = {
    CommandType.CANCEL_RESERVATION: ("CancelReservation", receive_cancel_reservation),
    CommandType.RESERVE_NOW: ("ReserveNow", receive_reserve_now),
    CommandType.START_SESSION: ("StartSession", receive_start_session),
    CommandType.STOP_SESSION: ("StopSession", receive_stop_session),
    CommandType.UNLOCK_CONNECTOR: ("UnlockConnector", receive_unlock_connector),
}


class CommandView(OcpiView):
    """Takes a command and says at once whether it could be forwarded; its result goes to response_url."""

    module = Module.COMMANDS

    def post(self, request: Request, command: str) -> Response:
        if command not in _COMMANDS:
            raise NotFound(f"There is no command {command[:40]}.")
        type_name, receive = _COMMANDS[command]
        answer = receive(self.platform, self._checked_body(type_name), sender=self.sender())
        body = envelope.success(_response(answer), status_code=answer.status_code)
        if answer.status_code >= 2000:
            body["status_message"] = answer.message
        return Response(body)

    def _checked_body(self, type_name: str) -> dict[str, Any]:
        try:
            body = self.body(type_name)
            check_response_url(body["response_url"])
        except InvalidParameters as error:
            rejected = _response(CommandAnswer(CommandResponseType.REJECTED, timeout=0, message=error.message))
            raise InvalidParameters(error.message, data=rejected) from None
        return body


def _response(answer: CommandAnswer) -> dict[str, Any]:
    response: dict[str, Any] = {"result": answer.result, "timeout": answer.timeout}
    if answer.message:
        response["message"] = [{"language": "en", "text": answer.message[:512]}]
    return response
