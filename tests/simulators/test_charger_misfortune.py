"""Lost connections, lost answers, restarts, and the faults one can switch on."""

from pathlib import Path

from ocpp.exceptions import InternalError

from tests.simulators.fake_csms import FakeCSMS
from tests.simulators.test_charger_session import charging, energy


async def test_a_start_transaction_whose_answer_was_lost_is_sent_again_with_its_own_time() -> None:
    async with FakeCSMS() as csms, charging(csms):
        csms.hooks["StartTransaction"] = [csms.drop]
        await csms.remote_start()
        await csms.until(lambda: csms.all("MeterValues"))
        first, second = csms.all("StartTransaction")
        assert first == second
        assert csms.all("MeterValues")[0]["transaction_id"] == 100
        assert len(csms.all("BootNotification")) == 1


async def test_what_happens_offline_arrives_afterwards_in_order() -> None:
    async with FakeCSMS() as csms, charging(csms) as charger:
        csms.hooks["StartTransaction"] = [csms.drop]
        charger.link._delay = 0.3
        await csms.remote_start()
        await csms.until(lambda: csms.all("StartTransaction"))
        charger.unplug(charger.connectors[1])
        await csms.until(lambda: csms.all("StopTransaction"))
        durable = [name for name, _ in csms.received if "Transaction" in name or name == "MeterValues"]
        assert durable[:2] == ["StartTransaction", "StartTransaction"]
        assert durable[-1] == "StopTransaction"
        assert csms.all("StopTransaction")[0]["transaction_id"] == 100


async def test_a_refused_message_is_tried_again() -> None:
    async def refuse() -> None:
        raise InternalError

    async with FakeCSMS() as csms, charging(csms) as charger:
        charger.configuration.numbers["TransactionMessageRetryInterval"] = "0"
        csms.hooks["StartTransaction"] = [refuse]
        await csms.remote_start()
        await csms.until(lambda: "Charging" in csms.statuses())
        assert len(csms.all("StartTransaction")) == 2


async def test_a_start_refused_for_good_ends_the_charging_and_blocks_nothing() -> None:
    async def refuse() -> None:
        raise InternalError

    async with FakeCSMS() as csms, charging(csms) as charger:
        charger.configuration.numbers["TransactionMessageRetryInterval"] = "0"
        charger.configuration.numbers["TransactionMessageAttempts"] = "2"
        csms.hooks["StartTransaction"] = [refuse, refuse]
        await csms.remote_start()
        await csms.until(lambda: csms.statuses()[-2:] == ["Finishing", "Available"])
        assert len(csms.all("StartTransaction")) == 2
        await csms.remote_start()
        await csms.until(lambda: len(csms.all("StartTransaction")) == 3 and csms.all("MeterValues"))
        assert not csms.all("StopTransaction")
        assert {payload["transaction_id"] for payload in csms.all("MeterValues")} == {100}


async def test_a_restart_with_a_state_file_continues_the_transaction(tmp_path: Path) -> None:
    state = tmp_path / "charger.json"
    async with FakeCSMS() as csms:
        async with charging(csms, state=state):
            await csms.remote_start()
            await csms.until(lambda: csms.all("MeterValues"))
        before = energy(csms.all("MeterValues")[-1])
        counted = len(csms.all("MeterValues"))
        async with charging(csms, state=state):
            await csms.until(lambda: len(csms.all("MeterValues")) > counted)
            assert await csms.remote_stop(100) == "Accepted"
            await csms.until(lambda: csms.all("StopTransaction"))
        assert energy(csms.all("MeterValues")[-1]) >= before
        assert len(csms.all("StartTransaction")) == 1
        assert len(csms.all("BootNotification")) == 2


async def test_ignored_and_rejected_remote_starts() -> None:
    async with FakeCSMS() as csms, charging(csms) as charger:
        charger.behaviour.change({"reject_remote_start": True})
        assert await csms.remote_start() == "Rejected"
        charger.behaviour.change({"ignore_remote_start": True})
        csms.peer._response_timeout = 0.1
        try:
            await csms.remote_start()
            raise AssertionError("answered")
        except TimeoutError:
            assert not csms.all("StartTransaction")


async def test_duplicate_start_and_dropped_stop() -> None:
    async with FakeCSMS() as csms, charging(csms) as charger:
        charger.behaviour.change({"duplicate_start_transaction": True, "drop_stop_transaction": True})
        await csms.remote_start()
        await csms.until(lambda: len(csms.all("StartTransaction")) == 2 and csms.all("MeterValues"))
        await csms.remote_stop(100)
        await csms.until(lambda: csms.statuses()[-1] == "Available")
        assert csms.all("StartTransaction")[0] == csms.all("StartTransaction")[1]
        assert not csms.all("StopTransaction")


async def test_late_meter_values_arrive_after_their_successor_and_after_the_stop() -> None:
    async with FakeCSMS() as csms, charging(csms) as charger:
        charger.behaviour.change({"late_meter_values": True})
        await csms.remote_start()
        await csms.until(lambda: len(csms.all("MeterValues")) >= 2)
        later, earlier = csms.all("MeterValues")[:2]
        assert later["meter_value"][0]["timestamp"] > earlier["meter_value"][0]["timestamp"]
