"""The week view on a tariff's page, and its calculator."""

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse
from django.utils import timezone

from tariffs.choices import Recurrence, TariffStatus
from tariffs.models import TariffVersion
from tariffs.pages import week_view
from tests.infrastructure.factories import LocationFactory, SiteFactory, make_staff, make_superuser
from tests.tariffs.factories import DetailFactory, TariffFactory

pytestmark = pytest.mark.django_db

VIENNA = ZoneInfo("Europe/Vienna")


@pytest.fixture
def root(client):
    SiteFactory(time_zone="Europe/Vienna")
    client.force_login(make_superuser())
    return client


@pytest.fixture
def tariff():
    """€0.48 by day, €0.36 at night, free from 02:30 to 06:00; and €0.24 on one weekend."""
    tariff = TariffFactory(prices_include_vat=True)
    day = {"start": datetime(2026, 1, 1, 6, tzinfo=UTC), "stop": datetime(2036, 1, 1, 22, tzinfo=UTC)}
    night = {"start": datetime(2026, 1, 1, 22, tzinfo=UTC), "stop": datetime(2036, 1, 1, 2, 30, tzinfo=UTC)}
    once = {"start": datetime(2026, 8, 1, tzinfo=UTC), "stop": datetime(2026, 8, 3, tzinfo=UTC)}
    DetailFactory(tariff=tariff, **day, energy_price=Decimal("0.48"))
    DetailFactory(tariff=tariff, **night, priority=10, energy_price=Decimal("0.36"))
    DetailFactory(tariff=tariff, **once, priority=20, recurrence=Recurrence.ONE_TIME, energy_price=Decimal("0.24"))
    return tariff


def page(tariff, **query):
    return reverse("admin:tariffs_roamingtariff_change", args=[tariff.pk], query=query)


def calculator(tariff, **query):
    return reverse("admin:tariffs_roamingtariff_calculator", args=[tariff.pk], query=query)


def session(**changes):
    usual = {"start": "2026-06-10T21:00", "zone": "Europe/Vienna", "charging": 120, "kwh": "20", "parked": 0}
    return {**usual, "paid": "terminal", **changes}


def blocks(response, weekday):
    column = response.context["week"].picture.columns[weekday]
    return [(block.period, block.entry.letter, block.entry.prices) for block in column.blocks]


def test_page_draws_the_present_week(root, tariff):
    shown = root.get(page(tariff))
    picture = shown.context["week"].picture
    assert picture.monday <= timezone.now().astimezone(VIENNA).date() <= picture.sunday
    assert [column.is_today for column in picture.columns].count(True) == 1
    assert 0 <= picture.now <= picture.height
    html = shown.content.decode()
    assert '<svg class="pt-week' in html and html.index("pt-week text") < html.index('name="details-0-priority"')


def test_each_day_is_coloured_by_the_winner_with_its_gross_price(root, tariff):
    shown = root.get(page(tariff, week="2026-06-10"))
    expected = [
        ("00:00 to 02:30", "B", "€0.36 per kWh"),
        ("02:30 to 06:00", "", "free"),
        ("06:00 to 22:00", "C", "€0.48 per kWh"),
        ("22:00 to 24:00", "B", "€0.36 per kWh"),
    ]
    assert all(blocks(shown, weekday) == expected for weekday in range(7))
    html = shown.content.decode()
    assert html.count("url(#week-free)") == 14  # one gap a day, twice named
    assert "<dd>06:00 to 22:00: C, €0.48 per kWh</dd>" in html
    assert "<title>Wednesday 10 Jun, 06:00 to 22:00: C, €0.48 per kWh</title>" in html


def test_blocks_fill_each_day_to_scale(root, tariff):
    picture = root.get(page(tariff, week="2026-06-10")).context["week"].picture
    for column in picture.columns:
        assert sum(block.height for block in column.blocks) == picture.height
    night, gap, *_ = picture.columns[0].blocks
    assert (night.top, gap.top) == (0, night.height)
    assert gap.height / night.height == 3.5 / 2.5


def test_legend_leads_to_the_week_of_a_one_time_detail(root, tariff):
    shown = root.get(page(tariff, week="2026-06-10"))
    entry = shown.context["week"].picture.legend[0]
    assert (entry.letter, entry.remark) == ("A", "begins on 01 Aug 2026")
    assert 'href="?week=2026-08-01#week"' in shown.content.decode()
    then = root.get(page(tariff, week=entry.week))
    assert blocks(then, 5) == [("00:00 to 24:00", "A", "€0.24 per kWh")]
    assert then.context["week"].picture.legend[0].remark == "48 h this week"
    later = root.get(page(tariff, week="2026-09-01")).context["week"].picture.legend[0]
    assert later.remark == "ended on 03 Aug 2026"


def test_previous_and_next_week_are_a_link_away(root, tariff):
    week = root.get(page(tariff, week="2026-06-10", zone="Europe/Vienna")).context["week"]
    assert week.previous == "?week=2026-06-01&zone=Europe%2FVienna#week"
    assert week.following == "?week=2026-06-15&zone=Europe%2FVienna#week"


