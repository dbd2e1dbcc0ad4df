"""What was shown where and when, who changed it, and that nothing can change it afterwards."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from typing import Any
from unittest import mock

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db.models import ProtectedError
from django.urls import reverse
from django.utils import timezone
from openpyxl import load_workbook

from infrastructure import outbox
from infrastructure.choices import EVSEStatus
from infrastructure.models import Charger, OperatorMembership
from infrastructure.services import masterdata
from infrastructure.services.status import set_evse_status
from payments.models import DisplayedTariff, PriceEvidence
from payments.services.price_components import components
from roaming.choices import PlatformState
from roaming.models import RoamingPlatform
from roaming.services import connections, documents
from tariffs.models import RoamingTariff, SessionSettings
from tariffs.services.publish import build_content
from tests.payments import factories
from tests.tariffs.factories import DetailFactory, SettingsFactory, make_published

# Later than what model defaults say, which no patch of `timezone.now` reaches.
NOON = datetime(2090, 3, 2, 12, 0, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def forward(self, **step: int) -> datetime:
        self.now += timedelta(**step)
        return self.now


@pytest.fixture
def clock(db: None) -> Iterator[Clock]:
    clock = Clock()
    with mock.patch.object(timezone, "now", lambda: clock.now):
        yield clock


@pytest.fixture
def boss(db: None) -> Any:
    return get_user_model().objects.create_superuser("boss")


@pytest.fixture
def tariff(clock: Clock, platform: Any, evse: Any, operator: Any) -> RoamingTariff:
    """€0.48 per kWh at the operator, which the platform sees since noon."""
    operator.phone = "+43 1 000"
    operator.save()
    tariff = make_published(code="ADHOC")
    SettingsFactory(operator=operator, tariffs=[tariff])
    platform.tariffs.add(tariff)
    documents.request_refresh()
    outbox.drain()
    return tariff


def edit(tariff: RoamingTariff, author: Any, **prices: str) -> None:
    detail = tariff.details.get()
    for name, price in prices.items():
        setattr(detail, name, Decimal(price))
    with masterdata.one_change(author):
        masterdata.save(detail)
    outbox.drain()


def history(evse: Any) -> list[PriceEvidence]:
    return list(PriceEvidence.objects.filter(evse_uid=evse.effective_uid).order_by("pk"))


def per_kwh(row: PriceEvidence) -> str:
    return components(row.tariff, None, row.time_zone).per_kwh


class TestWhatIsRecorded:
    def test_an_edit_ends_one_price_and_begins_another_and_names_who_did_it(
        self, clock: Clock, tariff: Any, evse: Any, boss: Any
    ) -> None:
        changed_at = clock.forward(hours=2)
        edit(tariff, boss, energy_price="0.5000")
        first, second = history(evse)
        assert (first.valid_from, first.valid_until, first.ended_by) == (NOON, changed_at, "boss")
        assert (second.valid_from, second.valid_until, second.author_name) == (changed_at, None, "boss")
        assert (per_kwh(first), per_kwh(second)) == ("€0.48", "€0.60")
        assert "€0.48 per kWh" in first.tariff.body["tariff_alt_text"][0]["text"]

    def test_what_the_partner_cannot_see_makes_no_row(self, clock: Clock, tariff: Any, evse: Any, boss: Any) -> None:
        clock.forward(hours=1)
        with masterdata.one_change(boss):
            tariff.name = "Another name"
            masterdata.save(tariff)
        set_evse_status(evse.pk, EVSEStatus.OUTOFORDER)
        documents.request_refresh()
        outbox.drain()
        assert len(history(evse)) == 1

    def test_the_charger_level_taking_over_and_giving_back(self, clock: Clock, tariff: Any, evse: Any) -> None:
        near = make_published(code="NEAR")
        near.platforms.set(tariff.platforms.all())
        edit(near, None, energy_price="1.0000")
        clock.forward(hours=1)
        settings = SettingsFactory(charger=evse.charger, tariffs=[near])
        with masterdata.one_change():
            masterdata.note(settings)
        outbox.drain()
        clock.forward(hours=1)
        with masterdata.one_change():
            masterdata.delete(SessionSettings.objects.get(pk=settings.pk))
        documents.request_refresh()
        outbox.drain()
        assert [row.tariff.body["id"] for row in history(evse)] == ["ADHOC", "NEAR", "ADHOC"]
        assert DisplayedTariff.objects.count() == 2

    def test_a_validity_that_begins_by_the_clock_alone(self, clock: Clock, tariff: Any, evse: Any, boss: Any) -> None:
        ends = clock.now + timedelta(hours=3)
        with masterdata.one_change(boss):
            tariff.valid_until = ends
            masterdata.save(tariff)
        outbox.drain()
        clock.forward(hours=3)
        documents.reevaluate_validity(timedelta(minutes=5))
        outbox.drain()
        last = history(evse)[-1]
        assert (last.valid_until, last.ended_by) == (ends, "")

    def test_a_platform_that_loses_the_tariff_or_its_credentials(
        self, clock: Clock, tariff: Any, evse: Any, platform: Any, boss: Any
    ) -> None:
        clock.forward(hours=1)
        platform.tariffs.clear()
        with masterdata.one_change(boss):
            masterdata.note(platform)
        outbox.drain()
        assert (history(evse)[-1].valid_until, history(evse)[-1].ended_by) == (clock.now, "boss")
        platform.tariffs.add(tariff)
        documents.request_refresh()
        outbox.drain()
        assert history(evse)[-1].valid_until is None
        connections.forget(platform)
        outbox.drain()
        assert not PriceEvidence.objects.filter(valid_until=None).exists()

    def test_a_removed_outlet_shows_nothing_any_more(self, clock: Clock, tariff: Any, evse: Any, boss: Any) -> None:
        clock.forward(hours=1)
        charger = Charger.objects.get(pk=evse.charger.pk)
        with masterdata.one_change(boss):
            charger.roaming = False
            masterdata.save(charger)
        outbox.drain()
        assert [(row.valid_until, row.ended_by) for row in history(evse)] == [(clock.now, "boss")]

    def test_drivers_of_a_partner_with_a_factor_saw_the_retail_price(
        self, clock: Clock, tariff: Any, platform: Any, evse: Any, boss: Any
    ) -> None:
        changed_at = clock.forward(hours=1)
        platform.retail_factor, platform.retail_surcharge = Decimal("1.5"), Decimal("0.35")
        with masterdata.one_change(boss):
            masterdata.save(platform)
        outbox.drain()
        before, now = history(evse)
        assert (before.valid_until, now.author_name) == (changed_at, "boss")
        price = components(now.tariff, None, now.time_zone)
        assert (per_kwh(before), price.per_kwh, price.per_session) == ("€0.48", "€0.72", "€0.35")
        assert "€0.72 per kWh" in now.tariff.body["tariff_alt_text"][0]["text"]

    def test_emsps_show_no_ad_hoc_price(self, clock: Clock, tariff: Any, platform: Any, evse: Any) -> None:
        PriceEvidence.objects.all().delete()
        RoamingPlatform.objects.update(type="EMSP")
        documents.request_refresh()
        outbox.drain()
        assert not PriceEvidence.objects.exists()

    def test_two_platforms_have_histories_of_their_own(
        self, clock: Clock, tariff: Any, operator: Any, evse: Any
    ) -> None:
        other = factories.make_platform(operator, party=("AT", "OTH"))
        other.tariffs.add(tariff)
        documents.request_refresh()
        outbox.drain()
        assert {row.platform_name for row in history(evse)} == {tariff.platforms.first().name, other.name}


class TestThatItLasts:
    def test_a_shown_tariff_and_its_charger_can_go_but_not_what_was_seen(
        self, clock: Clock, tariff: Any, evse: Any, boss: Any
    ) -> None:
        edit(tariff, boss, energy_price="0.5000")
        identity, uid = evse.charger.identity, evse.effective_uid
        evse.charger.delete()
        tariff.versions.all().delete()
        tariff.delete()
        boss.delete()
        rows = PriceEvidence.objects.filter(charger_identity=identity, evse_uid=uid).order_by("pk")
        assert [(per_kwh(row), row.author_name) for row in rows] == [("€0.48", ""), ("€0.60", "boss")]

    def test_its_content_cannot_be_deleted(self, tariff: Any) -> None:
        with pytest.raises(ProtectedError):
            DisplayedTariff.objects.all().delete()

    def test_nobody_edits_or_deletes_it_in_admin(self, tariff: Any, evse: Any, admin_client: Any) -> None:
        (row,) = history(evse)
        page = reverse("admin:payments_priceevidence_change", args=[row.pk])
        shown = admin_client.get(page).content.decode()
        assert "€0.48 per kWh" in shown
        assert "_save" not in shown
        assert admin_client.post(page, {"author_name": "somebody"}).status_code == 403
        assert admin_client.post(reverse("admin:payments_priceevidence_delete", args=[row.pk])).status_code == 403
        assert history(evse) == [row]


class TestComponents:
    """Gross, in the order of AFIR."""

    def test_per_kwh_per_minute_per_session_and_the_rest(self, db: None) -> None:
        tariff = make_published(min_price=Decimal("1.20"))
        tariff.details.all().delete()
        DetailFactory(
            tariff=tariff,
            charge_time_price=Decimal("3"),
            charge_time_vat=Decimal("20"),
            park_time_price=Decimal("6"),
            park_time_vat=None,
            flat_price=Decimal("0.50"),
            flat_vat=Decimal("20"),
            reservation_time_price=Decimal("12"),
        )
        found = components(displayed(tariff), None, "Europe/Vienna")
        assert (found.per_kwh, found.per_minute, found.per_session) == ("€0.48", "€0.06", "€0.60")
        assert found.other == (
            "€0.10 per minute connected without charging; €0.20 per minute reserved; at least €1.20 per session"
        )

    def test_hours_of_their_own_are_a_range_until_a_moment_is_asked_for(self, db: None) -> None:
        tariff = make_published()
        DetailFactory(
            tariff=tariff,
            priority=1,
            energy_price=Decimal("0.2"),
            start=datetime(2026, 1, 1, 22, tzinfo=UTC),
            stop=datetime(2027, 1, 1, 6, tzinfo=UTC),
        )
        body = displayed(tariff)
        assert components(body, None, "Europe/Vienna").per_kwh == "€0.24 – €0.48"
        # 22:30 in Vienna
        assert components(body, datetime(2026, 3, 2, 21, 30, tzinfo=UTC), "Europe/Vienna").per_kwh == "€0.24"
        assert components(body, datetime(2026, 3, 2, 20, 30, tzinfo=UTC), "Europe/Vienna").per_kwh == "€0.48"


def displayed(tariff: RoamingTariff) -> DisplayedTariff:
    return DisplayedTariff(body=build_content(tariff))


class TestThePage:
    """Days and times are those of the site, Europe/Vienna: noon UTC is 13:00 there."""

    @pytest.fixture
    def raised(self, clock: Clock, tariff: Any, boss: Any) -> datetime:
        at = clock.forward(hours=2)  # 15:00
        edit(tariff, boss, energy_price="0.5000")
        return at

    def ask(self, client: Any, **query: str) -> str:
        answer = client.get(reverse("admin:payments_priceevidence_changelist", query=query))
        assert answer.status_code == 200
        return str(answer.content.decode())

    @pytest.mark.parametrize(
        ("at", "seen", "unseen"),
        [("14:00", "€0.48", "€0.60"), ("14:59", "€0.48", "€0.60"), ("15:00", "€0.60", "€0.48")],
    )
    def test_what_a_driver_saw_at_a_charger_at_a_time(
        self, raised: datetime, evse: Any, admin_client: Any, at: str, seen: str, unseen: str
    ) -> None:
        page = self.ask(admin_client, place=evse.charger.identity, start="2090-03-02", at=at)
        assert f"{seen} per kWh" in page
        assert f"{unseen} per kWh" not in page

    def test_before_anything_was_shown_and_elsewhere(self, raised: datetime, admin_client: Any) -> None:
        assert "No ad hoc price was shown" in self.ask(admin_client, start="2090-03-02", at="12:59")
        assert "No ad hoc price was shown" in self.ask(admin_client, start="2090-03-02", place="elsewhere")
        assert "Choose a day not before" in self.ask(admin_client, start="2090-03-02", end="2090-03-01")

    def test_a_day_without_a_time_shows_all_that_was_shown(self, raised: datetime, admin_client: Any) -> None:
        page = self.ask(admin_client, start="2090-03-02")
        assert "€0.48 per kWh" in page and "€0.60 per kWh" in page and "by boss" in page
        assert "€0.48 per kWh" not in self.ask(admin_client, start="2090-03-03")

    def test_the_files_say_the_same(self, raised: datetime, evse: Any, admin_client: Any) -> None:
        query = {"start": "2090-03-01", "end": "2090-03-05"}
        answer = admin_client.get(reverse("admin:payments_prices_csv", query=query))
        lines = b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()
        assert lines[0].startswith("Valid from,Valid until,Operator")
        assert "2090-03-02 13:00:00,2090-03-02 15:00:00" in lines[2]
        answer = admin_client.get(reverse("admin:payments_prices_xlsx", query=query))
        rows = list(load_workbook(BytesIO(answer.content)).active.values)
        head, newest = rows[0], dict(zip(rows[0], rows[1], strict=True))
        order = [head.index(name) for name in ("Per kWh", "Per minute", "Per session", "Other components")]
        assert order == sorted(order)
        assert (newest["Per kWh"], newest["Blocked on the card"], newest["Changed by"]) == ("€0.60", "50.00", "boss")
        assert newest["EVSE"] == evse.evse_id
        assert admin_client.get(reverse("admin:payments_prices_csv", query={"start": "x"})).status_code == 400

    def test_staff_see_the_prices_of_their_operators_only(self, raised: datetime, operator: Any, client: Any) -> None:
        ann = get_user_model().objects.create_user("ann", is_staff=True)
        client.force_login(ann)
        assert client.get(reverse("admin:payments_priceevidence_changelist")).status_code == 403
        ann.user_permissions.set(Permission.objects.filter(codename="view_priceevidence"))
        assert "No ad hoc price was shown" in self.ask(client, start="2090-03-02")
        OperatorMembership.objects.create(user=ann, operator=operator)
        assert "€0.48 per kWh" in self.ask(client, start="2090-03-02")

    def test_a_page_of_many_prices_takes_as_many_queries_as_of_one(
        self, raised: datetime, area: Any, admin_client: Any, django_assert_num_queries: Any
    ) -> None:
        from django.db import connection
        from django.test.utils import CaptureQueriesContext

        self.ask(admin_client, start="2090-03-02")
        with CaptureQueriesContext(connection) as one:
            self.ask(admin_client, start="2090-03-02")
        for number in range(2, 8):
            factories.make_evse(area, number)
        documents.request_refresh()
        outbox.drain()
        with django_assert_num_queries(len(one)):
            self.ask(admin_client, start="2090-03-02")


def test_an_event_and_all_that_follows_from_it_have_one_author(db: None, platform: Any, boss: Any) -> None:
    from infrastructure.models import OutboxEvent

    with masterdata.one_change(boss):
        masterdata.note(platform)
    with masterdata.one_change():
        masterdata.note(platform)
    outbox.drain()
    told = OutboxEvent.objects.order_by("pk").values_list("topic", "author__username")
    assert [one for one in told if one[1]] == [("platform", "boss"), ("prices", "boss")]
    assert outbox.current_author() is None
    assert RoamingPlatform.objects.get().state == PlatformState.REGISTERED
