"""The charge point: what driver, back office and wear do to it, and the messages that follow."""

import asyncio
import time
import uuid
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

from ocpp.v16.enums import ChargingProfileStatus, ConfigurationStatus, ReservationStatus, UnlockStatus

from chargers.simulator.behaviour import Behaviour
from chargers.simulator.certificate import OwnCertificate
from chargers.simulator.configuration import PASSWORD_KEY, Configuration
from chargers.simulator.connector import INTERVAL, Connector, Transaction
from chargers.simulator.dialect import Dialect, Dialect16
from chargers.simulator.dialect201 import Dialect201
from chargers.simulator.log import EventLog, timestamp
from chargers.simulator.outgoing import Message, Outgoing
from chargers.simulator.reservations import Booking, Reservations
from chargers.simulator.settings import Settings
from chargers.simulator.smart_charging import SmartCharging
from chargers.simulator.store import Store
from chargers.simulator.variables import report

DIALECTS: dict[str, type[Dialect16] | type[Dialect201]] = {"1.6": Dialect16, "2.0.1": Dialect201}
TRIGGERS = {"BootNotification", "Heartbeat", "MeterValues", "StatusNotification"}
SIGN_TRIGGERS = {"SignChargePointCertificate", "SignChargingStationCertificate"}
# OCPP 2.0.1, BasicAuthPassword; AuthorizationKey of 1.6 alike.
PASSWORD_LENGTHS = range(16, 41)