def test_spring_night_shows_the_skipped_hour(root, tariff):
    shown = root.get(page(tariff, week="2026-03-29"))
    sunday = shown.context["week"].picture.columns[6]
    assert (sunday.length, sunday.skipped) == ("23 h", ((34.0, 17.0),))
    assert [block[0] for block in blocks(shown, 6)][:2] == ["00:00 to 02:00", "03:00 to 06:00"]
    assert "Sunday 29 March has 23 hours: the clocks skip 02:00 to 03:00." in shown.content.decode()


def test_autumn_night_shows_the_repeated_hour_side_by_side(root, tariff):
    shown = root.get(page(tariff, week="2026-10-25"))
    sunday = shown.context["week"].picture.columns[6]
    halves = [(block.period, block.entry.letter, block.left, block.width) for block in sunday.blocks[1:5]]
    assert halves == [
        ("02:00 to 02:30, first time", "B", 0, 50),
        ("02:30 to 03:00, first time", "", 0, 50),
        ("02:00 to 02:30, second time", "B", 50, 50),
        ("02:30 to 03:00, second time", "", 50, 50),
    ]
    assert sunday.length == "25 h"
    assert "02:00 to 03:00 comes twice" in shown.content.decode()


@pytest.mark.parametrize("week", ["", "nonsense", "2026-13-40", "0001-01-01", "9999-12-31"])
def test_impossible_week_is_the_present_one(root, tariff, week):
    picture = root.get(page(tariff, week=week)).context["week"].picture
    assert picture.monday == picture.this_monday


def test_week_is_read_in_the_zone_of_an_area(root, tariff):
    LocationFactory(time_zone="Europe/Lisbon")
    week = root.get(page(tariff, week="2026-10-25")).context["week"]
    assert week.picture.zone == "Europe/Vienna"
    assert week.other_zones == (("Europe/Lisbon", "?week=2026-10-25&zone=Europe%2FLisbon#week"),)
    lisbon = root.get(page(tariff, week="2026-10-25", zone="Europe/Lisbon"))
    assert lisbon.context["week"].picture.columns[6].remark.startswith("Sunday 25 October has 25 hours: 01:00 to 02:00")
    unknown = root.get(page(tariff, zone="Mars/Olympus")).context["week"].picture
    assert unknown.zone == "Europe/Vienna"


def test_validity_is_told_beside_the_picture(root, tariff):
    assert root.get(page(tariff)).context["week"].validity == ""
    tariff.valid_from = datetime(2026, 6, 30, 22, tzinfo=UTC)
    tariff.save()
    expected = "Sessions begin with this tariff only from 01 Jul 2026 00:00."
    assert expected in root.get(page(tariff)).content.decode()


def test_picture_is_valid_in_every_language(root, tariff):
    html = root.get(page(tariff, week="2026-06-10"), headers={"accept-language": "de"}).content.decode()
    svg = html[html.index('<svg class="pt-week') : html.index("</svg>\n", html.index('<svg class="pt-week'))]
    assert 'y="42.5"' in svg and "42,5" not in svg


def test_tariff_without_details_says_so(root):
    html = root.get(page(TariffFactory(status=TariffStatus.DRAFT))).content.decode()
    assert "No detail yet" in html and "<svg class=" not in html
    assert root.get(reverse("admin:tariffs_roamingtariff_add")).status_code == 200


def test_refused_form_still_shows_the_week_as_saved(root, tariff):
    answer = root.post(page(tariff, week="2026-06-10"), {"name": ""})
    assert answer.status_code == 200
    assert answer.context["week"].picture.monday.isoformat() == "2026-06-08"


def test_week_costs_a_constant_number_of_queries(root, tariff, django_assert_num_queries):
    request = root.get(page(tariff)).wsgi_request
    for number in range(30, 35):
        DetailFactory(tariff=tariff, priority=number)
        LocationFactory(time_zone="Europe/Lisbon")
    with django_assert_num_queries(3):  # the site, the areas' zones, the details
        assert len(week_view(tariff, request).picture.legend) == 8


def test_calculator_itemises(root, tariff):
    shown = root.get(calculator(tariff, **session(parked=30)))
    sheet = shown.context["sheet"]
    assert (sheet.total, sheet.net) == ("€8.40", "€7.00")
    assert [(line.component, line.quantity, line.unit_price) for line in sheet.lines] == [
        ("Energy", "10 kWh", "€0.48 per kWh"),
        ("Energy", "10 kWh", "€0.36 per kWh"),
    ]
    assert [(row.letter, row.quantity, row.gross) for row in sheet.periods] == [
        ("C", "10 kWh, 1 h charging", "€4.80"),
        ("B", "10 kWh, 1 h charging", "€3.60"),
        ("B", "30 min parked", "€0.00"),
    ]
    assert [(row.rate, row.net, row.vat, row.gross) for row in sheet.vat_rows] == [("20 %", "€7.00", "€1.40", "€8.40")]
    assert "€8.40" in shown.content.decode()


def test_calculator_begins_with_an_example(root, tariff):
    assert root.get(calculator(tariff)).context["sheet"].total


