"""The pages that span the apps: home, search and a session's story."""

import json
import re
from datetime import timedelta
from html import unescape

import pytest
from django.urls import reverse
from django.utils import timezone

from chargers.choices import ChargerEventKind
from chargers.models import ChargerConnection, ChargingSession, MeterSample, OutgoingCall
from chargers.services import progress
from chargers.services.cdrs import credit_cdr
from chargers.services.charger_events import record_event
from chargers.services.commands import request_start
from config.desk import figures, onboarding, story
from config.desk.map import AMBER, GREEN, GREY, RED, places
from config.desk.search import search
from infrastructure.choices import EVSEStatus
from infrastructure.models import EVSE, Location
from payments.models import Invoice
from payments.services.invoices import open_invoice
from roaming.models import Message, Push
from tests.chargers.factories import charger_of, end, make_active, make_connector, make_start, meter_values
from tests.infrastructure.factories import make_staff, make_superuser
from tests.payments.factories import make_area, make_cdr, make_evse, make_operator, make_platform, make_session
from tests.roaming.factories import PlatformFactory, ProfileFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def chief():
    return make_superuser()


@pytest.fixture
def page(rf, chief):
    request = rf.get("/admin/")
    request.user = chief
    return request


# Map


@pytest.mark.parametrize(
    ("status", "is_online", "colour"),
    [
        (EVSEStatus.AVAILABLE, True, GREEN),
        (EVSEStatus.OUTOFORDER, True, RED),
        (EVSEStatus.UNKNOWN, True, GREY),
        (EVSEStatus.AVAILABLE, False, AMBER),
    ],
)
def test_an_area_has_the_colour_of_what_needs_a_look(status, is_online, colour, chief):
    make_connector(status=status, online=is_online)
    [place] = places(chief)
    assert place["colour"] == colour


def test_the_map_is_one_query_whatever_the_number_of_areas(chief, django_assert_num_queries):
    make_connector()
    make_connector()
    with django_assert_num_queries(1):
        assert len(places(chief)) == 2


# Search


@pytest.mark.parametrize("length", [3, 40])
def test_a_session_is_found_by_what_the_driver_reads_out(page, length):
    session = make_active()
    found = search(page, session.uid[:length].lower())
    assert reverse("admin:chargers_chargingsession_change", args=[session.pk]) in [one.link for one in found]


def test_a_charger_is_found_by_a_part_of_its_identity_in_any_case(page):
    charger = make_connector().evse.charger
    found = search(page, charger.identity[1:].lower())
    assert [one.title for one in found] == [charger.identity]


@pytest.mark.parametrize("told", ["at vlt e0077 1", "ATVLTE00771", "E0077", "at-vlt-e0077-1"])
def test_an_evse_is_found_by_its_id_without_its_signs_or_by_a_part_of_it(page, told):
    EVSE.objects.filter(pk=make_connector().evse_id).update(evse_id="AT*VLT*E0077*1")
    assert "AT*VLT*E0077*1" in [one.title for one in search(page, told)]


def test_a_session_is_found_by_the_end_of_its_reference(page):
    session = make_active(authorization_reference="PAY-2026-004711")
    assert [one.title for one in search(page, "4711")] == [str(session)]
    assert [one.title for one in search(page, "2026 004711")] == [str(session)]


@pytest.mark.parametrize(
    "told", ["göttlesbrunn", "GOETTLESBRUNN", "Gottlesbrunn", "motorwey gottlesbrun", "Göttlesbrunn motorway"]
)
def test_an_area_is_found_however_its_name_is_spelled(page, told):
    area = make_connector().evse.charger.location
    Location.objects.filter(pk=area.pk).update(name="Motorway rest", city="Göttlesbrunn")
    assert search(page, told)[-1].title == "Motorway rest"


def test_what_sounds_like_nothing_of_ours_is_not_found(page):
    make_connector()
    assert search(page, "Heathrow terminal five") == []


def test_what_runs_at_a_place_comes_before_the_place(page):
    session = make_active()
    evse = session.connector.evse
    for told in (evse.charger.identity, evse.evse_id, evse.charger.location.name):
        first = search(page, told)[0]
        assert first.link == reverse("admin:chargers_chargingsession_change", args=[session.pk]), told
    end(session, timezone.now(), 1000)
    assert search(page, evse.charger.identity)[0].title == evse.charger.identity


def test_a_search_that_finds_nothing_keeps_to_the_budget_of_a_page(page, django_assert_max_num_queries):
    make_active()
    with django_assert_max_num_queries(20):
        assert search(page, "nothing like it") == []


def test_one_letter_finds_nothing(page):
    make_connector()
    assert search(page, "C") == []


