"""Connectors kept for somebody (OCPP 1.6, 5.13): one of them, or any as connector 0."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from ocpp.v16.enums import ReservationStatus

from chargers.simulator.connector import Connector

REFUSALS = {"Faulted": ReservationStatus.faulted, "Unavailable": ReservationStatus.unavailable}


@dataclass(frozen=True)
class Booking:
    """`connector` 0: any of the charge point's."""

    id: int
    connector: int
    id_tag: str
    parent_id_tag: str
    expires_at: datetime

    def admits(self, id_tag: str, parent_id_tag: str) -> bool:
        return id_tag.upper() == self.id_tag.upper() or self._is_group(parent_id_tag)

    def _is_group(self, parent_id_tag: str) -> bool:
        return bool(parent_id_tag) and parent_id_tag.upper() == self.parent_id_tag.upper()


class Reservations:
    """All bookings; marks connectors that are booked by name."""

    def __init__(self, connectors: Mapping[int, Connector]) -> None:
        self._connectors = connectors
        self.bookings: dict[int, Booking] = {}

    def reserve(self, booking: Booking) -> ReservationStatus:
        """A known id replaces its booking, if the new one is possible."""
        wanted = self._connectors.get(booking.connector) if booking.connector else None
        if booking.connector and wanted is None:
            return ReservationStatus.rejected
        before = self.bookings.pop(booking.id, None)
        self._mark()
        status = self._room(booking) if wanted is None else self._fitness(wanted)
        kept = booking if status is ReservationStatus.accepted else before
        if kept is not None:
            self.bookings[kept.id] = kept
        self._mark()
        return status

    def cancel(self, booking_id: int) -> bool:
        found = self.bookings.pop(booking_id, None)
        self._mark()
        return found is not None

    def booking_for(self, connector: Connector, id_tag: str, parent_id_tag: str = "") -> Booking | None:
        """What this tag has booked here, the named connector before any."""
        fitting = [
            booking
            for booking in self.bookings.values()
            if booking.connector in (connector.number, 0) and booking.admits(id_tag, parent_id_tag)
        ]
        return max(fitting, key=lambda booking: booking.connector, default=None)

    def admits(self, connector: Connector, id_tag: str, parent_id_tag: str = "") -> bool:
        """Whether the tag may start here: not where others have booked, and not on the last free connector."""
        if self.booking_for(connector, id_tag, parent_id_tag):
            return True
        return not connector.reserved and (not self._anywhere() or len(self._free()) > self._anywhere())

    def _fitness(self, connector: Connector) -> ReservationStatus:
        if connector.status == "Available":
            return ReservationStatus.accepted
        return REFUSALS.get(connector.status, ReservationStatus.occupied)

    def _room(self, booking: Booking) -> ReservationStatus:
        if len(self._free()) > self._anywhere():
            return ReservationStatus.accepted
        statuses = {connector.status for connector in self._connectors.values()}
        only = statuses.pop() if len(statuses) == 1 else ""
        return REFUSALS.get(only, ReservationStatus.occupied)

    def _free(self) -> list[Connector]:
        return [connector for connector in self._connectors.values() if connector.status == "Available"]

    def _anywhere(self) -> int:
        return sum(booking.connector == 0 for booking in self.bookings.values())

    def _mark(self) -> None:
        booked = {booking.connector for booking in self.bookings.values()}
        for connector in self._connectors.values():
            connector.reserved = connector.number in booked
