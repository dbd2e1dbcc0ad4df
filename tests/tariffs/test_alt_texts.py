from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tariffs.choices import Recurrence
from tariffs.models import RoamingTariff, TariffText
from tariffs.pricing import DayOfWeek, Detail, DetailPrice, RetailTerms, emit_elements
from tariffs.services import alt_texts
from tariffs.services.alt_texts import MAX_LENGTH, WORDINGS
from tariffs.services.details import net_price
from tests.tariffs.factories import TariffFactory
from tests.tariffs.golden_texts import BLOCKED, DETAILS, GOLDEN

VAT = Decimal(20)


def price(net, vat=VAT, step=1):
    return DetailPrice(Decimal(net), vat, step)


def written(language, *details, past=None, for_terminals=True, **fields):
    tariff = RoamingTariff(**fields)
    return alt_texts.generate(tariff, details, WORDINGS[language], for_terminals=for_terminals, past=past)


def english(*details, **fields):
    return written("en", *details, **fields)


BASE = Detail(1, energy=price("0.4"))


@pytest.mark.parametrize("language", alt_texts.LANGUAGES)
@pytest.mark.parametrize("tariff", DETAILS)
def test_text_is_the_one_that_was_proof_read(tariff, language):
    blocked = BLOCKED if tariff == "one price" else None
    assert written(language, *DETAILS[tariff], preauthorisation=blocked) == GOLDEN[tariff][language]


def test_all_prices_are_named():
    detail = Detail(
        1,
        energy=price("0.4"),
        charge_time=price("1.25"),
        park_time=price("5"),
        flat=price("0.5"),
        reservation_time=price("3"),
    )
    assert english(detail) == (
        "€0.48 per kWh, €0.025 per minute of charging, €0.10 per minute connected without charging, "
        "€0.60 start fee, €0.06 per minute reserved. Prices include VAT (20%)."
    )


def test_time_is_per_hour_where_a_minute_has_no_exact_price():
    assert "€5.90 per hour of charging" in english(Detail(1, charge_time=price("4.9167")))


def test_time_has_one_unit_in_the_whole_text():
    night = Detail(2, priority=1, weekdays=(DayOfWeek.MONDAY,), park_time=price("5"))
    assert "€6.00 per hour connected" in english(Detail(1, park_time=price("4.9167")), night)


@pytest.mark.parametrize(
    ("net", "vat", "gross"),
    [
        ("0.4125", "20", "0.495"),
        ("0.4050", "21", "0.49"),  # 0.49005; the next net price is 0.000121 away
        ("0.4051", "21", "0.4902"),
        ("0.4084", "20", "0.4901"),
        ("0.3999", "0", "0.3999"),
        ("0.0001", "20", "0.0001"),
        ("1.0000", "0", "1.00"),
        ("833.3333", "20", "1000.00"),
    ],
)
def test_gross_price_shows_the_decimals_that_the_published_price_can_have(net, vat, gross):
    assert english(Detail(1, energy=price(net, Decimal(vat)))).startswith(f"€{gross} per kWh")


@pytest.mark.parametrize("vat", [0, 7, 19, 20, 21, 22, 25])
def test_price_that_was_entered_is_the_price_that_is_read(vat):
    for cents in range(1, 200):
        entered = Decimal(cents) / 100
        net = net_price(entered, Decimal(vat), is_gross=True)
        assert english(Detail(1, energy=price(net, Decimal(vat)))).startswith(f"€{entered:.2f} per kWh")


def test_no_vat_is_not_claimed():
    assert english(Detail(1, energy=price("0.4", None))) == "€0.40 per kWh."


def test_a_price_without_vat_beside_one_with_vat_is_told():
    assert english(Detail(1, energy=price("0.4"), flat=price("1", None))).endswith("Prices include VAT (0%, 20%).")


