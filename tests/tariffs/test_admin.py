from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.contrib.messages import get_messages
from django.urls import reverse

from infrastructure.services import masterdata
from tariffs.choices import TariffStatus
from tariffs.models import RoamingTariff, SessionSettings, TariffDetail, TariffVersion
from tariffs.services.publish import current_version
from tests.infrastructure.factories import (
    ChargerFactory,
    OperatorFactory,
    SiteFactory,
    events,
    make_staff,
    make_superuser,
)
from tests.infrastructure.forms import form_data
from tests.tariffs.factories import DetailFactory, SettingsFactory, TariffFactory, make_published

pytestmark = pytest.mark.django_db

ADD = reverse("admin:tariffs_roamingtariff_add")


@pytest.fixture
def root(client):
    SiteFactory(time_zone="Europe/Vienna")
    client.force_login(make_superuser())
    return client


def page(row):
    return reverse(f"admin:tariffs_{row._meta.model_name}_change", args=[row.pk])


def submit(client, address, **changes):
    return client.post(address, {**form_data(client.get(address)), **changes})


def errors(response):
    assert response.status_code == 200
    texts = [str(e) for errors in response.context["adminform"].form.errors.values() for e in errors]
    for inline in response.context["inline_admin_formsets"]:
        texts += [str(e) for e in inline.formset.non_form_errors()]
        texts += [str(e) for row in inline.formset.errors for errors in row.values() for e in errors]
    return " ".join(texts)


def detail_row(index=0, **fields):
    row = {"priority": "0", "recurrence": "DAILY", "energy_price": "0.4083", "energy_vat": "20"}
    row |= {"energy_step_size": "1", "time_step_size": "1", **fields}
    return {f"details-{index}-{name}": value for name, value in row.items()}


def test_tariff_with_detail_is_entered_and_published_on_one_page(root):
    answer = submit(
        root,
        ADD,
        name="Ad hoc",
        code="ADHOC",
        status="ACTIVE",
        preauthorisation="50",
        valid_from_0="2026-05-01",
        valid_from_1="00:00",
        **{"details-TOTAL_FORMS": "1"},
        **detail_row(start_0="2026-05-01", start_1="18:00", stop_0="2026-12-31", stop_1="08:00", weekdays=["FRIDAY"]),
    )
    assert answer.status_code == 302, errors(answer)
    tariff, detail = RoamingTariff.objects.get(), TariffDetail.objects.get()
    assert tariff.valid_from == datetime(2026, 4, 30, 22, tzinfo=UTC)
    assert detail.start == datetime(2026, 5, 1, 18, tzinfo=UTC)
    assert detail.weekdays == ["FRIDAY"]
    version = current_version(tariff)
    assert version.number == 1 and version.author.username == "root"
    assert version.content["start_date_time"] == "2026-04-30T22:00:00Z"
    assert version.content["elements"][0]["restrictions"]["start_time"] == "18:00"
    assert events() == [("tariff", tariff.pk)]


def test_saving_an_untouched_page_changes_nothing(root):
    tariff = make_published(valid_from=datetime(2026, 4, 30, 22, tzinfo=UTC))
    tariff.details.update(start=datetime(2026, 5, 1, 18, tzinfo=UTC), weekdays=["FRIDAY"])
    shown = root.get(page(tariff))
    assert form_data(shown)["valid_from_1"] == "00:00:00"
    assert form_data(shown)["details-0-start_1"] == "18:00:00"
    refused = submit(root, page(tariff), code="not allowed")
    assert refused.context["adminform"].form.changed_data == ["code"]
    for inline in refused.context["inline_admin_formsets"]:
        assert not any(form.has_changed() for form in inline.formset.forms)
    assert submit(root, page(tariff)).status_code == 302
    assert tariff.details.get().start == datetime(2026, 5, 1, 18, tzinfo=UTC)


def test_ambiguous_hour_means_the_first_one(root):
    tariff = make_published()
    submit(root, page(tariff), valid_from_0="2026-10-25", valid_from_1="02:30")
    assert RoamingTariff.objects.get().valid_from == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_changed_price_is_published_and_shown(root):
    tariff = make_published()
    assert submit(root, page(tariff), **{"details-0-energy_price": "0.4083"}).status_code == 302
    assert current_version(tariff).number == 2
    assert events()[-1] == ("tariff", tariff.pk)
    shown = root.get(page(tariff)).content.decode()
    assert "Version 2 of" in shown and "€0.49 per kWh" in shown


def test_deleted_detail_is_published(root):
    tariff = make_published()
    DetailFactory(tariff=tariff, priority=7)
    assert submit(root, page(tariff), **{"details-0-DELETE": "on"}).status_code == 302
    assert tariff.details.count() == 1
    assert len(current_version(tariff).content["elements"]) == 2