def test_staff_find_only_what_is_their_operators(rf):
    session = make_active()
    request = rf.get("/admin/")
    request.user = make_staff("eva")
    assert search(request, session.uid) == []
    request.user = make_staff("ida", session.connector.evse.charger.location.operator)
    assert len(search(request, session.uid)) == 1


# Figures


def billed(wh: float):
    session = make_active()
    end(session, timezone.now(), wh)
    return session.cdrs.get()


def test_today_counts_each_bill_once_and_takes_credits_off(chief):
    kept, credited = billed(10_000), billed(4_000)
    credit_cdr(credited, "wrong price")
    today = figures.today(chief)
    assert today.revenue == [(kept.total_cost_incl_vat, "EUR")]
    assert today.energy == kept.total_energy


def test_figures_are_those_of_the_own_operators(chief):
    billed(10_000)
    assert figures.today(make_staff("eva")).revenue == []
    assert figures.last_days(make_staff("ida")) == []


def test_charts_are_one_query(chief, django_assert_num_queries):
    billed(10_000)
    with django_assert_num_queries(1):
        energy, revenue = figures.last_days(chief)
    assert energy["data"]["datasets"][0]["data"][-1] == 10
    assert revenue["total"] > 0


# Story


def test_the_story_goes_from_start_to_bill(client, chief):
    session = billed(10_000).session
    client.force_login(chief)
    text = client.get(reverse("admin:chargers_chargingsession_change", args=[session.pk])).content.decode()
    story = text[text.index("From tap to invoice") :]
    parts = ["Transaction started", "Transaction ended", "CDR: 6.00 EUR"]
    places = [story.index(part) for part in parts]
    assert places == sorted(places)


def test_each_fact_stands_once_on_the_page_of_a_session(client, chief):
    cdr = billed(10_000)
    call = OutgoingCall.objects.create(
        charger_id=charger_of(cdr.session),
        session=cdr.session,
        action="START_TRANSACTION",
        state="DONE",
        result="REJECTED",
        answer={"reason": "The EVSE is broken."},
        payload={},
        expires_at=timezone.now(),
    )
    client.force_login(chief)
    text = client.get(reverse("admin:chargers_chargingsession_change", args=[cdr.session.pk])).content.decode()
    for row in (cdr, call):
        name = f"admin:chargers_{row._meta.model_name}_change"
        assert text.count(f'href="{reverse(name, args=[row.pk])}"') == 1
    assert text.count("The EVSE is broken.") == 1
    assert text.count("10.000 kWh") == 2  # of the session, and in the words of its CDR


def test_a_cdr_is_sent_again_from_the_page_of_its_session(client, chief):
    cdr = billed(10_000)
    path = f"{cdr.session.country_code}/{cdr.session.party_id}/{cdr.uid}"
    push = Push.objects.create(platform=PlatformFactory(), module="cdrs", object_id=path, state="DONE")
    client.force_login(chief)
    text = client.get(reverse("admin:chargers_chargingsession_change", args=[cdr.session.pk])).content.decode()
    assert reverse("admin:roaming_push_send_now", args=[push.pk]) in text


def test_a_heading_spells_an_id_as_it_is(client, chief):
    session = billed(10_000).session
    ChargingSession.objects.update(authorization_reference="pp-100101")
    client.force_login(chief)
    for page in ("change", "history", "credit"):
        text = client.get(reverse(f"admin:chargers_chargingsession_{page}", args=[session.pk])).content.decode()
        assert "Pp-100101" not in text and "pp-100101" in text, page


def test_a_cdr_of_one_price_has_no_empty_box_for_another(client, chief):
    client.force_login(chief)
    text = client.get(reverse("admin:chargers_cdr_change", args=[billed(10_000).pk])).content.decode()
    assert "Totals" in text and "Driver&#x27;s price" not in text


def test_the_work_list_has_one_name(client, chief):
    client.force_login(chief)
    home = client.get(reverse("admin:index")).content.decode()
    page = client.get(reverse("admin:payments_paymentissue_changelist")).content.decode()
    assert "ayment issues" not in home + page
    assert page.count("Payment work list") > 1


def measured(minutes: int):
    session = make_active()
    for minute in range(1, minutes + 1):
        at = session.started_at + timedelta(minutes=minute)
        progress.update_session(charger_of(session), meter_values(session, (at, 100 * minute, 6000)))
    return session


def test_the_story_takes_as_many_queries_for_a_long_session(client, chief, django_assert_max_num_queries):
    session = measured(30)
    client.force_login(chief)
    address = reverse("admin:chargers_chargingsession_change", args=[session.pk])
    client.get(address)  # what a process asks once in its life
    with django_assert_max_num_queries(24):
        assert "Power (kW)" in client.get(address).content.decode()