@pytest.mark.parametrize(
    ("hours", "words"),
    [
        ({"start": datetime(2026, 5, 1, 8), "stop": datetime(2026, 5, 31, 20, 30)}, "Daily 08:00–20:30 from 1 May"),
        ({"start": datetime(2026, 5, 1, 8)}, "Daily 08:00–24:00 from 1 May 2026: "),
        ({"stop": datetime(2026, 5, 2, 6)}, "Daily 00:00–06:00 until 2 May 2026 inclusive: "),
        ({"start": datetime(2026, 5, 1), "stop": datetime(2026, 5, 2)}, "On 1 May 2026: "),
        ({"stop": datetime(2026, 5, 2)}, "Until 1 May 2026 inclusive: "),
        ({"start": datetime(2026, 5, 1)}, "From 1 May 2026: "),
        ({"start": datetime(2026, 5, 1, 8), "stop": datetime(2026, 5, 1, 9)}, "08:00–09:00 on 1 May 2026: "),
        (
            {"start": datetime(2026, 5, 1, 8), "stop": datetime(2026, 5, 3, 8)},
            "From 08:00 on 1 May 2026 to 08:00 on 3 May 2026: ",
        ),
        (
            {"recurrence": Recurrence.ONE_TIME, "start": datetime(2026, 5, 1, 8), "stop": datetime(2026, 5, 4)},
            "From 08:00 on 1 May 2026 to 24:00 on 3 May 2026: ",
        ),
        (
            {"recurrence": Recurrence.ONE_TIME, "start": datetime(2026, 5, 1, 18), "stop": datetime(2026, 5, 2)},
            "On 1 May 2026 18:00–24:00: ",
        ),
        ({"recurrence": Recurrence.ONE_TIME, "start": datetime(2026, 5, 1, 8)}, "From 08:00 on 1 May 2026: "),
        ({"recurrence": Recurrence.ONE_TIME, "stop": datetime(2026, 5, 1, 8)}, "Until 08:00 on 1 May 2026: "),
        ({"weekdays": (DayOfWeek.SUNDAY, DayOfWeek.MONDAY)}, "Mon, Sun: "),
        ({"weekdays": (*tuple(DayOfWeek)[:4], DayOfWeek.SATURDAY)}, "Mon–Thu, Sat: "),
        (
            {"weekdays": (DayOfWeek.FRIDAY,), "start": datetime(2026, 5, 1, 8), "stop": datetime(2026, 6, 1, 8)},
            "Fri 08:00–08:00 the next day from 1 May 2026 to 31 May 2026 inclusive: ",
        ),
    ],
)
def test_hours_are_said_as_they_apply(hours, words):
    text = english(BASE, Detail(2, priority=1, energy=price("0.2"), **hours))
    assert text.startswith(words)
    assert "Otherwise: €0.48 per kWh" in text


def test_time_that_no_detail_covers_is_free():
    assert english(Detail(1, energy=price("0.4"), weekdays=(DayOfWeek.MONDAY,))) == (
        "Mon: €0.48 per kWh. Otherwise: free. Prices include VAT (20%)."
    )


def test_details_that_cover_the_week_together_leave_no_free_time():
    week, weekend = tuple(DayOfWeek)[:5], tuple(DayOfWeek)[5:]
    text = english(Detail(1, weekdays=week, energy=price("0.4")), Detail(2, weekdays=weekend, energy=price("0.2")))
    assert text == "Mon–Fri: €0.48 per kWh. Sat, Sun: €0.24 per kWh. Prices include VAT (20%)."


def test_details_of_one_price_are_named_together():
    night = Detail(2, priority=2, energy=price("0.2"), weekdays=(DayOfWeek.MONDAY,))
    once = Detail(3, priority=1, recurrence=Recurrence.ONE_TIME, start=datetime(2026, 5, 1), energy=price("0.2"))
    assert english(BASE, once, night).startswith("Mon and from 1 May 2026: €0.24 per kWh. Otherwise: €0.48")


def test_a_detail_that_can_never_win_is_not_named():
    assert "0.12" not in english(BASE, Detail(2, priority=-1, energy=price("0.1")))


def test_what_is_over_and_what_has_begun_is_not_said_any_more():
    over = Detail(2, priority=2, stop=datetime(2026, 5, 1), energy=price("0.1"))
    begun = Detail(3, priority=1, start=datetime(2026, 1, 1, 22), stop=datetime(2027, 1, 1, 6), energy=price("0.2"))
    assert english(BASE, over, begun, past=datetime(2026, 5, 1)).startswith(
        "Daily 22:00–06:00 until 31 Dec 2026 inclusive: €0.24 per kWh. Otherwise"
    )


def test_start_fee_of_the_start_is_explained_where_it_varies():
    night = Detail(2, priority=1, weekdays=(DayOfWeek.MONDAY,), energy=price("0.2"))
    text = english(Detail(1, energy=price("0.4"), flat=price("0.5")), night)
    assert "Otherwise: €0.48 per kWh, €0.60 start fee. The start fee is the one that applies when charging" in text


def test_what_wins_is_said_where_hours_overlap():
    monday = Detail(2, priority=1, weekdays=(DayOfWeek.MONDAY,), energy=price("0.2"))
    night = Detail(3, priority=2, start=datetime(2026, 1, 1, 22), stop=datetime(2027, 1, 1, 6), energy=price("0.1"))
    tuesday = Detail(4, priority=3, weekdays=(DayOfWeek.TUESDAY,), energy=price("0.3"))
    rule = "Where times overlap, the price named first applies"
    assert rule in english(BASE, monday, night)
    assert rule not in english(BASE, monday, tuesday)
    next_year = {"start": datetime(2027, 1, 1, 22), "stop": datetime(2028, 1, 1, 6)}
    assert rule not in english(BASE, night, Detail(5, priority=4, energy=price("0.3"), **next_year))


