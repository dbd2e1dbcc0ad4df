"""What goes wrong with the money at the provider stands in the work list, in words."""

from collections.abc import Iterator

import pytest

from tests.e2e.admin_site import text_of
from tests.e2e.cast import GARAGE_1, Cast


@pytest.fixture(scope="module")
def cast(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cast]:
    with Cast(tmp_path_factory.mktemp("exceptions"), chargers=("DEMO-AC-1",)) as cast:
        yield cast
        cast.check()


def test_a_declined_capture_waits_for_a_person(cast: Cast) -> None:
    cast.wait("a free outlet", lambda: cast.is_ready(GARAGE_1))
    reference = cast.tap(GARAGE_1, decline_capture=True)["authorization_reference"]
    cast.wait("some energy", lambda: cast.progress(reference) > 0)
    cast.stop_at_charger(GARAGE_1)
    cast.wait("the exception", lambda: len(cast.admin.rows("payments/paymentissue", reference)) == 1)
    row = cast.admin.row("payments/paymentissue", reference)
    assert "The card could not be charged" in text_of(cast.admin.page(f"{row}change/"))
    cast.admin.save(f"{row}do/accept/", text="The driver paid in cash.")
    assert cast.admin.rows("payments/paymentissue", reference) == []
    session = cast.admin.row("chargers/chargingsession", reference)
    assert "Not captured" in text_of(cast.admin.page(f"{session}change/"))
