"""Which tariffs may apply together, and what follows when a profile goes."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse

from config.demo import data
from config.demo.data import DemoData
from infrastructure import outbox
from infrastructure.services import masterdata
from roaming.choices import Module, PlatformState, PlatformType, PushState
from roaming.models import Document, Push, RoamingPlatform, RoamingProfile
from roaming.services import assignments, documents
from tariffs.choices import TariffStatus, TariffType
from tariffs.models import RoamingTariff, SessionSettings
from tests.infrastructure.factories import ChargerFactory, SiteFactory, make_superuser
from tests.infrastructure.forms import form_data
from tests.roaming.factories import PlatformFactory
from tests.tariffs.factories import DetailFactory, SettingsFactory, TariffFactory

pytestmark = pytest.mark.django_db

MAY, JUNE = datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)


def make_pair(platform_type: PlatformType = PlatformType.PTP, **second: Any) -> tuple[RoamingPlatform, Any, Any]:
    """Two tariffs at the site, the first one assigned to the platform."""
    one, other = TariffFactory(name="One", valid_until=second.pop("ends", None)), TariffFactory(name="Other", **second)
    SettingsFactory(site=SiteFactory(), tariffs=[one, other])
    platform = PlatformFactory(name="Terminals", type=platform_type)
    platform.tariffs.add(one)
    return platform, one, other


def check(platform: RoamingPlatform, *tariffs: RoamingTariff) -> None:
    assignments.check_candidates(platform.type, platform.name, tariffs)


def test_two_tariffs_of_one_level_and_type_are_refused_with_advice() -> None:
    platform, one, other = make_pair()
    with pytest.raises(ValidationError, match=r"Plugtill test: for Terminals both One .* and Other .* Take one of"):
        check(platform, one, other)


def test_one_of_two_on_a_level_is_fine() -> None:
    platform, one, _ = make_pair()
    check(platform, one)


def test_tariffs_on_different_levels_are_fine() -> None:
    platform, one, _ = make_pair()
    at_charger = TariffFactory()
    SettingsFactory(charger=ChargerFactory(), tariffs=[at_charger])
    check(platform, one, at_charger)


@pytest.mark.parametrize(
    "second", [{"ends": JUNE, "valid_from": JUNE}, {"status": TariffStatus.DRAFT}, {"status": TariffStatus.INACTIVE}]
)
def test_tariffs_that_never_apply_together_are_fine(second: dict[str, Any]) -> None:
    check(*make_pair(**second))


@pytest.mark.parametrize("second", [{"ends": JUNE, "valid_from": MAY}, {"ends": JUNE}, {"valid_until": MAY}])
def test_overlapping_validity_is_refused(second: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        check(*make_pair(**second))


@pytest.mark.parametrize(
    ("platform_type", "tariff_type", "is_fine"),
    [
        (PlatformType.EMSP, TariffType.REGULAR, True),
        (PlatformType.EMSP, TariffType.AD_HOC_PAYMENT, False),
        (PlatformType.PTP, TariffType.REGULAR, True),  # terminals do not see it
        (PlatformType.PTP, "", False),  # they take both
    ],
)
def test_tariffs_of_several_types_may_be_offered_side_by_side(
    platform_type: PlatformType, tariff_type: str, is_fine: bool
) -> None:
    pair = make_pair(platform_type, type=tariff_type)
    if is_fine:
        check(*pair)
    else:
        with pytest.raises(ValidationError):
            check(*pair)


@pytest.fixture
def root(client: Any) -> Any:
    client.force_login(make_superuser())
    return client


def submit(client: Any, row: Any, **changes: Any) -> Any:
    address = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])
    return client.post(address, {**form_data(client.get(address)), **changes})


def test_the_platform_form_says_so_at_its_tariffs(root: Any) -> None:
    platform, one, other = make_pair()
    answer = submit(root, platform, tariffs=[one.pk, other.pk])
    assert "would apply at the same time" in str(answer.context["adminform"].form.errors["tariffs"])
    assert list(platform.tariffs.all()) == [one]


def test_the_form_of_session_settings_says_so_at_its_tariffs(root: Any) -> None:
    platform, one, other = make_pair()
    settings = SessionSettings.objects.get()
    settings.tariffs.set([one])
    platform.tariffs.add(other)
    answer = submit(root, settings, tariffs=[one.pk, other.pk])
    assert "would apply at the same time" in str(answer.context["adminform"].form.errors["tariffs"])
    assert list(settings.tariffs.all()) == [one]


@pytest.mark.parametrize("change", [{"status": TariffStatus.ACTIVE}, {"type": TariffType.AD_HOC_PAYMENT}])
def test_a_tariff_cannot_become_the_second_candidate(change: dict[str, str]) -> None:
    before = {"status": TariffStatus.DRAFT, "type": ""} if "status" in change else {"type": TariffType.REGULAR}
    platform, _, other = make_pair(**before)
    platform.tariffs.add(other)
    for name, value in change.items():
        setattr(other, name, value)
    with pytest.raises(ValidationError, match="would apply at the same time"):
        masterdata.save(other)


def test_two_people_who_assign_at_once_are_caught() -> None:
    platform, _, other = make_pair()
    with pytest.raises(ValidationError), masterdata.one_change():
        platform.tariffs.add(other)
        masterdata.note(platform)
    assert platform.tariffs.count() == 1
    platform.tariffs.add(other)
    with pytest.raises(ValidationError):
        masterdata.note(SessionSettings.objects.get())


def test_the_preauthorisation_of_a_tariff_at_a_terminal_provider_stays() -> None:
    platform, one, _ = make_pair()
    one.preauthorisation = None
    with pytest.raises(ValidationError) as refused:
        masterdata.save(one)
    assert "Terminals has this tariff" in refused.value.message_dict["preauthorisation"][0]
    one.preauthorisation = Decimal(20)
    masterdata.save(one)
    platform.tariffs.clear()
    one.preauthorisation = None
    masterdata.save(one)


def test_other_partners_need_no_preauthorisation() -> None:
    _, one, _ = make_pair(PlatformType.EMSP)
    one.preauthorisation = None
    masterdata.save(one)


@pytest.fixture
def demo() -> DemoData:
    """Its platform is registered and has everything."""
    demo = data.create()
    RoamingPlatform.objects.update(state=PlatformState.REGISTERED)
    documents.refresh_platform(demo.platform.pk)
    outbox.drain()
    Push.objects.update(state=PushState.DONE)
    return demo


def waiting() -> list[str]:
    return [push.object_id for push in Push.objects.filter(state=PushState.PENDING).order_by("queued_at", "pk")]


def test_a_deleted_profile_takes_its_locations_and_then_its_tariffs_away(demo: DemoData) -> None:
    masterdata.delete(RoamingProfile.objects.get())
    outbox.drain()
    areas = Document.objects.filter(module=Module.LOCATIONS)
    assert {evse["status"] for area in areas for evse in area.body["evses"]} == {"REMOVED"}
    assert all(Document.objects.filter(module=Module.TARIFFS).values_list("is_deleted", flat=True))
    assert [name.split("/")[2] for name in waiting()] == ["VIE-CITY", "A4-GOETTLES", "ADHOC-AC", "ADHOC-DC"]


def test_a_profile_taken_off_the_platform_leaves_no_tariff_behind(demo: DemoData) -> None:
    second = RoamingProfile(name="Second", code="second", country_code="AT", party_id="SEC")
    masterdata.save(second)
    demo.platform.profiles.set([second])
    masterdata.note(demo.platform)
    outbox.drain()
    tariffs = Document.objects.filter(module=Module.TARIFFS).order_by("party_id", "object_id")
    assert [(row.party_id, row.is_deleted) for row in tariffs] == [("SEC", False)] * 2 + [("VLT", True)] * 2


def test_a_deleted_tariff_is_referred_to_by_nobody(demo: DemoData) -> None:
    for tariff in RoamingTariff.objects.all():
        tariff.status = TariffStatus.DRAFT
        masterdata.save(tariff)
    outbox.drain()
    assert all(Document.objects.filter(module=Module.TARIFFS).values_list("is_deleted", flat=True))
    areas = Document.objects.filter(module=Module.LOCATIONS)
    plugs = [plug for area in areas for evse in area.body["evses"] for plug in evse["connectors"]]
    assert len(plugs) == 3 and not any("tariff_ids" in plug for plug in plugs)


def test_a_new_tariff_leaves_before_the_location_that_refers_to_it(demo: DemoData) -> None:
    tariff = TariffFactory(code="NEW", status=TariffStatus.DRAFT)
    with masterdata.one_change():
        masterdata.save(DetailFactory.build(tariff=tariff))
        demo.platform.tariffs.add(tariff)
        level = SessionSettings.objects.get(charger=demo.chargers[1].charger)
        level.tariffs.set([tariff])
        masterdata.note(demo.platform)
        masterdata.note(level)
    outbox.drain()
    assert "AT/VLT/NEW" not in waiting()  # a draft is nobody's business
    Push.objects.update(state=PushState.DONE)
    tariff.status = TariffStatus.ACTIVE
    masterdata.save(tariff)
    outbox.drain()
    assert waiting() == ["AT/VLT/NEW", "AT/VLT/A4-GOETTLES"]


def test_a_changed_price_is_pulled_with_the_last_updated_that_is_pushed(demo: DemoData) -> None:
    tariff = RoamingTariff.objects.get(code="ADHOC-DC")
    before = Document.objects.get(object_id="ADHOC-DC")
    detail = tariff.details.get()
    detail.energy_price = Decimal("0.90")
    masterdata.save(detail)
    outbox.drain()
    after = Document.objects.get(object_id="ADHOC-DC")
    assert waiting() == ["AT/VLT/ADHOC-DC"]
    assert after.last_updated > before.last_updated
    assert documents.format_datetime(after.last_updated) == after.body["last_updated"]
    assert after.body["elements"][0]["price_components"][1]["price"] == 0.75