def test_a_free_hour_with_the_common_start_fee_is_not_called_free():
    night = Detail(2, priority=1, weekdays=(DayOfWeek.MONDAY,), flat=price("0.5"))
    text = english(Detail(1, energy=price("0.4"), flat=price("0.5")), night)
    assert text.startswith("Mon: €0.60 start fee. Otherwise: €0.48 per kWh, €0.60 start fee.")


def test_limits_are_named():
    text = english(BASE, min_price=Decimal("1.5"), max_price=Decimal(60))
    assert text == "€0.48 per kWh. At least €1.50 per session. At most €60.00 per session. Prices include VAT (20%)."


RETAIL_TEXTS = {
    "en": (
        "€0.60 per kWh. Plus a service fee of €0.35 per session. Billed in full units of 0.5 kWh. "
        "At least €1.60 per session, service fee included. Prices include VAT (10%, 20%)."
    ),
    "de": (
        "0,60 € pro kWh. Zuzüglich 0,35 € Servicegebühr pro Ladevorgang. Abgerechnet in vollen Einheiten von 0,5 kWh. "
        "Mindestens 1,60 € pro Ladevorgang einschließlich Servicegebühr. Preise inkl. MwSt. (10 %, 20 %)."
    ),
    "fr": (
        "0,60 € par kWh. Plus 0,35 € de frais de service par session. Facturation par unités entières de 0,5 kWh. "
        "Au moins 1,60 € par session, frais de service compris. Prix TTC (TVA 10 %, 20 %)."
    ),
    "nl": (
        "€ 0,60 per kWh. Plus € 0,35 servicekosten per sessie. Afgerekend in hele eenheden van 0,5 kWh. "
        "Minimaal € 1,60 per sessie, inclusief servicekosten. Prijzen inclusief btw (10%, 20%)."
    ),
    "sl": (
        "0,60 € na kWh. Poleg tega 0,35 € stroškov storitve na polnjenje. Obračun v celih enotah po 0,5 kWh. "
        "Najmanj 1,60 € na polnjenje, vključno s stroški storitve. Cene vključujejo DDV (10 %, 20 %)."
    ),
}


@pytest.mark.parametrize("language", alt_texts.LANGUAGES)
def test_a_partners_fee_stands_with_the_prices_and_the_minimum_says_that_it_is_in_it(language):
    detail = Detail(1, energy=price("0.4", step=500))
    terms = RetailTerms(Decimal("1.25"), Decimal("0.35"), Decimal(10))
    text = alt_texts.generate(RoamingTariff(min_price=Decimal(1)), [detail], WORDINGS[language], terms=terms)
    assert text == RETAIL_TEXTS[language]


def test_nothing_is_blocked_on_cards_of_other_partners():
    limits = {"preauthorisation": Decimal(40), "max_price": Decimal(60)}
    assert "€40.00 is blocked" in english(BASE, **limits) and "60.00" not in english(BASE, **limits)
    roaming = english(BASE, for_terminals=False, **limits)
    assert "blocked" not in roaming and "At most €60.00" in roaming


def test_rounding_up_is_named():
    detail = Detail(1, energy=price("0.4", step=100), charge_time=price("5", step=900), park_time=price("5", step=900))
    assert "Billed in full units of 0.1 kWh / 15 min" in english(detail)
    assert "0,1 kWh / 15 min" in written("de", detail)
    assert "units" not in english(Detail(1, energy=price("0.4"), charge_time=price("0", step=900)))


def test_other_currencies_are_named_by_their_code():
    assert english(BASE, currency="CHF").startswith("CHF 0.48 per kWh")
    assert written("de", BASE, currency="CHF").startswith("0,48 CHF pro kWh")
    assert english(Detail(1, energy=price("50")), currency="JPY").startswith("JPY 60 per kWh")


@pytest.mark.django_db
def test_text_of_staff_replaces_the_generated_one_and_adds_languages():
    tariff = TariffFactory()
    TariffText.objects.create(tariff=tariff, language="de", text="Eigener Text")
    TariffText.objects.create(tariff=tariff, language="hr", text="Tekst")
    texts = alt_texts.texts(tariff, [Detail(1)], ["it", "en", "de"])
    assert [text["language"] for text in texts] == ["en", "de", "hr"]
    assert [text["text"] for text in texts][1:] == ["Eigener Text", "Tekst"]
    assert texts[0]["text"].startswith("Charging is free")


def expensive(number, amount="1000.4123", **hours):
    prices = {name: price(amount, step=901) for name in ("energy", "charge_time", "park_time")}
    prices |= {"flat": price(amount), "reservation_time": price(amount)}
    return Detail(number, priority=number, start=datetime(2026, 5, number, number), **hours, **prices)