def test_text_is_published(root):
    tariff = make_published()
    row = {"texts-TOTAL_FORMS": "1", "texts-0-language": "en", "texts-0-text": "Fair.", "texts-0-tariff": tariff.pk}
    assert submit(root, page(tariff), **row).status_code == 302
    assert current_version(tariff).content["tariff_alt_text"][0]["text"] == "Fair."


def test_deactivation_is_told(root):
    tariff = make_published()
    events()
    assert submit(root, page(tariff), status="INACTIVE").status_code == 302
    assert events() == [("tariff", tariff.pk)]
    assert TariffVersion.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"details-0-weekdays": ["FRYDAY"]}, "not one of the available choices"),
        ({"details-0-energy_price": "0.40001"}, "no more than 4 decimal places"),
        (
            {
                "details-0-start_0": "2026-05-02",
                "details-0-start_1": "00:00",
                "details-0-stop_0": "2026-05-01",
                "details-0-stop_1": "00:00",
            },
            "Stop must be later than start",
        ),
        ({"details-0-start_0": "2026-05-02"}, "Enter a time of day as well"),
        ({"details-0-start_1": "18:00"}, "Enter a date as well, for example 2026-05-01"),
        ({"details-0-DELETE": "on"}, "Set it inactive first"),
        ({"code": "OTHER"}, "Partners know this tariff as"),
        ({"preauthorisation": "0"}, "an amount that a card can pay"),
    ],
)
def test_refusals_are_shown_on_the_form(root, changes, words):
    tariff = make_published()
    assert words in errors(submit(root, page(tariff), **changes))
    assert current_version(tariff).number == 1


def test_last_detail_may_be_deleted_while_the_tariff_is_set_inactive(root):
    tariff = make_published()
    assert submit(root, page(tariff), status="INACTIVE", **{"details-0-DELETE": "on"}).status_code == 302


def test_only_detail_may_be_replaced_on_one_page(root):
    tariff = make_published()
    changes = {"details-0-DELETE": "on", "details-TOTAL_FORMS": "2", **detail_row(1, priority="1", tariff=tariff.pk)}
    answer = submit(root, page(tariff), **changes)
    assert answer.status_code == 302, errors(answer)
    assert current_version(tariff).number == 2


def test_two_new_details_of_one_priority_are_refused(root):
    tariff = TariffFactory()
    rows = {**detail_row(0, tariff=tariff.pk), **detail_row(1, tariff=tariff.pk)}
    answer = submit(root, page(tariff), **{"details-TOTAL_FORMS": "2"}, **rows)
    assert "Two rows have the same priority" in errors(answer)


def test_list_shows_gross_price_and_version(root, django_assert_max_num_queries):
    make_published(valid_from=datetime(2026, 4, 30, 22, tzinfo=UTC))
    TariffFactory(status=TariffStatus.DRAFT)
    address = reverse("admin:tariffs_roamingtariff_changelist")
    shown = root.get(address).content.decode()
    assert "€0.48 per kWh" in shown and "version 1" in shown
    assert "no details yet" in shown and "not yet" in shown
    assert "from <time" in shown and "2026-05-01 00:00:00 CEST</time>" in shown
    for _ in range(5):
        make_published()
    with django_assert_max_num_queries(10):
        root.get(address)


def test_published_tariff_cannot_be_deleted(root):
    tariff = make_published()
    root.post(reverse("admin:tariffs_roamingtariff_delete", args=[tariff.pk]), {"post": "yes"})
    assert RoamingTariff.objects.exists()


def test_versions_are_read_only(root):
    version = current_version(make_published())
    assert root.get(page(version)).status_code == 200
    assert root.post(page(version), {"number": "9"}).status_code == 403


def test_assigned_tariffs_are_written_before_the_change_is_told(root, monkeypatch):
    seen = []
    monkeypatch.setitem(masterdata._followers, SessionSettings, [lambda row: seen.append(list(row.tariffs.all()))])
    tariff, charger = make_published(), ChargerFactory()
    data = {"charger": charger.pk, "tariffs": [tariff.pk]}
    assert root.post(reverse("admin:tariffs_sessionsettings_add"), data).status_code == 302
    assert seen == [[tariff]]


def test_session_settings_are_told(root):
    settings = SettingsFactory(charger=ChargerFactory())
    assert submit(root, page(settings), tariffs=[make_published().pk]).status_code == 302
    assert events()[-1] == ("settings", settings.pk)


