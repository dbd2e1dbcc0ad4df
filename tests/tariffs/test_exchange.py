"""The file of tariffs: a tariff and its details are one change and one publication."""

import pytest

from tariffs.models import RoamingTariff, SessionSettings, TariffVersion
from tests.infrastructure.factories import OperatorFactory, SiteFactory, events, make_staff, make_superuser
from tests.infrastructure.test_exchange import address, exported, problems, run, said, upload
from tests.tariffs.factories import DetailFactory, SettingsFactory, TariffFactory, make_published

pytestmark = pytest.mark.django_db

HEAD = "code,name,status,priority,energy price (per kWh),energy VAT (%),weekdays,pre-authorisation (gross)\n"


@pytest.fixture
def root(client, fresh_cache):
    SiteFactory()
    client.force_login(make_superuser())
    return client


def test_a_tariff_with_two_details_is_published_once(root):
    text = HEAD + 'AC,Card AC,ACTIVE,0,"0,49",20,,50\nAC,,,10,0.39,20,"SATURDAY, SUNDAY",\n'
    run(root, RoamingTariff, text)
    version = TariffVersion.objects.get()
    assert version.author.is_superuser
    assert version.tariff.details.count() == 2
    assert [event for event in events() if event[0] == "tariff"] == [("tariff", version.tariff_id)]


def test_a_new_price_makes_one_new_version(root):
    tariff = make_published(code="AC")
    detail = tariff.details.get()
    events()
    run(root, RoamingTariff, f"code,priority,energy price (per kWh)\nac,{detail.priority},0.55\n")
    assert TariffVersion.objects.count() == 2
    assert events() == [("tariff", tariff.pk)]
    detail.refresh_from_db()
    assert str(detail.energy_vat) == "20.00"


def test_an_active_tariff_without_details_is_refused(root):
    response = upload(root, RoamingTariff, HEAD + "AC,Card AC,ACTIVE,,,,,50\n")
    assert problems(response) == [(0, "")]
    assert "An active tariff needs at least one detail" in said(response)


def test_checks_of_tariff_and_detail_are_said_at_their_columns(root):
    response = upload(root, RoamingTariff, HEAD + "AC,Card AC,DRAFT,0,0.49,20,SOMEDAY,50\n")
    assert problems(response) == [(2, "weekdays")]
    assert not RoamingTariff.objects.exists()


def test_what_was_exported_comes_back_as_it_is(root):
    DetailFactory(tariff=TariffFactory(valid_from="2026-05-01T00:00Z"), start="2026-01-01T22:00Z", weekdays=["MONDAY"])
    TariffFactory(status="DRAFT")
    assert len(exported(root, RoamingTariff)) == 2
    for kind in ("csv", "xlsx"):
        content = root.get(address(RoamingTariff, "export", kind)).content
        preview = upload(root, RoamingTariff, content, f"file.{kind}")
        assert preview.context["problems"] == []
        assert preview.context["result"].totals["skip"] == 2


def test_the_example_can_be_imported(root):
    run(root, RoamingTariff, root.get(address(RoamingTariff, "import_example", "csv")).content)
    assert RoamingTariff.objects.get().details.count() == 2


def test_a_tariff_of_another_operator_too_is_not_changed(client, fresh_cache):
    mine, other = OperatorFactory(), OperatorFactory()
    tariff = make_published(code="SHARED")
    for operator in (mine, other):
        settings: SessionSettings = SettingsFactory(operator=operator)
        settings.tariffs.add(tariff)
    client.force_login(make_staff("ada", mine))
    response = upload(client, RoamingTariff, "code,priority,name\nSHARED,0,Taken\n")
    assert "also applies at operators that are not yours" in said(response)
    tariff.refresh_from_db()
    assert tariff.name != "Taken"


def test_a_limit_that_no_card_can_pay_is_said_at_its_column(root):
    assert problems(upload(root, RoamingTariff, HEAD + "AC,Card AC,DRAFT,0,0.49,20,,0.001\n")) == [
        (2, "pre-authorisation (gross)")
    ]
