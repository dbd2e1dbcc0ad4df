"""Registration of the simulated provider, in both directions."""

from collections.abc import Callable
from pathlib import Path

import pytest

from payments.simulator.run import Provider
from tests.simulators.conftest import control, state
from tests.simulators.fake_cpo import TOKEN_A, TOKEN_FOR_PTP, FakeCPO, authorization

Provide = Callable[..., Provider]


def test_registers_itself_and_serves_the_call_back_meanwhile(cpo: FakeCPO, provide: Provide) -> None:
    ptp = provide()
    control(ptp, "register", versions_url=f"{cpo.url}/versions", token=TOKEN_A)
    assert cpo.called_back.json()["data"][0]["version"] == "2.2.1"
    registration = ptp.office.book.registration
    assert registration.client_token == TOKEN_FOR_PTP
    assert state(ptp)["registered"] and not state(ptp)["complaints"]
    details = cpo.get(f"{ptp.office.base_url}/ocpi/2.2.1", cpo.ptp_token).json()["data"]
    offered = {(one["identifier"], one["role"]) for one in details["endpoints"]}
    assert {("payments", "SENDER"), ("cdrs", "RECEIVER"), ("commands", "SENDER")} <= offered


def test_retries_until_the_cpo_is_there(cpo: FakeCPO, provide: Provide) -> None:
    cpo.failures["versions"] = 1
    ptp = provide(plugtill_versions=f"{cpo.url}/versions", token=TOKEN_A)
    cpo.until("POST", "credentials")
    events = ptp.office.log.events
    while "registered" not in [event["what"] for event in events()]:
        assert events(after=len(events()), wait=10)
    assert "registration_failed" in [event["what"] for event in events()]


def test_does_not_register_with_a_cpo_that_lacks_endpoints(cpo: FakeCPO, provide: Provide) -> None:
    cpo.endpoints.remove(("payments", "RECEIVER"))
    ptp = provide()
    failure = control(ptp, "register", 502, versions_url=f"{cpo.url}/versions", token=TOKEN_A)
    assert "payments:RECEIVER" in failure["error"]
    assert ("POST", "credentials") not in [(method, path) for method, path, _ in cpo.received]


def test_registering_again_renews_both_tokens(cpo: FakeCPO, ptp: Provider) -> None:
    old = cpo.ptp_token
    control(ptp, "register")
    assert cpo.until("PUT", "credentials")["token"] == cpo.ptp_token != old
    versions = f"{ptp.office.base_url}/ocpi/versions"
    assert cpo.get(versions, cpo.ptp_token).status_code == 200
    assert cpo.get(versions, old).status_code == 401


def test_the_cpo_registers_renews_and_unregisters(cpo: FakeCPO, provide: Provide) -> None:
    ptp = provide(offer_token="our-token-a")
    url = f"{ptp.office.base_url}/ocpi/2.2.1/credentials"
    assert cpo.send("PUT", url, cpo.credentials(), token="our-token-a").status_code == 405
    answer = cpo.send("POST", url, cpo.credentials(), token="our-token-a").json()
    assert answer["status_code"] == 1000
    cpo.ptp_token = answer["data"]["token"]
    assert answer["data"]["roles"][0]["party_id"] == "PTP"
    assert cpo.send("POST", url, cpo.credentials()).status_code == 405
    assert cpo.send("GET", url, token="our-token-a").status_code == 401
    renewed = cpo.send("PUT", url, cpo.credentials()).json()["data"]["token"]
    assert renewed != cpo.ptp_token
    cpo.ptp_token = renewed
    assert cpo.send("DELETE", url).json()["status_code"] == 1000
    assert cpo.send("GET", url).status_code == 401
    assert not state(ptp)["registered"]


@pytest.mark.parametrize(
    ("change", "code"),
    [("unreachable", 3001), ("endpoints", 3003), ("version", 3002)],
)
def test_a_registration_by_the_cpo_that_cannot_work_is_refused(
    cpo: FakeCPO, provide: Provide, change: str, code: int
) -> None:
    ptp = provide(offer_token="our-token-a")
    body = cpo.credentials()
    if change == "unreachable":
        body["url"] = "http://127.0.0.1:1/versions"
    elif change == "endpoints":
        cpo.endpoints.remove(("commands", "RECEIVER"))
    else:
        body["url"] = f"{cpo.url}/tariffs"
        cpo.data = lambda *_: [{"version": "2.1.1", "url": "http://old"}]
    answer = cpo.send("POST", f"{ptp.office.base_url}/ocpi/2.2.1/credentials", body, token="our-token-a")
    assert (answer.status_code, answer.json()["status_code"]) == (200, code)
    assert not state(ptp)["registered"]
    assert state(ptp)["complaints"][0]["rule"] == "registration"


def test_the_registration_survives_a_restart(cpo: FakeCPO, provide: Provide, tmp_path: Path) -> None:
    first = provide(state=tmp_path / "ptp.json")
    control(first, "register", versions_url=f"{cpo.url}/versions", token=TOKEN_A)
    second = provide(state=tmp_path / "ptp.json")
    assert state(second)["registered"]
    control(second, "push-terminals")
    assert cpo.until("POST", "payments/terminals", 2)["terminal_id"] == "NLPTP100102"


def test_tokens_must_be_ours_and_in_base64(cpo: FakeCPO, ptp: Provider) -> None:
    url = f"{ptp.office.base_url}/ocpi/versions"
    for header, rule in (
        (None, "authorization"),
        (f"Token {cpo.ptp_token}", "token-encoding"),
        (authorization(cpo.ptp_token + "\n"), "token-encoding"),
        (authorization("stranger"), "token-unknown"),
    ):
        assert cpo.send("GET", url, Authorization=header).status_code == 401
        assert state(ptp)["complaints"][-1]["rule"] == rule
