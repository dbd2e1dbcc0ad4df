from datetime import UTC, datetime

import pytest

from infrastructure.choices import EVSEStatus
from infrastructure.models import EVSE, Location
from infrastructure.services.status import set_evse_status, set_evse_statuses
from tests.infrastructure.factories import EVSEFactory, events

pytestmark = pytest.mark.django_db

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def test_status_change_is_written_stamped_and_told():
    evse = EVSEFactory(last_updated=LONG_AGO)
    location = evse.charger.location
    Location.objects.update(last_updated=LONG_AGO)

    assert set_evse_status(evse.pk, EVSEStatus.CHARGING)

    evse.refresh_from_db()
    location.refresh_from_db()
    assert evse.status == "CHARGING"
    assert evse.last_updated > LONG_AGO and location.last_updated > LONG_AGO
    assert events() == [("status", evse.pk)]


def test_repeated_status_changes_nothing():
    evse = EVSEFactory(status=EVSEStatus.AVAILABLE, last_updated=LONG_AGO)
    assert not set_evse_status(evse.pk, EVSEStatus.AVAILABLE)
    assert EVSE.objects.get().last_updated == LONG_AGO
    assert events() == []


def test_unknown_evse_is_no_change():
    assert not set_evse_status(4711, EVSEStatus.AVAILABLE)


def test_of_several_only_those_that_change_are_told():
    """Another process may have written the same a moment ago."""
    same, other = (EVSEFactory(status=EVSEStatus.AVAILABLE, last_updated=LONG_AGO) for _ in range(2))
    set_evse_statuses({same.pk: EVSEStatus.AVAILABLE, other.pk: EVSEStatus.BLOCKED, 4711: EVSEStatus.BLOCKED})
    assert EVSE.objects.get(pk=same.pk).last_updated == LONG_AGO
    assert EVSE.objects.get(pk=other.pk).status == "BLOCKED"
    assert events() == [("status", other.pk)]