def test_what_a_partner_is_sent_again_and_again_is_one_line(page):
    session = make_active()
    platform = PlatformFactory(peer_id=session.peer_id)
    for second, method in enumerate(["PUT", *["PATCH"] * 40, "PUT"]):
        Message.objects.create(
            platform=platform,
            direction="OUT",
            method=method,
            url=f"https://ptp.example/sessions/{session.uid}",
            object_id=session.uid,
            http_status=200,
            started_at=session.started_at + timedelta(seconds=second),
            duration_ms=1,
            is_ok=True,
            request_size=1,
            response_size=1,
        )
    told = dict(story.of_session(session, page))["From tap to invoice"]
    assert (told.count("PUT "), told.count("PATCH ")) == (2, 1)
    assert "40 times" in told
    assert told.index("PUT ") < told.index("PATCH ") < told.rindex("PUT ")


def test_the_power_at_a_stop_right_after_a_sample_is_that_of_the_sample(page):
    session = measured(3)
    at = session.started_at + timedelta(minutes=3, milliseconds=10)
    MeterSample.objects.create(session=session, at=at, register_wh=310)
    power = charts_of(session, page)[0]
    assert power[-1] == power[-2] == 6


def charts_of(session, page) -> list[list[float]]:
    [charts] = [html for title, html in story.of_session(session, page) if title == "Power, energy and cost"]
    drawn = [json.loads(unescape(value)) for value in re.findall(r'data-value="([^"]*)"', charts)]
    return [chart["datasets"][0]["data"] for chart in drawn]


def test_the_charts_of_a_session_end_with_its_energy_and_its_cost(page):
    session = measured(60)
    _power, energy, cost = charts_of(session, page)
    session.refresh_from_db()
    assert energy[-1] == float(session.kwh) == 6
    assert cost[-1] == float(session.total_cost_incl_vat) > cost[1] > 0
    assert cost == sorted(cost) and len(cost) < 30


# Onboarding


def panel_of(platform, rf, user) -> str:
    request = rf.get("/admin/")
    request.user = user
    [(_title, html)] = onboarding.of_platform(platform, request)
    return html


def test_a_new_platform_begins_with_its_profile(rf, chief):
    html = panel_of(PlatformFactory(), rf, chief)
    assert "0 of 6 done. Next: <b" in html
    assert "Generate token" in html


def test_a_chosen_profile_without_operators_leads_to_that_profile(rf, chief):
    profile = ProfileFactory(operators=[])
    html = panel_of(PlatformFactory(profiles=[profile]), rf, chief)
    assert f"The profile {profile} has no operators yet" in html
    assert reverse("admin:roaming_roamingprofile_change", args=[profile.pk]) in html


def test_connectors_that_are_not_exposed_are_counted_by_reason(rf, chief):
    connector = make_connector()
    operator = connector.evse.charger.location.operator
    platform = PlatformFactory(profiles=[ProfileFactory(operators=[operator])])
    type(connector).objects.update(roaming_id="")
    html = panel_of(platform, rf, chief)
    assert "1 of 1 connectors are not exposed because" in html
    assert "they have no roaming id" in html


def test_the_way_takes_as_many_queries_for_many_connectors(rf, chief, django_assert_num_queries):
    one = make_connector()
    platform = PlatformFactory(profiles=[ProfileFactory(operators=[one.evse.charger.location.operator])])
    with django_assert_num_queries(5):
        panel_of(platform, rf, chief)


# What happens at a place


def now_at(client, chief, place) -> str:
    client.force_login(chief)
    page = reverse(f"admin:infrastructure_{place._meta.model_name}_change", args=[place.pk])
    text = client.get(page).content.decode()
    return text[text.index("desk-outlets") : text.index("</ul>", text.index("desk-outlets"))]


def places_of(evse):
    return [evse, evse.charger, evse.charger.location]


def test_a_place_says_first_what_runs_there_with_the_button_that_stops_it(client, chief):
    session = make_active()
    stop = reverse("admin:chargers_chargingsession_stop_now", args=[session.pk])
    for place in places_of(session.connector.evse):
        told = now_at(client, chief, place)
        assert "Charging" in told, place
        assert session.authorization_reference in told, place
        assert stop in told, place


def test_a_place_names_the_fault_of_an_outlet_and_the_start_that_failed_for_it(client, chief):
    evse = make_connector(status=EVSEStatus.OUTOFORDER).evse
    record_event(evse.charger_id, ChargerEventKind.FAULT, "GroundFailure", evse_number=evse.number)
    request_start(make_start(evse.connectors.get()))
    told = now_at(client, chief, evse.charger)
    assert "Out of order: the charger tells of GroundFailure" in told
    assert "failed. The EVSE is out of order." in told
    assert "do=reset" in told


def test_a_fault_that_is_over_is_not_told(client, chief):
    evse = make_connector().evse
    record_event(evse.charger_id, ChargerEventKind.FAULT, "GroundFailure", evse_number=evse.number)
    told = now_at(client, chief, evse)
    assert "Free" in told
    assert "GroundFailure" not in told


