from datetime import UTC, datetime

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError

from infrastructure import outbox
from infrastructure.choices import EVSEStatus
from infrastructure.models import EVSE, Charger, Connector, Location
from infrastructure.services import masterdata
from tests.infrastructure.factories import (
    ChargerFactory,
    ConnectorFactory,
    EVSEFactory,
    LocationFactory,
    events,
    make_superuser,
)

pytestmark = pytest.mark.django_db

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def registries(monkeypatch):
    """What a test registers is forgotten after it."""
    for name in ("_followers", "_deletion_followers", "_checks", "_delete_checks"):
        registry = getattr(masterdata, name)
        monkeypatch.setattr(masterdata, name, type(registry)(list, {k: list(v) for k, v in registry.items()}))


def age(*rows):
    for row in rows:
        type(row).objects.filter(pk=row.pk).update(last_updated=LONG_AGO)


def is_touched(row):
    return type(row).objects.get(pk=row.pk).last_updated > LONG_AGO


def test_connector_change_bubbles_to_its_evse_and_location_only():
    connector = ConnectorFactory()
    other = EVSEFactory(charger=connector.evse.charger)
    location = connector.evse.charger.location
    age(connector, connector.evse, other, location)

    connector.max_amperage = 16
    masterdata.save(connector)

    assert is_touched(connector) and is_touched(connector.evse) and is_touched(location)
    assert not is_touched(other)
    assert events() == [("location", location.pk)]


def test_charger_change_touches_its_evses():
    evse = EVSEFactory()
    age(evse)
    masterdata.save(evse.charger)
    assert is_touched(evse)


def test_operator_and_site_changes_touch_every_location_below():
    first, second = LocationFactory(), LocationFactory()
    elsewhere = LocationFactory(operator=first.operator)

    first.operator.website = "https://example.com"
    masterdata.save(first.operator)
    assert events() == [("location", first.pk), ("location", elsewhere.pk)]

    masterdata.save(first.operator.site)
    assert events() == [("location", first.pk), ("location", second.pk), ("location", elsewhere.pk)]


def test_moving_a_charger_tells_of_both_locations():
    charger, target = ChargerFactory(), LocationFactory()
    old = charger.location_id
    charger.location = target
    masterdata.save(charger)
    assert events() == [("location", old), ("location", target.pk)]


def test_several_writes_in_one_change_are_told_once():
    connector = ConnectorFactory()
    with masterdata.one_change():
        masterdata.save(connector)
        masterdata.save(connector.evse)
        masterdata.save(connector.evse.charger)
    assert events() == [("location", connector.evse.charger.location_id)]


def test_save_keeps_live_data_that_was_written_since_the_row_was_read():
    evse = EVSEFactory()
    EVSE.objects.filter(pk=evse.pk).update(status=EVSEStatus.CHARGING, first_exposed_at=LONG_AGO)
    evse.floor_level = "-1"
    masterdata.save(evse)
    evse.refresh_from_db()
    assert (evse.status, evse.first_exposed_at, evse.floor_level) == ("CHARGING", LONG_AGO, "-1")


@pytest.mark.parametrize("factory", [LocationFactory, ChargerFactory, ConnectorFactory])
def test_exposed_roaming_id_cannot_change_or_vanish(factory):
    row = factory(first_exposed_at=LONG_AGO, roaming_id="OLD")
    for value in ("NEW", "old", ""):
        row.roaming_id = value
        with pytest.raises(ValidationError) as refused:
            masterdata.save(row)
        assert "as OLD since 2020-01-01" in refused.value.message_dict["roaming_id"][0]
    assert type(row).objects.get(pk=row.pk).roaming_id == "OLD"
    assert events() == []


def test_exposed_uid_cannot_change_through_the_number_either():
    evse = EVSEFactory(number=1, charger__roaming_id="CH", first_exposed_at=LONG_AGO)
    evse.number = 2
    with pytest.raises(ValidationError, match="as CH-1 since"):
        masterdata.save(evse)
    evse.uid = "CH-1"
    masterdata.save(evse)  # the same uid, now written down


