from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError

from infrastructure.services import masterdata
from tariffs.choices import Recurrence, TariffStatus
from tariffs.models import TariffText, TariffVersion
from tariffs.services.publish import current_version, publish_tariff
from tests.infrastructure.factories import SiteFactory, events, make_superuser
from tests.tariffs.factories import DetailFactory, SettingsFactory, TariffFactory, make_published

pytestmark = pytest.mark.django_db


def test_content_is_everything_that_does_not_depend_on_the_partner():
    SiteFactory()
    tariff = TariffFactory(
        code="ADHOC",
        preauthorisation=Decimal("50"),
        max_price=Decimal("60"),
        min_price=Decimal("1"),
        valid_from=datetime(2026, 5, 1, 22, tzinfo=UTC),
    )
    DetailFactory(tariff=tariff)
    content = publish_tariff(tariff).content

    assert content["id"] == "ADHOC"
    assert content["currency"] == "EUR"
    assert content["type"] == "AD_HOC_PAYMENT"
    assert content["preauthorisation"] == "50.0000"
    assert content["max_price"] == {"excl_vat": 50.0, "incl_vat": 60.0}
    assert content["min_price"] == {"excl_vat": 0.8333, "incl_vat": 1.0}
    assert content["start_date_time"] == "2026-05-01T22:00:00Z"
    assert content["end_date_time"] is None
    assert [text["language"] for text in content["tariff_alt_text"]] == ["en", "de", "fr", "nl", "sl"]
    energy = content["elements"][0]["price_components"][1]
    assert energy == {"type": "ENERGY", "price": 0.4, "vat": 20.0, "step_size": 1}


def test_boundaries_stay_the_wall_time_that_was_typed():
    detail = DetailFactory(
        recurrence=Recurrence.ONE_TIME,
        start=datetime(2026, 5, 1, 18, tzinfo=UTC),
        stop=datetime(2026, 5, 1, 20, 30, tzinfo=UTC),
    )
    restrictions = publish_tariff(detail.tariff).content["elements"][0]["restrictions"]
    assert restrictions == {
        "start_time": "18:00",
        "end_time": "20:30",
        "start_date": "2026-05-01",
        "end_date": "2026-05-02",
    }


def test_gross_limits_are_net_at_the_rate_with_which_gross_decides():
    tariff = TariffFactory(min_price=Decimal(6), max_price=Decimal(60))
    DetailFactory(tariff=tariff, energy_vat=Decimal(20), flat_price=Decimal("0.5"), flat_vat=Decimal(10))
    content = publish_tariff(tariff).content
    assert content["min_price"] == {"excl_vat": 5.0, "incl_vat": 6.0}
    assert content["max_price"] == {"excl_vat": 54.5455, "incl_vat": 60.0}


def test_other_partners_than_terminals_get_a_text_without_a_blocked_amount():
    content = publish_tariff(DetailFactory(tariff__max_price=Decimal(60)).tariff).content
    assert "€50.00 is blocked" in content["tariff_alt_text"][0]["text"]
    assert "At most €60.00" in content["roaming_alt_text"][0]["text"]
    without = publish_tariff(DetailFactory(tariff__preauthorisation=None).tariff).content
    assert "roaming_alt_text" not in without


def test_languages_of_the_site_come_first():
    SiteFactory(languages="sl, DE,it")
    texts = make_published().versions.get().content["tariff_alt_text"]
    assert [text["language"] for text in texts] == ["sl", "de", "en", "fr", "nl"]


@pytest.mark.parametrize("status", [TariffStatus.DRAFT, TariffStatus.INACTIVE])
def test_only_an_active_tariff_can_be_published(status):
    tariff = DetailFactory(tariff__status=status).tariff
    with pytest.raises(ValidationError, match="Set it active first"):
        publish_tariff(tariff)
    assert not TariffVersion.objects.exists()


def test_same_content_makes_no_new_version():
    tariff = make_published()
    assert publish_tariff(tariff) == current_version(tariff)
    assert TariffVersion.objects.count() == 1


def test_changed_price_makes_a_new_version_and_keeps_the_old_one():
    tariff = make_published()
    tariff.details.update(energy_price=Decimal("0.5"))
    author = make_superuser()
    version = publish_tariff(tariff, author)
    assert (version.number, version.author, current_version(tariff)) == (2, author, version)
    first = tariff.versions.get(number=1)
    assert first.content["elements"][0]["price_components"][1]["price"] == 0.4
    assert first.author is None


def test_tariff_without_details_is_not_published():
    with pytest.raises(ValidationError, match="at least one tariff detail"):
        publish_tariff(TariffFactory())
    assert not TariffVersion.objects.exists()


def test_saving_an_active_tariff_publishes_it_with_its_author():
    detail = DetailFactory()
    author = make_superuser()
    with masterdata.one_change(author):
        masterdata.save(detail)
    assert current_version(detail.tariff).author == author
    assert events() == [("tariff", detail.tariff_id)]


def test_tariff_detail_and_text_of_one_change_are_one_version():
    tariff = make_published()
    detail = tariff.details.get()
    events()
    with masterdata.one_change():
        tariff.preauthorisation = Decimal(30)
        masterdata.save(tariff)
        detail.energy_price = Decimal("0.5")
        masterdata.save(detail)
        masterdata.save(TariffText(tariff=tariff, language="en", text="Cheap."))
    version = current_version(tariff)
    assert version.number == 2
    assert version.content["preauthorisation"] == "30.0000"
    assert version.content["tariff_alt_text"][0] == {"language": "en", "text": "Cheap."}
    assert set(events()) == {("tariff", tariff.pk)}


@pytest.mark.parametrize("status", [TariffStatus.DRAFT, TariffStatus.INACTIVE])
def test_tariff_that_is_not_active_is_told_of_but_not_published(status):
    tariff = make_published()
    events()
    tariff.status = status
    tariff.preauthorisation = Decimal(20)
    masterdata.save(tariff)
    assert current_version(tariff).number == 1
    assert events() == [("tariff", tariff.pk)]


def test_new_active_tariff_waits_for_its_first_detail():
    tariff = TariffFactory()
    masterdata.save(tariff)
    assert current_version(tariff) is None
    masterdata.save(DetailFactory.build(tariff=tariff))
    assert current_version(tariff).number == 1


def test_deleted_detail_is_no_longer_published():
    tariff = make_published()
    happy = DetailFactory(tariff=tariff, priority=9, energy_price=Decimal("0.1"))
    assert len(publish_tariff(tariff).content["elements"]) == 3
    masterdata.delete(happy)
    assert len(current_version(tariff).content["elements"]) == 2


def test_published_tariff_cannot_be_deleted_but_a_draft_can():
    tariff = make_published()
    with pytest.raises(ValidationError, match="still used by tariff version"):
        masterdata.delete(tariff)
    events()
    draft = DetailFactory(tariff__status=TariffStatus.DRAFT).tariff
    pk = draft.pk
    masterdata.delete(draft)
    assert events() == [("tariff", pk)]


def test_change_and_deletion_of_settings_are_told():
    settings = SettingsFactory(site=SiteFactory())
    masterdata.save(settings)
    pk = settings.pk
    masterdata.delete(settings)
    assert events() == [("settings", pk), ("settings", pk)]
