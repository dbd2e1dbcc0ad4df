"""One charger's frames, whatever its OCPP version: requests are checked and answered, ours are sent and awaited."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar
from uuid import uuid4

from django.db import InterfaceError, OperationalError
from ocpp import messages
from ocpp.charge_point import camel_to_snake_case, remove_nones, serialize_as_dict, snake_to_camel_case
from ocpp.exceptions import NotImplementedError as ActionNotImplemented
from ocpp.exceptions import NotSupportedError, OCPPError

from chargers.ocpp import frames, schemas
from chargers.services.masking import masked

logger = logging.getLogger(__name__)

Json = dict[str, Any]

# Validating a message takes less time than handing it to a thread.
messages.ASYNC_VALIDATION = False


class ChargerError(OCPPError):
    """A CALLERROR of the charger."""

    def __init__(self, code: str, description: str, details: Any) -> None:
        super().__init__(description, details)
        self.code = code


class BadAnswer(OCPPError):
    """The charger's CALLRESULT is not what OCPP says."""

    code = "BadAnswer"


class Wire:
    """Goes before the library's ChargePoint, of which it uses the `@on` routing only.

    Unlike the library it keeps the members' order of the schemas, answers broken frames where they can be answered,
    gives the error codes of the standard, and never refuses a request of ours: the charger says no itself.
    """

    subprotocol: ClassVar[str]
    # Of the library's ChargePoint.
    _ocpp_version: ClassVar[str]
    route_map: Json
    # Whether a frame without a readable id is answered (2.0.1 part 4, 4.2.3); OCPP 1.6 has no words for it.
    answers_unreadable: ClassVar[bool] = False
    # The code for a frame that is no message (2.0.1: RpcFrameworkError).
    malformed_code: ClassVar[str] = "FormationViolation"
    actions: ClassVar[frozenset[str]]

    def __init__(
        self, identity: str, charger_id: int, send: Callable[[str], Awaitable[None]], on_booted: Callable[[], None]
    ) -> None:
        super().__init__(identity, None, logger=logger)  # type: ignore[call-arg]
        self.identity = identity
        self.charger_id = charger_id
        self.on_booted = on_booted
        self.is_proven = False
        self._send_text = send
        self._answers: dict[str, asyncio.Future[Any]] = {}

    async def handle(self, frame: str) -> None:
        """Takes a frame from the charger: answers a request, or completes a call of ours."""
        try:
            message = frames.parse(frame)
        except frames.Malformed as error:
            return await self._refuse_frame(error, frame)
        if isinstance(message, frames.Request):
            return await self._send(await self._answer(message))
        awaited = self._answers.get(message.unique_id)
        if awaited is None or awaited.done():
            return logger.info("%s: an answer to nothing that waits: %.300s", self.identity, masked(frame))
        if isinstance(message, frames.Result):
            awaited.set_result(message.payload)
        else:
            awaited.set_exception(_error_of(message))

    async def _refuse_frame(self, error: frames.Malformed, frame: str) -> None:
        logger.warning("%s: %s %.300r", self.identity, error.reason, masked(frame))
        unique_id = error.unique_id or (frames.NO_ID if self.answers_unreadable else None)
        if unique_id is not None:
            code = "MessageTypeNotSupported" if error.is_unknown_type else self.malformed_code
            await self._send(_failure(unique_id, code, error.reason))

    async def _answer(self, request: frames.Request) -> str:
        """The CALLRESULT or CALLERROR; whatever happens is an answer, but for a database that is away.

        Raises OperationalError or InterfaceError then: chargers give up a message that was refused a few times, and
        with it the end of a session, while they keep what they got no answer to (OCPP 1.6, 3.7.1 and 9.1.26).
        """
        handler = (self.route_map.get(request.action) or {}).get("_on_action")
        if handler is None:
            return self._refuse(request, *_unhandled(request.action, self.actions))
        wrong = schemas.violation(self._ocpp_version, schemas.REQUEST, request.action, request.payload)
        if wrong is not None:
            return self._refuse(request, wrong.code, wrong.reason)
        try:
            response = await handler(**camel_to_snake_case(request.payload))
        except OCPPError as error:
            return self._refuse(request, error.code, str(error.description))
        except (OperationalError, InterfaceError):
            raise
        except Exception:
            logger.exception("%s: %s failed", self.identity, request.action)
            return _failure(request.unique_id, "InternalError", "An unexpected error occurred.")
        payload = snake_to_camel_case(remove_nones(serialize_as_dict(response)))
        ordered = schemas.in_order(self._ocpp_version, schemas.RESPONSE, request.action, payload)
        return frames.dump(frames.CALLRESULT, request.unique_id, ordered)

    def _refuse(self, request: frames.Request, code: str, reason: str) -> str:
        logger.warning("%s: %.50s refused, %s: %s", self.identity, request.action, code, reason)
        return _failure(request.unique_id, code, reason)

    async def _send(self, frame: str) -> None:
        await self._send_text(frame)

    async def ask(self, action: str, payload: Json) -> Any:
        """Sends a request, unchecked; gives the payload of the CALLRESULT, unchecked. Raises OCPPError.

        Waits without an end: `adapter.perform` watches the time.
        """
        unique_id = str(uuid4())
        ordered = schemas.in_order(self._ocpp_version, schemas.REQUEST, action, payload)
        awaited = self._answers[unique_id] = asyncio.get_running_loop().create_future()
        try:
            await self._send(frames.dump(frames.CALL, unique_id, action, ordered))
            return await awaited
        finally:
            del self._answers[unique_id]

    async def ask_strictly(self, action: str, payload: Json) -> Json:
        """As `ask`, for answers that we read. Raises BadAnswer for one that the schema forbids."""
        answer: Json = await self.ask(action, payload)
        wrong = schemas.violation(self._ocpp_version, schemas.RESPONSE, action, answer)
        if wrong is not None:
            raise BadAnswer(f"The charger's answer is not one of OCPP: {wrong.reason}", {"answer": answer})
        return answer


def _failure(unique_id: str, code: str, description: str) -> str:
    return frames.dump(frames.CALLERROR, unique_id, code, description[:255], {})


def _error_of(failure: frames.Failure) -> OCPPError:
    match failure.code:
        case "NotSupported":
            return NotSupportedError(failure.description, failure.details)
        case "NotImplemented":
            return ActionNotImplemented(failure.description, failure.details)
    return ChargerError(failure.code, failure.description, failure.details)


def _unhandled(action: str, known: frozenset[str]) -> tuple[str, str]:
    """OCPP-J 1.6, 4.2.3: NotImplemented is an action that nobody knows, NotSupported one that we do not take."""
    if action in known:
        return "NotSupported", f"{action} is not a request to a central system."
    return "NotImplemented", "This version of OCPP has no such action."