def test_exposed_connector_stays_at_its_evse():
    connector = ConnectorFactory(first_exposed_at=LONG_AGO)
    connector.evse = EVSEFactory()
    with pytest.raises(ValidationError, match="Add a new connector"):
        masterdata.save(connector)


def test_ids_never_shown_may_change():
    location = LocationFactory()
    location.roaming_id = "ANOTHER"
    masterdata.save(location)
    assert Location.objects.get().roaming_id == "ANOTHER"


def test_typed_uid_must_not_equal_another_default_uid():
    EVSEFactory(number=1, charger__roaming_id="VIE-1")
    with pytest.raises(ValidationError, match="Another EVSE has the uid vie-1-1"):
        masterdata.save(EVSEFactory.build(charger=ChargerFactory(), uid="vie-1-1"))


def test_charger_roaming_id_must_not_make_a_uid_that_is_taken():
    EVSEFactory(uid="VIE-1-1")
    charger = EVSEFactory(number=1).charger
    charger.roaming_id = "VIE-1"
    with pytest.raises(ValidationError, match="VIE-1-1"):
        masterdata.save(charger)


@pytest.mark.parametrize("kind", [Connector, EVSE, Charger])
def test_deletion_tells_of_the_location(kind):
    connector = ConnectorFactory()
    location_id = connector.evse.charger.location_id
    row = {Connector: connector, EVSE: connector.evse, Charger: connector.evse.charger}[kind]
    masterdata.delete(row)
    assert not kind.objects.exists()
    assert events() == [("location", location_id)]


def test_deleted_location_is_told_by_its_id():
    location = LocationFactory()
    pk = location.pk
    masterdata.delete(location)
    assert events() == [("location", pk)]


def test_deletion_of_what_is_in_use_names_the_users():
    charger = ChargerFactory(identity="CP-7")
    with pytest.raises(ValidationError, match="still used by charger CP-7"):
        masterdata.delete(charger.location)
    assert events() == []


def test_a_delete_check_protects_the_row(registries):
    def refuse(connector: Connector) -> None:
        raise ValidationError("A car is charging here.")

    masterdata.on_delete_check(Connector, refuse)
    with pytest.raises(ValidationError, match="A car is charging here"):
        masterdata.delete(ConnectorFactory())
    assert Connector.objects.exists()


def test_followers_run_once_per_object_when_all_rows_are_written(registries):
    seen = []
    masterdata.on_change(Charger, lambda charger: seen.append((charger.pk, EVSE.objects.count())))
    charger = ChargerFactory()
    with masterdata.one_change():
        masterdata.save(charger)
        masterdata.save(EVSEFactory.build(charger=charger))
        masterdata.note(charger)
    assert seen == [(charger.pk, 1)]


def test_deletion_has_followers_of_its_own_that_get_the_primary_key(registries):
    changed, deleted = [], []
    masterdata.on_change(Charger, lambda charger: changed.append(charger.pk))
    masterdata.on_deleted(Charger, lambda charger: deleted.append(charger.pk))
    charger = ChargerFactory()
    pk = charger.pk
    with masterdata.one_change():
        masterdata.save(charger)
        masterdata.delete(charger)
    assert (changed, deleted) == ([], [pk])


def test_failing_follower_undoes_the_change(registries):
    def fail(charger: Charger) -> None:
        raise IntegrityError("no")

    masterdata.on_change(Charger, fail)
    charger = ChargerFactory(name="before")
    charger.name = "after"
    with pytest.raises(IntegrityError):
        masterdata.save(charger)
    assert Charger.objects.get().name == "before"
    assert events() == []


def test_author_is_known_to_followers_only_during_the_change(registries):
    seen = []
    masterdata.on_change(Charger, lambda charger: seen.append(outbox.current_author()))
    author = make_superuser()
    with masterdata.one_change(author):
        masterdata.save(ChargerFactory())
    assert seen == [author]
    assert outbox.current_author() is None


def test_what_runs_on_commit_starts_a_change_of_its_own(registries, django_capture_on_commit_callbacks):
    location = LocationFactory()
    with django_capture_on_commit_callbacks(execute=True), masterdata.one_change():
        from django.db import transaction

        transaction.on_commit(lambda: masterdata.touch_locations([location.pk]))
    assert events() == [("location", location.pk)]
