"""What differs between OCPP versions on the wire: messages, and the words of status and outcome."""

from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from ocpp.v16 import call
from ocpp.v16.enums import AuthorizationStatus

from chargers.simulator import messages
from chargers.simulator.connector import Connector, Transaction
from chargers.simulator.outgoing import Message
from chargers.simulator.settings import Settings
from chargers.simulator.station import Station

if TYPE_CHECKING:
    from chargers.simulator.charger import Charger


class Dialect(Protocol):
    """One OCPP version, for one charge point."""

    subprotocol: ClassVar[str]
    station: ClassVar[Any]
    call: ClassVar[Any]
    reports_station: ClassVar[bool]

    def boot(self, settings: Settings) -> Any: ...

    def authorize(self, id_tag: str) -> Any: ...

    def sign_certificate(self, csr: str) -> Message: ...

    def parent_id_tag(self, answer: Any) -> str | None:
        """Of an answer to Authorize: None when the card may not charge, "" when it has no parent."""

    def is_refused(self, answer: Any) -> bool:
        """Whether the answer to the beginning of a transaction says that the tag may not charge."""

    def own_id(self, transaction: Transaction) -> str | None:
        """The transaction's id on the wire, if the charge point gives it."""

    def word(self, connector: Connector) -> str: ...

    def start(self, connector: Connector, transaction: Transaction, reservation_id: int | None) -> Message: ...

    def meter(self, connector: Connector, transaction: Transaction | None) -> Message: ...

    def stop(self, connector: Connector, transaction: Transaction, reason: str, id_tag: str | None) -> Message: ...

    def status(self, connector: Connector) -> Message: ...

    def change(self, connector: Connector) -> Message | None:
        """What a transaction tells of a change of state, beside the status; None when there is nothing to tell."""


class Dialect16:
    """OCPP 1.6J."""

    subprotocol: ClassVar[str] = "ocpp1.6"
    station: ClassVar[Any] = Station
    call: ClassVar[Any] = call
    reports_station: ClassVar[bool] = True

    def __init__(self, charger: "Charger") -> None:
        self.charger = charger

    def boot(self, settings: Settings) -> Any:
        return call.BootNotification(
            charge_point_model=settings.model,
            charge_point_vendor=settings.vendor,
            charge_point_serial_number=settings.serial or None,
            firmware_version="1.0.0",
        )

    def authorize(self, id_tag: str) -> Any:
        return call.Authorize(id_tag)

    def sign_certificate(self, csr: str) -> Message:
        return Message("SignCertificate", {"csr": csr})

    def parent_id_tag(self, answer: Any) -> str | None:
        if answer.id_tag_info["status"] != AuthorizationStatus.accepted:
            return None
        return str(answer.id_tag_info.get("parent_id_tag") or "")

    def is_refused(self, answer: Any) -> bool:
        return bool(answer.id_tag_info["status"] != AuthorizationStatus.accepted)

    def own_id(self, transaction: Transaction) -> str | None:
        return None

    def word(self, connector: Connector) -> str:
        return connector.status

    def start(self, connector: Connector, transaction: Transaction, reservation_id: int | None) -> Message:
        return messages.start_transaction(connector, transaction, reservation_id)

    def meter(self, connector: Connector, transaction: Transaction | None) -> Message:
        return messages.meter_values(connector, transaction)

    def stop(self, connector: Connector, transaction: Transaction, reason: str, id_tag: str | None) -> Message:
        return messages.stop_transaction(connector, transaction, reason, id_tag)

    def status(self, connector: Connector) -> Message:
        return messages.status_notification(connector)

    def change(self, connector: Connector) -> Message | None:
        return None