def test_a_place_whose_charger_is_gone_says_so_and_not_what_the_charger_said_last(client, chief):
    evse = make_connector(online=False).evse
    told = now_at(client, chief, evse)
    assert "Charger offline" in told
    assert "Free" not in told
    assert "Unlock" not in told


def test_a_failed_start_of_yesterday_is_not_told(client, chief):
    evse = make_connector(status=EVSEStatus.OUTOFORDER).evse
    call = request_start(make_start(evse.connectors.get()))
    ChargingSession.objects.filter(pk=call.session_id).update(created_at=timezone.now() - timedelta(days=1))
    assert "failed" not in now_at(client, chief, evse)


def test_a_failed_start_is_over_once_a_later_one_charged(client, chief):
    evse = make_connector(status=EVSEStatus.OUTOFORDER).evse
    request_start(make_start(evse.connectors.get()))
    session = make_active()
    ChargingSession.objects.filter(pk=session.pk).update(
        connector=evse.connectors.get(), status="COMPLETED", created_at=timezone.now()
    )
    assert "failed" not in now_at(client, chief, evse)


def test_the_search_names_only_lists_that_one_may_open(client, chief):
    address = reverse("find") + "?s=Alert+messages"
    client.force_login(chief)
    assert "Alert messages" in client.get(address).content.decode()
    client.force_login(make_staff("ida", make_operator()))
    assert reverse("admin:infrastructure_alertdigest_changelist") not in client.get(address).content.decode()


def test_a_session_that_came_to_nothing_says_why_first(client, chief):
    evse = make_connector(status=EVSEStatus.BLOCKED).evse
    session = request_start(make_start(evse.connectors.get())).session
    client.force_login(chief)
    text = client.get(reverse("admin:chargers_chargingsession_change", args=[session.pk])).content.decode()
    said = "The cable of the last session is still plugged in."
    assert text.index(said) < text.index("From tap to invoice")


# The box of the search


def test_a_search_that_is_asked_again_sees_what_has_changed(client, chief):
    connector = make_connector()
    client.force_login(chief)
    address, term = reverse("find"), {"s": connector.evse.charger.identity}
    assert "Active" not in client.get(address, term).content.decode()
    make_active(connector)
    assert "Active" in client.get(address, term).content.decode()


def test_a_search_without_result_says_what_can_be_looked_for(client, chief):
    client.force_login(chief)
    text = client.get(reverse("find"), {"s": "zzz<b>"}).content.decode()
    assert "Nothing found for “zzz&lt;b&gt;”" in text
    assert "last four digits of the card" in text


def test_a_charger_is_found_with_the_state_of_its_outlets(page):
    evse = make_connector(status=EVSEStatus.OUTOFORDER).evse
    [found] = search(page, evse.charger.identity)
    assert found.description.endswith(f"{evse.charger.location.name}, 1: Out of order")
    ChargerConnection.objects.update(channel_name="")
    [found] = search(page, evse.charger.identity)
    assert found.description.endswith("offline")


def test_an_invoice_is_found_by_the_end_of_the_card_while_drivers_call_about_it(page):
    platform = make_platform(make_operator())
    evse = make_evse(make_area(platform.profiles.get().operators.get()))
    paid = open_invoice(make_cdr(make_session(platform, evse)).pk)
    assert paid is not None
    Invoice.objects.update(eft_data=["Visa", "Nr: 4*** **** **** 0222", "Trace: 7952951111"])
    assert [one.title for one in search(page, "0222")] == [paid.number]
    assert search(page, "1111") == []
    Invoice.objects.update(issued_at=timezone.now() - timedelta(days=100))
    assert search(page, "0222") == []


# Home


def test_an_outlet_out_of_order_asks_for_attention_and_its_area_is_named(client, chief):
    evse = make_connector(status=EVSEStatus.OUTOFORDER).evse
    make_connector()
    client.force_login(chief)
    context = client.get("/admin/").context
    [number] = [one for one in context["attention"] if one.title == "EVSEs out of order"]
    assert number.count == 1
    listed = client.get(number.url).context["cl"].queryset
    assert list(listed) == [evse]
    assert [place["text"] for place in context["troubled"]] == ["1 out of order"]


def test_failed_starts_lead_to_those_that_failed(client, chief):
    make_active()
    failed = request_start(make_start(make_connector(status=EVSEStatus.OUTOFORDER)))
    client.force_login(chief)
    text = client.get("/admin/").content.decode()
    address = text[: text.index(">Failed starts<")].rpartition('href="')[2].rstrip('"').replace("&amp;", "&")
    assert list(client.get(address).context["cl"].queryset) == [failed]
