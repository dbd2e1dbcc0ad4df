from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError

from infrastructure.services import masterdata
from tariffs.choices import Recurrence, TariffStatus
from tariffs.models import RoamingTariff, SessionSettings, TariffDetail, TariffText
from tariffs.services import validation
from tests.infrastructure.factories import ChargerFactory, LocationFactory, SiteFactory
from tests.tariffs.factories import DetailFactory, SettingsFactory, TariffFactory, make_published

pytestmark = pytest.mark.django_db


def at(day, hour=0, minute=0, second=0):
    return datetime(2026, 5, day, hour, minute, second, tzinfo=UTC)


def refusal(check, obj):
    with pytest.raises(ValidationError) as refused:
        check(obj)
    return refused.value.message_dict


def test_two_details_may_not_share_a_priority():
    first = DetailFactory(priority=5)
    assert (
        "Give each detail its own"
        in refusal(masterdata.save, DetailFactory.build(tariff=first.tariff, priority=5))["priority"][0]
    )
    masterdata.save(first)  # not an obstacle to itself
    masterdata.save(DetailFactory.build(tariff=TariffFactory(), priority=5))  # nor to another tariff


@pytest.mark.parametrize(
    ("recurrence", "start", "stop", "words"),
    [
        (Recurrence.DAILY, at(2), at(1), "later than start"),
        (Recurrence.ONE_TIME, at(2), at(1), "later than start"),
        (Recurrence.DAILY, at(1, 18), at(1, 18), "at least one whole day"),
        (Recurrence.ONE_TIME, at(1, 18), at(1, 18), "would never apply"),
    ],
)
def test_empty_ranges_are_refused_with_advice(recurrence, start, stop, words):
    detail = TariffDetail(recurrence=recurrence, start=start, stop=stop)
    assert words in refusal(validation.check_detail, detail)["stop"][0]


@pytest.mark.parametrize(
    ("start", "stop"),
    [(None, None), (at(1), None), (None, at(1)), (at(1, 18), at(2, 18)), (at(1, 22), at(2, 6)), (at(1), at(2))],
)
def test_ranges_of_a_day_and_open_ranges_are_fine(start, stop):
    validation.check_detail(TariffDetail(start=start, stop=stop))


def test_boundaries_lie_on_whole_minutes():
    errors = refusal(validation.check_detail, TariffDetail(start=at(1, 8, 0, 30), stop=at(2, 8, 0, 1)))
    assert errors == {"start": ["Use whole minutes."], "stop": ["Use whole minutes."]}


@pytest.mark.parametrize("days", [["Monday"], ["MON"], "MONDAY", {"MONDAY": 1}, [1]])
def test_weekdays_must_be_spelled_right(days):
    assert "MONDAY, TUESDAY" in refusal(validation.check_detail, TariffDetail(weekdays=days))["weekdays"][0]


def test_one_time_details_have_no_weekdays():
    detail = TariffDetail(recurrence=Recurrence.ONE_TIME, weekdays=["MONDAY"])
    assert "choose daily" in refusal(validation.check_detail, detail)["weekdays"][0]
    validation.check_detail(TariffDetail(weekdays=["MONDAY", "SUNDAY"]))


def test_step_sizes_of_zero_are_refused():
    errors = refusal(validation.check_detail, TariffDetail(energy_step_size=0, time_step_size=0))
    assert set(errors) == {"energy_step_size", "time_step_size"}


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"preauthorisation": Decimal(0)}, "preauthorisation"),
        ({"preauthorisation": Decimal("50.005")}, "preauthorisation"),
        ({"preauthorisation": Decimal("0.5"), "currency": "JPY"}, "preauthorisation"),
        ({"preauthorisation": Decimal(50), "max_price": Decimal("49.99")}, "preauthorisation"),
        ({"preauthorisation": Decimal(5), "min_price": Decimal("5.01")}, "min_price"),
        ({"max_price": Decimal(5), "min_price": Decimal("5.01")}, "min_price"),
        ({"valid_from": at(2), "valid_until": at(2)}, "valid_until"),
    ],
)
def test_contradicting_limits_are_refused(fields, field):
    assert set(refusal(validation.check_tariff, RoamingTariff(code="T", **fields))) == {field}