def test_session_settings_need_one_level(root):
    data = {"charger": ChargerFactory().pk, "operator": OperatorFactory().pk}
    answer = root.post(reverse("admin:tariffs_sessionsettings_add"), data)
    assert "Choose exactly one of site, operator and charger" in errors(answer)


def test_zones_are_checked_on_the_form(root):
    operator = OperatorFactory()
    for zone in ("Europe/Vienna", "Europe/London"):
        ChargerFactory(location__operator=operator, location__time_zone=zone)
    tariff = make_published(valid_from=datetime(2026, 1, 1, tzinfo=UTC))
    data = {"operator": operator.pk, "tariffs": [tariff.pk]}
    answer = root.post(reverse("admin:tariffs_sessionsettings_add"), data)
    assert "several time zones" in errors(answer)


def test_staff_see_settings_of_their_operator_only(client):
    mine, other = ChargerFactory(), ChargerFactory()
    own = [SettingsFactory(charger=mine), SettingsFactory(operator=mine.location.operator)]
    foreign = [SettingsFactory(charger=other), SettingsFactory(site=SiteFactory())]
    client.force_login(make_staff("ada", mine.location.operator))

    listed = client.get(reverse("admin:tariffs_sessionsettings_changelist")).context["cl"].result_list
    assert set(listed) == set(own)
    for settings in foreign:
        assert client.get(page(settings)).status_code == 302
    shown = client.get(page(own[0])).context["adminform"].form
    assert "site" not in shown.fields
    answer = submit(client, page(own[0]), charger="", operator="")
    assert "Choose exactly one" in errors(answer)


def test_prices_with_vat_are_entered_and_what_results_is_shown(root):
    row = detail_row(energy_price="0.49", flat_price="0.60", flat_vat="20")
    answer = submit(root, ADD, name="Ad hoc", code="ADHOC", status="ACTIVE", **{"details-TOTAL_FORMS": "1"}, **row)
    assert answer.status_code == 302, errors(answer)
    tariff = RoamingTariff.objects.get()
    assert tariff.prices_include_vat
    assert current_version(tariff).content["elements"][0]["price_components"][1]["price"] == 0.4083
    shown = root.get(page(tariff)).content.decode()
    assert "Energy price: 0.4083 net is published, 0.48996 with 20 % VAT results; 100 kWh cost 49.00 EUR" in shown
    assert "Flat price: 0.5000 net is published, 0.6 with 20 % VAT results" in shown


def test_staff_are_warned_of_rounding_that_a_bill_shows(root):
    tariff = make_published(prices_include_vat=True)
    saved = submit(root, page(tariff), **{"details-0-energy_price": "0.75", "details-0-energy_vat": "22"})
    warnings = [str(message) for message in get_messages(saved.wsgi_request) if message.level_tag == "warning"]
    assert len(warnings) == 1 and "100 kWh cost 75.01 EUR, not 75.00" in warnings[0]
    saved = submit(root, page(tariff), **{"details-0-energy_price": "0.74", "details-0-energy_vat": "20"})
    assert not [message for message in get_messages(saved.wsgi_request) if message.level_tag == "warning"]


def test_price_is_kept_with_four_decimals(root):
    tariff = make_published()
    submit(root, page(tariff), **{"details-0-energy_price": "0.4083"})
    assert tariff.details.get().energy_price == Decimal("0.4083")


def test_an_active_tariff_without_details_is_refused(root):
    tariff = TariffFactory(status="DRAFT")
    answer = submit(root, page(tariff), status="ACTIVE")
    assert "add one, or keep the tariff a draft" in errors(answer)


@pytest.mark.parametrize(
    ("status", "price", "is_told"), [("ACTIVE", "", True), ("ACTIVE", "0.49", False), ("DRAFT", "", False)]
)
def test_an_active_tariff_without_any_price_is_told(root, status, price, is_told):
    row = detail_row(energy_price=price, energy_vat="")
    address = submit(root, ADD, name="Ad hoc", code="ADHOC", status=status, **{"details-TOTAL_FORMS": "1"}, **row).url
    assert ("charging is free by this tariff" in root.get(address).content.decode()) == is_told


def test_a_number_may_have_a_decimal_comma_and_is_shown_as_the_reader_writes_it(root):
    tariff = make_published()
    assert submit(root, page(tariff), **{"details-0-energy_price": "0,59"}).status_code == 302
    assert tariff.details.get().energy_price == Decimal("0.59")
    shown = root.get(page(tariff), headers={"Accept-Language": "de"}).content.decode()
    assert 'type="text" name="details-0-energy_price" value="0,59"' in shown
    for wrong in ("1.000,50", "0,5,9", "zehn"):
        assert submit(root, page(tariff), **{"details-0-energy_price": wrong}).status_code == 200