class Charger:
    """Owns the state; all methods run in the event loop."""

    def __init__(self, settings: Settings, log: EventLog) -> None:
        self.settings, self.log = settings, log
        self.behaviour, self.configuration = Behaviour(), Configuration()
        self.dialect: Dialect = DIALECTS[settings.ocpp](self)
        self.outgoing = Outgoing(call=self.dialect.call)
        # The latest one, which the back office may have set.
        self.password = settings.password
        self.certificate = OwnCertificate()
        # By transaction: what the display shows the driver.
        self.displayed_cost: dict[str, float] = {}
        self.connectors = {number: self._new_connector(number) for number in range(1, settings.evses + 1)}
        self.reservations, self.smart_charging = Reservations(self.connectors), SmartCharging()
        self._next_limits: asyncio.TimerHandle | None = None
        self.configuration.fixed["NumberOfConnectors"] = str(settings.evses)
        if settings.meter == "interval":
            self.configuration.fixed["MeterValuesSampledData"] = f"{INTERVAL},Power.Active.Import"
        self.meter_interval = settings.meter_interval
        self._configured_interval = self.configuration.seconds("MeterValueSampleInterval")
        # Set by the link while there is one.
        self.online = False
        self.drop_link: Callable[[float, bool], None] = lambda seconds, reboot: None
        self.request_now: Callable[[str], None] = lambda action: None
        self._store = Store(settings.state)
        self._reported: dict[int, str] = {}
        self._held: dict[str, Message] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def _new_connector(self, number: int) -> Connector:
        battery = self.settings.battery_kwh
        return Connector(
            number,
            power_kw=self.settings.power_kw,
            speed_up=self.settings.speed_up,
            battery_wh=battery * 1000 if battery else None,
            has_register=self.settings.meter == "register",
        )

    def restore(self) -> None:
        """Takes up what an earlier process left in the state file, and charges on."""
        kept = self._store.load()
        if not kept:
            return
        self.outgoing.restore(kept["outgoing"])
        self.password = kept.get("password", self.password)
        for snapshot in kept["connectors"]:
            if connector := self.connectors.get(snapshot["number"]):
                connector.restore(snapshot, time.monotonic())
                self._resume(connector)
        self.log.record("state_restored", unsent=len(self.outgoing.messages))

    def _resume(self, connector: Connector) -> None:
        if connector.transaction:
            self._spawn(self._charge(connector, connector.transaction))
        elif connector.finishing:
            self._later(self.settings.auto_unplug, lambda: self.unplug(connector))
        elif connector.id_tag:
            self.authorised(connector, connector.id_tag)

    def save(self) -> None:
        """Writes the state file, if there is one."""
        connectors = [connector.snapshot() for connector in self.connectors.values()]
        self._store.save({"connectors": connectors, "outgoing": self.outgoing.snapshot(), "password": self.password})

    # -- questions -------------------------------------------------------------------------------------

    def connector_to_start(self, number: int | None, id_tag: str) -> Connector | None:
        """The connector a start may use: the named one, or the first that is free and not kept for others."""
        wanted = [self.connectors.get(number)] if number is not None else list(self.connectors.values())
        free = [connector for connector in wanted if connector and connector.can_start]
        return next((connector for connector in free if self.reservations.admits(connector, id_tag)), None)

    def connector_of(self, transaction_id: int) -> Connector | None:
        """The connector where the back office's transaction runs."""
        return self.running(self.outgoing.local_id(transaction_id))

    def running(self, local_id: str | None) -> Connector | None:
        """The connector where our transaction runs."""
        for connector in self.connectors.values():
            if connector.transaction and connector.transaction.local_id == local_id:
                return connector
        return None

    def selected(self, number: int) -> list[Connector]:
        """The named connector, all of them for 0."""
        if number == 0:
            return list(self.connectors.values())
        return [self.connectors[number]] if number in self.connectors else []

    # -- the way into a transaction --------------------------------------------------------------------

    def authorised(
        self, connector: Connector, id_tag: str, parent_id_tag: str = "", start_id: int | None = None
    ) -> None:
        """A start was allowed; charging begins with the cable, now or when the driver plugs it in."""
        booking = self.reservations.booking_for(connector, id_tag, parent_id_tag)
        connector.id_tag, connector.booking_id = id_tag, booking.id if booking else None
        connector.start_id = start_id
        if connector.plugged:
            return self.begin(connector)
        self._report(connector)
        self._later(self.settings.auto_plug, lambda: self.plug(connector))
        timeout = self.configuration.seconds("ConnectionTimeOut")
        self._later(timeout or None, lambda: self._give_up_waiting(connector, id_tag))

    def plug(self, connector: Connector) -> None:
        """The driver plugs in."""
        if connector.plugged:
            return
        connector.plugged = True
        self.log.record("plugged", connector=connector.number)
        if connector.id_tag and not connector.fault:
            self.begin(connector)
        else:
            self._report(connector)

    def begin(self, connector: Connector) -> None:
        """Opens the contactor and the transaction."""
        assert connector.id_tag is not None
        transaction = Transaction(
            str(uuid.uuid4()), connector.id_tag, connector.meter_wh, timestamp(), connector.start_id
        )
        connector.begin(transaction, time.monotonic())
        self.outgoing.add(self.dialect.start(connector, transaction, connector.booking_id))
        if own := self.dialect.own_id(transaction):
            self.outgoing.transaction_ids[transaction.local_id] = own
        if connector.booking_id is not None:
            self.reservations.cancel(connector.booking_id)
            connector.booking_id = None
        self.apply_limits()
        self._report(connector)
        self._spawn(self._charge(connector, transaction))

    def _give_up_waiting(self, connector: Connector, id_tag: str) -> None:
        if connector.id_tag == id_tag:
            connector.id_tag = None
            self.log.record("nobody_plugged_in", connector=connector.number)
            self._report(connector)

    async def _charge(self, connector: Connector, transaction: Transaction) -> None:
        """Samples the meter until the transaction ends, and notices a full car in time."""
        due = time.monotonic() + self.meter_interval
        while connector.transaction is transaction:
            full = connector.seconds_until_full()
            wait = max(due - time.monotonic(), 0) if self.meter_interval else 1.0
            await asyncio.sleep(wait if full is None else min(wait, full))
            if connector.transaction is not transaction:
                return
            connector.advance(time.monotonic())
            self._report(connector)
            if self.meter_interval and time.monotonic() >= due:
                due += self.meter_interval
                self._sample(connector, transaction)

    def _sample(self, connector: Connector, transaction: Transaction) -> None:
        message = self.dialect.meter(connector, transaction)
        earlier = self._held.pop(transaction.local_id, None)
        if self.behaviour.late_meter_values and earlier is None:
            self._held[transaction.local_id] = message
            return
        for ready in (message, earlier):
            if ready is not None:
                self.outgoing.add(ready)
        self.save()

    # -- and out of it ---------------------------------------------------------------------------------

    def stop(self, connector: Connector, reason: str, id_tag: str | None = None) -> None:
        """Ends the running transaction, if there is one; reason as in OCPP 1.6 §7.36."""
        if not connector.transaction:
            return
        connector.advance(time.monotonic())
        transaction = connector.end()
        self.smart_charging.forget_transaction(self.outgoing.transaction_ids.get(transaction.local_id))
        self.apply_limits()
        if self.behaviour.drop_stop_transaction:
            self.log.record("stop_transaction_dropped", connector=connector.number, meter=connector.meter_wh)
        else:
            self.outgoing.add(self.dialect.stop(connector, transaction, reason, id_tag))
        if late := self._held.pop(transaction.local_id, None):
            self.outgoing.add(late)
        self._report(connector)
        self._later(self.settings.auto_unplug, lambda: self.unplug(connector))

    def unplug(self, connector: Connector) -> None:
        """The driver takes the cable away, which ends a transaction."""
        if not connector.plugged:
            return
        connector.plugged = False
        self.log.record("unplugged", connector=connector.number)
        self.stop(connector, "EVDisconnected")
        connector.finishing = False
        self._report(connector)

    def tapped(self, connector: Connector, id_tag: str) -> bool:
        """A card at the reader; True when it ended its own transaction and needs no authorisation."""
        if connector.transaction and connector.transaction.id_tag == id_tag:
            self.stop(connector, "Local", id_tag)
            return True
        return False

    def suspend(self, connector: Connector, suspended: bool) -> None:
        """The car stops to draw power, or begins again."""
        connector.advance(time.monotonic())
        connector.suspended = suspended
        self._report(connector)

    def apply_limits(self) -> None:
        """Lets the charging profiles hold that hold now, and looks again when they change."""
        now = datetime.now(UTC)
        for connector in self.connectors.values():
            limit_kw = self.smart_charging.limit_kw(connector.number, now)
            if limit_kw != connector.limit_kw:
                connector.advance(time.monotonic())
                connector.limit_kw = limit_kw
                self._report(connector)
        if self._next_limits is not None:
            self._next_limits.cancel()
            self._next_limits = None
        change = self.smart_charging.next_change(now)
        if change is not None:
            # A little later: the clocks of timers and of the day differ.
            wait = (change - now).total_seconds() + 0.01
            self._next_limits = asyncio.get_running_loop().call_later(wait, self.apply_limits)

    def set_power(self, connector: Connector, power_kw: float) -> None:
        connector.advance(time.monotonic())
        connector.power_kw = power_kw

    def fail(self, connector: Connector, error_code: str | None, reason: str) -> None:
        """Breaks the connector, which ends a transaction; None repairs it."""
        connector.fault = error_code
        if error_code:
            connector.id_tag = None
            self.stop(connector, reason)
        self._report(connector)

    # -- requests of the back office -------------------------------------------------------------------

    def unlock(self, number: int) -> UnlockStatus:
        connector = self.connectors.get(number)
        if connector is None:
            return UnlockStatus.unlock_failed
        asyncio.get_running_loop().call_soon(self.stop, connector, "UnlockCommand")
        return UnlockStatus.unlocked

    def change_availability(self, connectors: list[Connector], operative: bool) -> None:
        for connector in connectors:
            connector.operative = operative
            self._report(connector)

    def change_configuration(self, key: str, value: str) -> ConfigurationStatus:
        if key == PASSWORD_KEY:
            taken = self.change_password(value)
            return ConfigurationStatus.accepted if taken else ConfigurationStatus.rejected
        status = self.configuration.change(key, value)
        if key == "MeterValueSampleInterval" and status is ConfigurationStatus.accepted:
            self.meter_interval_changed()
        return status

    def change_password(self, password: str) -> bool:
        """Takes a password of a length that OCPP allows; it counts from the next connection on."""
        if len(password) not in PASSWORD_LENGTHS:
            return False
        self.password = password
        self.log.record("password_changed")
        self.save()
        return True

    def reconnect(self) -> None:
        """As after a new password (OCPP 1.6 security whitepaper, A01; OCPP 2.0.1, A01)."""
        self.drop_link(0, False)

    def request_certificate(self, common_name: str | None = None, organization: str | None = None) -> None:
        """Makes a new key and asks the back office to sign it (SignCertificate)."""
        csr = self.certificate.request(
            common_name or self.settings.identity, organization or self.configuration.texts["CpoName"]
        )
        self.outgoing.add(self.dialect.sign_certificate(csr))

    def take_certificate(self, chain: str) -> bool:
        """Of CertificateSigned; False for one that is not for our key."""
        taken = self.certificate.take(chain)
        self.log.record("certificate_taken" if taken else "certificate_refused")
        return taken

    def meter_interval_changed(self) -> None:
        interval = self.configuration.seconds("MeterValueSampleInterval")
        if interval != self._configured_interval:
            self.meter_interval = self._configured_interval = interval

    def send_report(self, request_id: int) -> None:
        """NotifyReport of everything there is to set (OCPP 2.0.1, B07)."""
        payload = {
            "request_id": request_id,
            "generated_at": timestamp(),
            "seq_no": 0,
            "report_data": report(self.configuration),
        }
        self.outgoing.add(Message("NotifyReport", payload))

    def display_cost(self, transaction_id: str, total_cost: float) -> None:
        """Shows the driver what the back office says that it costs so far."""
        self.displayed_cost[transaction_id] = total_cost
        self.log.record("cost_displayed", transaction_id=transaction_id, total_cost=total_cost)

    def reset(self, kind: str) -> None:
        for connector in self.connectors.values():
            connector.id_tag = None
            self.stop(connector, f"{kind}Reset")
        self.drop_link(0, True)

    def can_trigger(self, message: str, number: int | None) -> bool:
        if message in SIGN_TRIGGERS:
            return True
        return message in TRIGGERS and (number is None or bool(self.selected(number)))

    def trigger(self, message: str, number: int | None) -> None:
        if message in SIGN_TRIGGERS:
            return self.request_certificate()
        for connector in self.selected(number or 0):
            if message == "StatusNotification":
                self._notify(connector)
            elif message == "MeterValues":
                connector.advance(time.monotonic())
                self.outgoing.add(self.dialect.meter(connector, connector.transaction))
        if message in {"BootNotification", "Heartbeat"}:
            self.request_now(message)

    def reserve(self, booking: Booking) -> ReservationStatus:
        status = self.reservations.reserve(booking)
        if status is ReservationStatus.accepted:
            wait = (booking.expires_at - datetime.now(UTC)).total_seconds()
            self._later(max(wait, 0), lambda: self._expire(booking))
        return status

    def _expire(self, booking: Booking) -> None:
        if self.reservations.bookings.get(booking.id) is booking:
            self.log.record("reservation_expired", reservation=booking.id)
            self.reservations.cancel(booking.id)
            self.report_changes()

    def set_profile(self, number: int, profile: dict[str, Any]) -> ChargingProfileStatus:
        connector = self.connectors.get(number)
        if connector is None and number:
            return ChargingProfileStatus.rejected
        transaction = connector.transaction if connector else None
        given = self.outgoing.transaction_ids.get(transaction.local_id) if transaction else None
        started_at = datetime.fromisoformat(transaction.started_at) if transaction else None
        return self.smart_charging.set(number, profile, given, started_at)

    # -- telling ---------------------------------------------------------------------------------------

    def report_all(self) -> None:
        """Queues the status of connectors 0..N, as after a boot."""
        if self.dialect.reports_station:
            self.outgoing.add(self.dialect.status(Connector(0, power_kw=0)))
        for connector in self.connectors.values():
            self._notify(connector)

    def report_changes(self) -> None:
        for connector in self.connectors.values():
            self._report(connector)

    def _report(self, connector: Connector) -> None:
        if change := self.dialect.change(connector):
            self.outgoing.add(change)
        self.save()
        if self._reported.get(connector.number) != self.dialect.word(connector):
            self._notify(connector)

    def _notify(self, connector: Connector) -> None:
        self._reported[connector.number] = self.dialect.word(connector)
        if self.online:
            self.outgoing.add(self.dialect.status(connector))

    def _later(self, seconds: float | None, action: Callable[[], None]) -> None:
        if seconds is not None:
            asyncio.get_running_loop().call_later(seconds, action)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