@pytest.mark.parametrize("language", alt_texts.LANGUAGES)
@pytest.mark.parametrize("count", [1, 5, 20])
@pytest.mark.parametrize("amount", ["1000.4123", "999999.9999"])
def test_longest_text_fits_ocpi(language, count, amount):
    details = [expensive(number, amount) for number in range(1, count + 1)]
    fields = {"currency": "CHF", "min_price": Decimal("1000"), "preauthorisation": Decimal(amount)}
    assert 100 < len(written(language, *details, **fields)) <= MAX_LENGTH


def test_what_does_not_fit_is_told_as_ranges_and_where_to_find_it():
    hours = [
        Detail(
            number,
            priority=number,
            energy=price(f"0.{10 + number}"),
            start=datetime(2026, 1, 1, number),
            stop=datetime(2027, 1, 1, number, 30),
        )
        for number in range(1, 12)
    ]
    assert english(BASE, *hours, preauthorisation=Decimal(50)) == (
        "€0.132 to €0.48 per kWh. The price depends on the time. The full price list is at the charger and on our "
        "website. €50.00 is blocked on your card; charging stops before the cost exceeds it. "
        "Prices include VAT (20%)."
    )


def test_price_of_energy_alone_is_for_lists():
    night = Detail(2, priority=1, weekdays=(DayOfWeek.MONDAY,), energy=price("0.2"), flat=price("1"))
    assert alt_texts.energy_price("EUR", [BASE]) == "€0.48 per kWh"
    assert alt_texts.energy_price("EUR", [night, BASE]) == "€0.24 to €0.48 per kWh"
    assert alt_texts.energy_price("EUR", [Detail(1, flat=price("1"))]) == ""


FIRST_DAY = date(2026, 5, 1)
moments = st.builds(
    lambda day, hour: datetime.combine(FIRST_DAY, datetime.min.time()) + timedelta(days=day, hours=hour),
    st.integers(0, 9),
    st.sampled_from([0, 6, 8, 22]),
)


@st.composite
def random_details(draw):
    number = draw(st.integers(1, 99))
    start, stop = sorted([draw(moments), draw(moments)])
    recurrence = draw(st.sampled_from(Recurrence))
    if start == stop:
        stop += timedelta(days=1)
    days = draw(st.sets(st.sampled_from(DayOfWeek), max_size=4)) if recurrence == Recurrence.DAILY else ()
    return Detail(
        number,
        priority=number,
        recurrence=recurrence,
        start=draw(st.sampled_from([start, None])),
        stop=draw(st.sampled_from([stop, None])),
        weekdays=tuple(days),
        energy=DetailPrice(Decimal(number)),
    )


def applies(frame, at):
    """What the words of a time frame mean to a reader."""
    if not hasattr(frame, "opens"):
        return (frame.start is None or frame.start <= at) and (frame.stop is None or at < frame.stop)
    for day in (at.date(), at.date() - timedelta(days=1)):
        opens = datetime.combine(day, frame.opens)
        closes = datetime.combine(day + timedelta(days=frame.closes <= frame.opens), frame.closes)
        is_in_range = (frame.first is None or frame.first <= day) and (frame.last is None or day <= frame.last)
        if opens <= at < closes and day.weekday() in frame.weekdays and is_in_range:
            return True
    return False


def published_price(elements, at):
    """Of the first published element that matches at that local time."""
    for element in elements:
        limits = element.restrictions
        if limits is None or (
            (limits.start_date is None or limits.start_date <= at.date())
            and (limits.end_date is None or at.date() < limits.end_date)
            and (limits.start_time is None or limits.start_time <= at.time())
            and (limits.end_time is None or at.time() < limits.end_time)
            and (not limits.day_of_week or list(DayOfWeek)[at.weekday()] in limits.day_of_week)
        ):
            return element.energy.price
    raise AssertionError("the last element has no restrictions")


# All hours at which something can begin or end, and one in between each.
INSTANTS = [
    datetime.combine(FIRST_DAY, datetime.min.time()) + timedelta(days=day, hours=hour)
    for day in range(-1, 14)
    for hour in (0, 3, 6, 7, 8, 12, 22, 23)
]


@given(st.lists(random_details(), max_size=3, unique_by=lambda detail: detail.priority), st.sampled_from(INSTANTS))
def test_what_is_said_is_what_is_published(details, past):
    offers = alt_texts._offers(alt_texts._reachable(details, past), past, Decimal(1))
    elements = emit_elements(details)
    for at in INSTANTS[INSTANTS.index(past) :]:
        told = next(offer for offer in offers if not offer.frames or any(applies(frame, at) for frame in offer.frames))
        assert told.amounts.energy == published_price(elements, at)
