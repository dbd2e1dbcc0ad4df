"""Commands typed where the provider runs."""

from payments.simulator.run import Provider
from payments.simulator.shell import Shell
from tests.simulators.conftest import control
from tests.simulators.fake_cpo import FakeCPO


def typed(ptp: Provider, line: str) -> str:
    return "\n".join(Shell(ptp.server.control).perform(line))


def test_shows_places_and_starts_there(cpo: FakeCPO, ptp: Provider) -> None:
    control(ptp, "pull")
    assert "start L1 E1 1" in typed(ptp, "locations")
    assert "L1" in typed(ptp, "terminals").splitlines()[0]
    assert '"response": "ACCEPTED"' in typed(ptp, "start L1 E1 1")
    assert cpo.until("POST", "commands/START_SESSION")["evse_uid"] == "E1"


def test_explains_itself(ptp: Provider) -> None:
    assert "tap a card" in typed(ptp, "what now")
    assert "LOCATION EVSE CONNECTOR" in typed(ptp, "start L1")
    assert "there is no session" in typed(ptp, "stop")
    assert "No closing quotation" in typed(ptp, 'start "')
