"""A simulated charger's certificate, password and interval meter on our own server, over a real socket."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from chargers.models import CDR, ChargerConnection, ChargingSession, OutgoingCall
from chargers.ocpp import auth, database
from chargers.services import commands, lifecycle, operations
from chargers.services.certificates import mark_of
from chargers.simulator.charger import Charger
from chargers.simulator.control import Control
from chargers.simulator.link import Link
from chargers.simulator.log import EventLog
from chargers.simulator.scenario import play, read_scenario
from chargers.simulator.settings import Settings
from tests.chargers.certificates import make_authority, use_authority
from tests.chargers.charger_socket import PASSWORD, basic
from tests.chargers.factories import make_connector, make_start
from tests.chargers.test_simulated_charger import serving, soon
from tests.chargers.test_socket import until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.parametrize("version", ["1.6", "2.0.1"])]
NEW = "a secret of 20 letters"
TRIGGERS = {
    "1.6": ("ExtendedTriggerMessage", "SignChargePointCertificate"),
    "2.0.1": ("TriggerMessage", "SignChargingStationCertificate"),
}


@pytest.fixture
def connector() -> Any:
    connector = make_connector(online=False)
    lifecycle.set_password(connector.evse.charger, PASSWORD)
    return connector


@asynccontextmanager
async def simulated(connector: Any, version: str, **options: Any) -> AsyncIterator[Charger]:
    identity = connector.evse.charger.identity
    async with serving() as url:
        options = {"meter_interval": 0.05, "auto_unplug": None, **options}
        settings = Settings(identity=identity, url=url, password=PASSWORD, ocpp=version, quiet=True, **options)
        charger = Charger(settings, EventLog(identity, quiet=True))
        charger.link = Link(charger)
        work = asyncio.create_task(charger.link.run())
        try:
            await until(lambda: charger.online)
            yield charger
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)


def marked(connector: Any, operator: str) -> str:
    """The subject of what we sign."""
    charger = connector.evse.charger
    return f"CN={charger.identity},OU={mark_of(charger.pk)},O={operator}"


async def request(connector: Any, action: str, payload: Any) -> OutgoingCall:
    """Asks the charger; gives the finished call."""
    call = await database.run(operations.request, connector.evse.charger, action, payload)
    return await until(lambda: OutgoingCall.objects.filter(pk=call.pk, state="DONE").first())


def setting(version: str, component: str, name: str, key: str, value: str) -> tuple[str, Any]:
    if version == "1.6":
        return "ChangeConfiguration", {"key": key, "value": value}
    one = {"component": {"name": component}, "variable": {"name": name}, "attributeValue": value}
    return "SetVariables", {"setVariableData": [one]}


def is_let_in(connector: Any, password: str) -> bool:
    identity = connector.evse.charger.identity
    try:
        return auth.admit(identity, basic(identity, password)) == connector.evse.charger_id
    except auth.Refused:
        return False


async def test_a_new_password_counts_from_the_next_connection_on(connector: Any, version: str):
    async with simulated(connector, version) as charger:
        before = await until(lambda: ChargerConnection.objects.get().channel_name)
        short = setting(version, "SecurityCtrlr", "BasicAuthPassword", "AuthorizationKey", "short")
        await request(connector, *short)
        assert charger.password == PASSWORD
        change = setting(version, "SecurityCtrlr", "BasicAuthPassword", "AuthorizationKey", NEW)
        assert (await request(connector, *change)).result == "ACCEPTED"
        after = await until(lambda: ChargerConnection.objects.exclude(channel_name__in=("", before)).first())
        assert after.is_online and charger.password == NEW
        assert not await sync_to_async(is_let_in)(connector, PASSWORD)
        assert await sync_to_async(is_let_in)(connector, NEW)


async def test_a_certificate_is_asked_for_signed_and_kept(connector: Any, version: str, settings: Any, tmp_path: Path):
    use_authority(settings, tmp_path, make_authority("Root"))
    operator = connector.evse.charger.location.operator.name
    async with simulated(connector, version) as charger:
        name = setting(version, "SecurityCtrlr", "OrganizationName", "CpoName", operator)
        assert (await request(connector, *name)).result == "ACCEPTED"
        action, message = TRIGGERS[version]
        assert (await request(connector, action, {"requestedMessage": message})).result == "ACCEPTED"
        other = await until(lambda: charger.certificate.chain)
        shown = charger.certificate.described
        assert shown is not None and shown["subject"] == marked(connector, operator)
        sent = await until(
            lambda: OutgoingCall.objects.filter(payload__action="CertificateSigned", state="DONE").first()
        )
        assert (sent.result, sent.payload["payload"]["certificateChain"]) == ("ACCEPTED", other)
        charger.certificate.request("CP", "Acme")
        refused = {"certificateChain": other}
        assert (await request(connector, "CertificateSigned", refused)).result == "REJECTED"


async def test_a_meter_without_a_register_is_billed_by_its_intervals(connector: Any, version: str):
    async with simulated(connector, version, meter="interval", speed_up=3600) as charger:
        await database.run(lambda: commands.request_start(make_start(connector)))
        session = await until(lambda: ChargingSession.objects.filter(status="ACTIVE", kwh__gt=0).first())
        began = charger.connectors[1].transaction.meter_start
        await database.run(lambda: commands.request_stop(session, "PARTNER", soon()))
        cdr = await until(CDR.objects.first)
        assert float(cdr.total_energy) == (charger.connectors[1].meter_wh - began) / 1000


async def test_a_scenario_asks_for_a_certificate_and_changes_the_password(
    connector: Any, version: str, settings: Any, tmp_path: Path
):
    use_authority(settings, tmp_path, make_authority("Root"))
    operator = connector.evse.charger.location.operator.name
    steps = [{"do": "sign-certificate", "organization": operator}, {"wait": 0, "do": "password", "password": "short"}]
    script = tmp_path / "scenario.json"
    script.write_text(json.dumps(steps))
    async with simulated(connector, version) as charger:
        control = Control(charger, charger.link)
        await play(control, read_scenario(script, set(control.actions)))
        await until(lambda: charger.certificate.chain)
        failed = [event for event in charger.log.events() if event["event"] == "scenario_step_failed"]
        assert [event["number"] for event in failed] == [2]
        await database.run(lifecycle.set_password, connector.evse.charger, NEW)
        await control.act("/password", {"password": NEW})
        await until(lambda: charger.online and is_let_in(connector, NEW))
        assert (await control.state())["certificate"]["subject"] == marked(connector, operator)