def test_equal_limits_are_fine():
    ten = Decimal(10)
    validation.check_tariff(RoamingTariff(code="T", preauthorisation=ten, max_price=ten, min_price=ten))


def test_code_is_unique_without_regard_to_case():
    TariffFactory(code="ADHOC")
    assert "ignore case" in refusal(masterdata.save, TariffFactory.build(code="adhoc"))["code"][0]


def test_published_code_cannot_change():
    tariff = make_published(code="OLD")
    tariff.code = "NEW"
    assert "Partners know this tariff as OLD" in refusal(masterdata.save, tariff)["code"][0]


def test_language_of_a_text_is_two_small_letters():
    assert "language" in refusal(validation.check_text, TariffText(language="DE", text="x"))


def test_price_finer_than_four_decimals_is_refused():
    detail = DetailFactory.build(tariff=TariffFactory(), energy_price=Decimal("0.40001"))
    assert "energy_price" in refusal(lambda row: row.full_clean(), detail)


def test_settings_belong_to_exactly_one_level():
    charger = ChargerFactory()
    for settings in (SessionSettings(), SessionSettings(charger=charger, operator=charger.location.operator)):
        with pytest.raises(ValidationError, match="exactly one"):
            masterdata.save(settings)


def test_limited_validity_must_not_meet_two_time_zones():
    here = LocationFactory(time_zone="Europe/Vienna")
    LocationFactory(operator=here.operator, time_zone="Europe/London")
    limited, unlimited = TariffFactory(name="Spring", valid_from=at(1)), TariffFactory()
    settings = SessionSettings(operator=here.operator)

    with pytest.raises(ValidationError, match=r"Spring .* \(Europe/London, Europe/Vienna\)"):
        validation.check_assignment(settings, [limited, unlimited])
    validation.check_assignment(settings, [unlimited])
    validation.check_assignment(SessionSettings(charger=ChargerFactory(location=here)), [limited])
    with pytest.raises(ValidationError):
        validation.check_assignment(SessionSettings(site=SiteFactory()), [limited])


@pytest.fixture
def in_vienna():
    """A tariff that applies at a charger in Vienna."""
    charger = ChargerFactory(location__time_zone="Europe/Vienna")
    tariff = TariffFactory()
    SettingsFactory(charger=charger, tariffs=[tariff])
    return tariff


def test_two_levels_in_two_time_zones_are_refused_too(in_vienna):
    london = ChargerFactory(location__time_zone="Europe/London")
    validation.check_assignment(SessionSettings(charger=london), [in_vienna])
    in_vienna.valid_from = at(1)
    with pytest.raises(ValidationError, match="several time zones"):
        validation.check_assignment(SessionSettings(charger=london), [in_vienna])


def test_settings_that_move_to_another_zone_are_judged_where_they_come_to(in_vienna):
    in_vienna.valid_from = at(1)
    settings = in_vienna.session_settings.get()
    settings.charger = ChargerFactory(location__time_zone="Europe/London")
    validation.check_assignment(settings, [in_vienna])


@pytest.mark.parametrize("field", ["valid_from", "valid_until"])
def test_validity_cannot_be_limited_where_two_time_zones_use_the_tariff(in_vienna, field):
    london = ChargerFactory(location__time_zone="Europe/London")
    SettingsFactory(charger=london, tariffs=[in_vienna])
    setattr(in_vienna, field, at(1))
    assert "several time zones" in refusal(masterdata.save, in_vienna)[field][0]


def test_published_tariff_keeps_a_detail():
    tariff = make_published()
    with pytest.raises(ValidationError, match="Set it inactive first"):
        masterdata.delete(tariff.details.get())
    assert tariff.details.exists()
    tariff.status = TariffStatus.INACTIVE
    masterdata.save(tariff)
    masterdata.delete(tariff.details.get())
    assert not tariff.details.exists()