def test_calculator_shows_both_hours_of_the_autumn_night(root, tariff):
    sheet = root.get(calculator(tariff, **session(start="2026-10-25T02:00"))).context["sheet"]
    assert [row.period for row in sheet.periods][:2] == [
        "Sun 25 Oct 02:00 CEST to Sun 25 Oct 02:30 CEST",
        "Sun 25 Oct 02:30 CEST to Sun 25 Oct 02:00 CET",
    ]
    assert any("the first of the two is meant" in remark for remark in sheet.remarks)


def test_calculator_tells_what_a_terminal_blocks(root, tariff):
    stopped = root.get(calculator(tariff, **session(kwh="500"))).context["sheet"]
    assert stopped.total == "€50.00" and "stops charging before the cost exceeds €50.00" in stopped.remarks[0]
    app = root.get(calculator(tariff, **session(kwh="500", paid="app"))).context["sheet"]
    assert app.total == "€210.00" and app.remarks == ()


def test_calculator_tells_of_limits_and_validity(root, tariff):
    tariff.min_price, tariff.max_price = Decimal(3), Decimal(60)
    tariff.valid_from = datetime(2026, 7, 1, tzinfo=UTC)
    tariff.save()
    raised = root.get(calculator(tariff, **session(kwh="1"))).context["sheet"]
    assert raised.total == "€3.00" and "minimum price" in raised.remarks[0] and "not valid" in raised.remarks[1]
    lowered = root.get(calculator(tariff, **session(kwh="900", paid="app"))).context["sheet"]
    assert lowered.total == "€60.00" and "maximum price of €60.00" in lowered.remarks[0]


def test_calculator_explains_a_bill_that_falls(root, tariff):
    """Charging 50 minutes is rounded up to an hour until parking begins, which then takes the rounding over."""
    tariff.details.update(charge_time_price=Decimal(3), park_time_price=Decimal(6), time_step_size=3600)
    sheet = root.get(calculator(tariff, **session(start="2026-06-10T10:00", charging=50, parked=0))).context["sheet"]
    assert (sheet.periods[0].gross, sheet.remarks) == ("€12.60", ())
    tariff.details.update(park_time_price=Decimal("0.0001"))
    sheet = root.get(calculator(tariff, **session(start="2026-06-10T10:00", charging=50, parked=1))).context["sheet"]
    assert sheet.periods[1].gross == "−€0.50" and "the bill falls" in sheet.remarks[0]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"kwh": "-1"}, "kwh"),
        ({"charging": 0}, "charging"),
        ({"parked": 99999}, "parked"),
        ({"start": "tomorrow"}, "start"),
        ({"start": "2026-03-29T02:30"}, "start"),
        ({"start": "9999-12-31T23:30"}, "start"),
        ({"start": "0001-01-01T00:00"}, "start"),
        ({"zone": "Mars/Olympus"}, "zone"),
    ],
)
def test_calculator_refuses_what_cannot_be(root, tariff, changes, field):
    shown = root.get(calculator(tariff, **session(**changes)))
    assert shown.status_code == 200 and "sheet" not in shown.context
    assert list(shown.context["form"].errors) == [field]


def test_calculator_works_for_a_draft(root, tariff):
    tariff.status = TariffStatus.DRAFT
    tariff.save()
    shown = root.get(calculator(tariff, **session()))
    assert shown.context["sheet"].total == "€8.40" and "it is not active" in shown.content.decode()
    assert not TariffVersion.objects.exists()


def test_calculator_of_a_tariff_without_details(root):
    shown = root.get(calculator(TariffFactory(status=TariffStatus.DRAFT), **session()))
    assert "sheet" not in shown.context and "at least one tariff detail" in shown.content.decode()


def test_who_may_only_look_sees_both(client, tariff):
    SiteFactory()
    viewer = make_staff("viewer")
    viewer.user_permissions.set(Permission.objects.filter(codename="view_roamingtariff"))
    client.force_login(viewer)
    shown = client.get(page(tariff))
    assert shown.context["week"].picture and calculator(tariff) in shown.content.decode()
    assert client.get(calculator(tariff)).status_code == 200


def test_who_may_not_look_sees_neither(client, tariff):
    assert client.get(calculator(tariff)).url.startswith("/admin/login/")
    user = make_staff("ada")
    user.user_permissions.clear()
    client.force_login(user)
    assert client.get(calculator(tariff)).status_code == 403
    assert client.get(page(tariff)).status_code == 403


def test_calculator_of_no_tariff_is_not_found(root):
    SiteFactory()
    assert root.get(reverse("admin:tariffs_roamingtariff_calculator", args=[999])).status_code == 404


def test_zones_are_those_of_own_areas(client, tariff):
    mine, _foreign = LocationFactory(time_zone="Europe/Lisbon"), LocationFactory(time_zone="Europe/Athens")
    client.force_login(make_staff("ada", mine.operator))
    assert [name for name, _ in client.get(page(tariff)).context["week"].other_zones] == ["Europe/Lisbon"]
    form = client.get(calculator(tariff)).context["form"]
    assert [name for name, _ in form.fields["zone"].choices] == ["Europe/Vienna", "Europe/Lisbon"]
