"""A long list is fetched in runs that others need not wait for; each goes on where the last one ended."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from roaming.choices import Module, PlatformType
from roaming.models import Circuit, PlatformEndpoint, Pull, RoamingPlatform
from roaming.ocpi.errors import PeerUnreachable
from roaming.services import circuit, pulls
from roaming.services.registry import PullSource, registry
from tests.roaming.factories import RegisteredPlatformFactory
from tests.roaming.peer import FakePeer, envelope

pytestmark = pytest.mark.django_db


class Lists:
    """What a test pulls: `received` in order, `completed` when a full list ended."""

    def __init__(self) -> None:
        self.received: list[str] = []
        self.completed: list[Any] = []
        self.offer: list[dict[str, str]] = []


@pytest.fixture
def lists(monkeypatch: Any) -> Lists:
    lists = Lists()
    source = PullSource(
        "things",
        "Thing",
        frozenset({PlatformType.EMSP}),
        lambda platform: PlatformEndpoint.objects.get(platform=platform).url,
        lambda platform, item, asked_at: lists.received.append(item["id"]),
        lambda platform, began: lists.completed.append(began),
    )
    monkeypatch.setattr(pulls, "validate", lambda name, item: None)
    monkeypatch.setitem(registry.pull_sources, "things", source)
    return lists


@pytest.fixture
def pull(peer: FakePeer, monkeypatch: Any) -> Pull:
    peer.accepted = {"client-token"}
    platform = RegisteredPlatformFactory(type=PlatformType.EMSP)
    PlatformEndpoint.objects.create(
        platform=platform, identifier=Module.TOKENS, role="SENDER", url=f"{peer.url}/list?page=1"
    )
    return Pull.objects.create(platform=platform, source="things")


@pytest.fixture
def pages(peer: FakePeer, monkeypatch: Any) -> None:
    """Three pages of one object each; the fake peer sends no Link, so it is read from the next test double."""
    from roaming.ocpi import client

    for number in (1, 2, 3):
        item = {"id": str(number), "last_updated": f"2025-01-0{number}T00:00:00Z"}
        peer.answers["GET", f"/list?page={number}"] = 200, envelope([item])

    def following(reply: Any, current: str) -> str | None:
        number = int(current[-1])
        return f"{current[:-1]}{number + 1}" if number < 3 else None

    monkeypatch.setattr(client, "_next_page", following)


def run(pull: Pull) -> Pull:
    pulls.run(pull.pk)
    pull.refresh_from_db()
    return pull


def test_a_run_ends_when_its_time_is_over_and_the_next_goes_on(
    pull: Pull, lists: Lists, pages: None, monkeypatch: Any, peer: FakePeer
) -> None:
    monkeypatch.setattr(pulls, "RUN_SECONDS", -1.0)
    run(pull)
    assert lists.received == ["1"]
    assert pull.progress["following"].endswith("page=2")
    assert (pull.high_water, pull.claimed_at, lists.completed) == (None, None, [])
    assert pull.next_run_at <= timezone.now()
    began = pull.progress["began"]
    run(pull)
    run(pull)
    assert lists.received == ["1", "2", "3"]
    assert pull.progress is None
    assert pull.high_water.isoformat().startswith("2025-01-03")
    assert pull.last_received == 3
    assert [moment.isoformat() for moment in lists.completed] == [began]
    assert pull.next_run_at > timezone.now()


def test_a_page_that_fails_for_now_is_the_first_of_the_next_run(
    pull: Pull, lists: Lists, pages: None, peer: FakePeer
) -> None:
    page = peer.answers["GET", "/list?page=2"]
    peer.answers["GET", "/list?page=2"] = 503, envelope(None, 3000, "later")
    run(pull)
    assert pull.last_error and pull.failures == 1
    peer.answers["GET", "/list?page=2"] = page
    Pull.objects.update(next_run_at=timezone.now())
    run(pull)
    assert lists.received == ["1", "2", "3"]
    assert (pull.last_error, pull.failures, pull.progress) == ("", 0, None)


def test_a_page_that_the_partner_does_not_know_any_more_means_beginning_anew(
    pull: Pull, lists: Lists, pages: None, peer: FakePeer
) -> None:
    peer.answers["GET", "/list?page=2"] = 404, envelope(None, 2000, "what page?")
    run(pull)
    assert pull.progress is None and pull.high_water is None


@pytest.mark.parametrize("change", ["too old", "elsewhere"])
def test_what_cannot_be_gone_on_with_is_begun_anew(pull: Pull, lists: Lists, pages: None, change: str) -> None:
    began = timezone.now() - (pulls.LONGEST_FETCH if change == "too old" else timedelta(0))
    url = PlatformEndpoint.objects.get().url
    kept = pulls.Outcome(began, following=url.replace("page=1", "page=3") if change == "too old" else "http://other/3")
    Pull.objects.update(progress=pulls._progress(kept))
    run(pull)
    assert lists.received == ["1", "2", "3"]


def test_a_list_that_never_ends_is_given_up_however_many_runs_it_takes(
    pull: Pull, lists: Lists, pages: None, monkeypatch: Any
) -> None:
    monkeypatch.setattr(pulls, "RUN_SECONDS", -1.0)
    monkeypatch.setattr(pulls, "MAX_PAGES", 2)
    for _ in range(3):
        run(pull)
    assert "never end" in pull.last_error


def test_staff_who_want_everything_get_it_from_the_beginning(pull: Pull) -> None:
    Pull.objects.update(progress=pulls._progress(pulls.Outcome(timezone.now(), following="x")))
    pulls.request_pull(pull, whole=True)
    assert Pull.objects.get().progress is None


def other_pulls(platform: RoamingPlatform, number: int) -> None:
    for name in range(number):
        Pull.objects.create(platform=platform, source=f"other {name}", claimed_at=timezone.now())


def test_pulls_leave_a_place_in_the_partners_share_for_pushes(
    pull: Pull, lists: Lists, pages: None, settings: Any
) -> None:
    settings.PEER_CONCURRENCY = 12
    other_pulls(pull.platform, 2)
    run(pull)
    assert lists.received == []
    Pull.objects.filter(source="other 0").delete()
    run(pull)
    assert lists.received == ["1", "2", "3"]


def test_no_list_is_asked_for_while_the_circuit_is_open_and_one_may_be_the_probe(
    pull: Pull, lists: Lists, pages: None
) -> None:
    for _ in range(circuit.OPENS_AFTER):
        circuit.note_failure(pull.platform, PeerUnreachable("down"))
    run(pull)
    assert lists.received == []
    circuit.try_now(pull.platform)
    run(pull)
    assert lists.received == ["1", "2", "3"]
    assert Circuit.objects.get().opened_at is None
