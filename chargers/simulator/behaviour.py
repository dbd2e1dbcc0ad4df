"""Faults one can switch on, to see how a back office copes with a charge point that is not so good."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass
class Behaviour:
    """Every switch is off in a good charge point."""

    reject_remote_start: bool = False
    """Answers RemoteStartTransaction with Rejected."""
    ignore_remote_start: bool = False
    """Never answers RemoteStartTransaction."""
    reject_remote_stop: bool = False
    """Answers RemoteStopTransaction with Rejected."""
    ignore_remote_stop: bool = False
    """Never answers RemoteStopTransaction."""
    duplicate_start_transaction: bool = False
    """Sends every StartTransaction once more after its answer, as if that had been lost."""
    drop_stop_transaction: bool = False
    """Ends transactions without a StopTransaction."""
    late_meter_values: bool = False
    """Sends every second MeterValues after its successor, the last one even after the StopTransaction."""
    boot_on_reconnect: bool = False
    """Sends BootNotification after every new connection, not only after a start or a reset."""

    def change(self, switches: dict[str, Any]) -> None:
        """Sets switches; raises ValueError on an unknown name or a value that is not true or false."""
        for name, value in switches.items():
            if name not in self.__dataclass_fields__ or not isinstance(value, bool):
                raise ValueError(f"{name}={value!r} is no switch; there are {', '.join(asdict(self))}")
        for name, value in switches.items():
            setattr(self, name, value)

    def ignores(self, action: str) -> bool:
        """Whether a request with this action gets no answer."""
        ignored = {
            "RemoteStartTransaction": self.ignore_remote_start,
            "RemoteStopTransaction": self.ignore_remote_stop,
            "RequestStartTransaction": self.ignore_remote_start,
            "RequestStopTransaction": self.ignore_remote_stop,
        }
        return ignored.get(action, False)
