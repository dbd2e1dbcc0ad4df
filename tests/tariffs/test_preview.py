"""What the form of a tariff says before it is saved: nothing of it stays."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.contrib.messages import get_messages
from django.urls import reverse
from django.utils import timezone

from tariffs.models import RoamingTariff, TariffDetail, TariffText, TariffVersion
from tests.infrastructure.factories import SiteFactory, events, make_superuser
from tests.tariffs.factories import DetailFactory, make_published
from tests.tariffs.test_admin import ADD, detail_row, page, submit

pytestmark = pytest.mark.django_db


@pytest.fixture
def root(client):
    SiteFactory(time_zone="Europe/Vienna")
    client.force_login(make_superuser())
    return client


def look(client, address, **changes):
    return submit(client, address, _preview="1", **changes)


def prices(answer):
    return [(row.now, row.then) for row in answer.context["preview"].rows]


def warnings(answer):
    return " ".join(answer.context["preview"].warnings)


def test_a_look_before_saving_writes_nothing(root):
    tariff = make_published(preauthorisation=Decimal(50))
    events()
    answer = look(root, page(tariff), name="Other", **{"details-0-energy_price": "0.5"})
    assert answer.status_code == 200 and "Nothing is saved yet" in answer.content.decode()
    tariff.refresh_from_db()
    assert tariff.name != "Other" and tariff.details.get().energy_price == Decimal("0.4")
    assert TariffVersion.objects.count() == 1 and events() == [] and not list(get_messages(answer.wsgi_request))


def test_a_new_tariff_is_looked_at_before_it_exists(root):
    row = detail_row(energy_price="0.49")
    answer = look(root, ADD, name="Ad hoc", code="ADHOC", status="ACTIVE", **{"details-TOTAL_FORMS": "1"}, **row)
    assert prices(answer)[:2] == [("", "€0.49"), ("", "€9.80")]
    assert "€0.49 per kWh" in answer.content.decode()
    assert "Nothing is blocked on cards" in answer.context["preview"].blocked
    assert not RoamingTariff.objects.exists() and not TariffDetail.objects.exists()


def test_each_example_is_priced_as_it_is_now_and_as_it_would_be(root):
    tariff = make_published(preauthorisation=Decimal(20))
    parked = {"details-0-park_time_price": "1", "details-0-park_time_vat": "20"}
    answer = look(root, page(tariff), **{"details-0-energy_price": "0.5"}, **parked)
    # 0.40 and 0.50 net, 20 % VAT; 6 h and 4 h parked at 1.20; never more than what is blocked.
    assert prices(answer) == [
        ("€0.48", "€0.60"),
        ("€9.60", "€12.00"),
        ("€9.60", "€19.20"),
        ("€19.20", "€20.00"),
        ("€9.60", "€12.00"),
    ]
    assert answer.context["preview"].rows[3].remark == "charging stops at this amount"
    assert "€20.00 is blocked on the card: enough for 33 kWh" in answer.context["preview"].blocked


def test_what_terminals_show_stands_beside_what_they_show_now(root):
    answer = look(root, page(make_published()), **{"details-0-energy_price": "0.5"})
    english = next(text for text in answer.context["preview"].texts if text.language == "en")
    assert english.then.startswith("€0.60 per kWh") and english.now.startswith("€0.48 per kWh")


def test_a_slipped_decimal_point_is_asked_about(root):
    answer = look(root, page(make_published()), **{"details-0-energy_price": "4"})
    assert "€4.80 instead of €0.48. Is the decimal point right?" in warnings(answer)
    assert "decimal point" not in warnings(look(root, page(make_published()), **{"details-0-energy_price": "0.5"}))


def test_moving_the_validity_of_a_tariff_in_use_is_warned_of(root):
    tariff = make_published()
    later = {"valid_from_0": f"{timezone.now() + timedelta(days=5):%Y-%m-%d}", "valid_from_1": "00:00"}
    assert "this tariff would apply no more" in warnings(look(root, page(tariff), **later))
    assert "apply no more" not in warnings(look(root, page(tariff)))


def test_free_hours_missing_vat_and_own_texts_are_warned_of(root):
    tariff = make_published()
    tariff.details.update(
        start=datetime(2026, 1, 1, 6, tzinfo=UTC), stop=datetime(2099, 1, 1, 22, tzinfo=UTC), flat_price=Decimal(1)
    )
    DetailFactory(tariff=tariff, priority=5, weekdays=["SUNDAY"])
    TariffText.objects.create(tariff=tariff, language="de", text="0,30 €")
    said = warnings(look(root, page(tariff)))
    assert "48 hours of a week are free" in said
    assert "Some prices have a VAT rate and others have none" in said
    assert "In de drivers read what you wrote yourself" in said


def test_an_inactive_tariff_says_that_partners_lose_it(root):
    answer = look(root, page(make_published()), status="INACTIVE")
    assert "partners no longer get it" in answer.context["preview"].effect


def test_a_form_with_errors_comes_back_with_them(root):
    answer = look(root, page(make_published()), preauthorisation="0")
    assert "an amount that a card can pay" in answer.content.decode()


def test_a_validity_from_the_end_of_all_dates_is_looked_at_like_any_other(root):
    last = {"valid_from_0": "9999-12-31", "valid_from_1": "00:00"}
    assert "applies from" in look(root, page(make_published()), **last).context["preview"].effect


def test_no_tariff_of_that_name_is_no_error_of_the_server(root):
    address = reverse("admin:tariffs_roamingtariff_change", args=["abc"])
    assert root.post(address, {"_preview": "1"}).status_code == 302
