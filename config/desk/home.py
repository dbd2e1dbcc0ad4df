"""The first page of admin: what is still to be set up, what needs attention, and what happens now."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db.models import Count, Exists, Model, Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from chargers.choices import CallResult, SessionStatus
from chargers.models import CDR, ChargerConnection, ChargingSession, PendingCharger
from config.desk import figures
from config.desk.map import places
from config.desk.onboarding import Step
from config.desk.permissions import may_see
from infrastructure import access
from infrastructure.choices import AlertState, EVSEStatus
from infrastructure.live import is_refresh
from infrastructure.models import EVSE, Alert, Charger, Location, Operator, OutboxEvent, Site
from payments.choices import CaptureStatusCode, IssueState
from payments.models import FinancialAdviceConfirmation, Invoice, PaymentIssue, Terminal
from roaming.choices import PlatformState
from roaming.models import Push, RoamingPlatform, RoamingProfile
from tariffs.choices import TariffStatus
from tariffs.models import RoamingTariff

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

Rows = QuerySet[Any]
# Areas that are named below the map; on the map are all.
MOST_TROUBLED = 12


@dataclass(frozen=True, slots=True)
class Number:
    count: int
    title: "StrOrPromise"
    text: "StrOrPromise"
    url: str


@dataclass(frozen=True, slots=True)
class Watched:
    """Rows that ask for a person as long as there are any; `query` filters their list in the same way."""

    title: "StrOrPromise"
    text: "StrOrPromise"
    model: type[Model]
    condition: Q
    query: str = ""
    superusers_only: bool = False


WATCHED = (
    Watched(
        _("Messages need a decision"),
        _("A partner refused them: correct the cause and send them again, or discard them."),
        Push,
        Q(needs_operator=True),
        "?needs_operator__exact=1",
    ),
    Watched(
        _("Chargers offline"),
        _("Not connected now: drivers cannot start there."),
        ChargerConnection,
        Q(channel_name=""),
        "?connection=offline",
    ),
    Watched(
        _("EVSEs out of order"),
        _("Their chargers tell of a fault: each page names it."),
        EVSE,
        Q(status=EVSEStatus.OUTOFORDER),
        "?status__exact=OUTOFORDER",
    ),
    Watched(
        _("Payment work list"),
        _("Each with its reason and what can be done about it."),
        PaymentIssue,
        Q(state=IssueState.OPEN),
    ),
    Watched(_("Alerts"), _("What went wrong and what to do about it."), Alert, Q(state=AlertState.OPEN)),
    Watched(_("Chargers that knock"), _("They are not configured: accept or discard them."), PendingCharger, Q()),
    Watched(
        _("Captures without a session"),
        _("A card was charged for a reference that no session of ours has."),
        FinancialAdviceConfirmation,
        Q(session=None),
        "?matched=no",
    ),
    Watched(
        _("Terminals not assigned"),
        _("Choose the areas or EVSEs that they serve."),
        Terminal,
        Q(assigned_at=None),
        "?assigned=no",
    ),
    Watched(
        _("Work that failed inside"),
        _("It is tried again by itself; the reason stands in the outbox."),
        OutboxEvent,
        Q(processed_at=None, attempts__gt=0),
        "?state=failed",
        superusers_only=True,
    ),
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A step from an empty installation to the first paid session; `done` filters the rows that show it."""

    title: "StrOrPromise"
    text: "StrOrPromise"
    model: type[Model]
    done: Callable[[Rows], Rows]
    query: str = ""
    lacking: "Lacking | None" = None


@dataclass(frozen=True, slots=True)
class Lacking:
    """What is still to be done where there are rows, and the page where it is done, if it is not their list."""

    text: "StrOrPromise"
    page: str = ""


def _all(rows: Rows) -> Rows:
    return rows


STEPS = (
    Wanted(_("Site"), _("Name, time zone and currency of this installation."), Site, _all),
    Wanted(
        _("Operator"),
        _("Who sells the energy: help line and seller on invoices."),
        Operator,
        lambda rows: rows.exclude(legal_address=""),
        lacking=Lacking(_("Enter the seller's address on its page: invoices must name it.")),
    ),
    Wanted(_("Area"), _("Where chargers stand: address, coordinates, roaming id."), Location, _all),
    Wanted(
        _("Charger connected"),
        _("Add it in its area, give it a password, and enter our OCPP address in the charger."),
        Charger,
        lambda rows: rows.filter(connection__connected_at__isnull=False),
        lacking=Lacking(_("Set a password on its page, and enter it and our OCPP address in the charger.")),
    ),
    Wanted(
        _("Roaming profile"),
        _("Our country code and party id, with the operators that appear under it."),
        RoamingProfile,
        lambda rows: rows.filter(operators__isnull=False),
        lacking=Lacking(_("Choose on its page the operators that appear under it.")),
    ),
    Wanted(
        _("Tariff active"),
        _("Prices, pre-authorisation, and session settings that say where it applies."),
        RoamingTariff,
        lambda rows: rows.filter(status=TariffStatus.ACTIVE, session_settings__isnull=False),
        lacking=Lacking(
            _("Make it active, and choose in the session settings of site, operator or charger where it applies."),
            "tariffs_sessionsettings_changelist",
        ),
    ),
    Wanted(
        _("Platform registered"),
        _("The payment terminal provider: profile, tariffs, and the exchange of credentials."),
        RoamingPlatform,
        lambda rows: rows.filter(state=PlatformState.REGISTERED),
    ),
    Wanted(
        _("Terminal assigned"),
        _("Terminals come from the provider; choose which areas or EVSEs each serves."),
        Terminal,
        lambda rows: rows.filter(assigned_at__isnull=False),
        "?",
    ),
    Wanted(
        _("First paid session"),
        _("Tap a card, charge, and see the invoice with the card data."),
        Invoice,
        lambda rows: rows.filter(capture_status_code=CaptureStatusCode.SUCCESS),
        "?",
    ),
)


def home(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Unfold's DASHBOARD_CALLBACK. Steps disappear once all are done, numbers that are zero at once.

    A refresh is of what may be another thing in a few seconds: neither steps nor the charts of a month.
    """
    steps = [] if is_refresh(request) else _steps(request)
    done = sum(step.is_done for step in steps)
    is_complete = done == len(steps)
    return context | {
        "steps": [] if is_complete else steps,
        "steps_done": done,
        "next_step": next((step for step in steps if not step.is_done), None),
        "attention": [number for number in _attention(request) if number.count],
        "now": _now(request),
        **_work(request),
    }


def _work(request: HttpRequest) -> dict[str, Any]:
    """Today's figures, the charts and the map, for those who may see what they are made of."""
    work: dict[str, Any] = {}
    if may_see(request, CDR):
        charts = [] if is_refresh(request) else figures.last_days(request.user)
        work |= {
            "today": figures.today(request.user),
            "failures": ",".join(result for result in CallResult if result != CallResult.ACCEPTED),
            "charts": [chart | {"json": json.dumps(chart["data"])} for chart in charts],
        }
    if may_see(request, Location):
        found = places(request.user)
        work |= {
            "places": found,
            "troubled": [place for place in found if place["is_bad"]][:MOST_TROUBLED],
            "map_tiles": settings.MAP_TILES_URL,
            "map_attribution": settings.MAP_ATTRIBUTION,
        }
    return work


def _steps(request: HttpRequest) -> list[Step]:
    shown = [step for step in STEPS if may_see(request, step.model)]
    # All in one query. Without a site there is nothing yet.
    asked: dict[str, Exists] = {}
    for place, step in enumerate(shown):
        rows = access.scope(step.model._default_manager.all(), request.user)
        asked |= {f"any_{place}": Exists(rows), f"done_{place}": Exists(step.done(rows))}
    answers = Site.objects.values(**asked).first() or dict.fromkeys(asked, False)
    return [
        _step(wanted, is_begun=answers[f"any_{place}"], is_done=answers[f"done_{place}"])
        for place, wanted in enumerate(shown)
    ]


def _step(wanted: Wanted, *, is_begun: bool, is_done: bool) -> Step:
    """Where nothing of its kind is there yet, the link leads to the form that adds it."""
    if wanted.lacking and is_begun and not is_done:
        page = wanted.lacking.page
        address = reverse(f"admin:{page}") if page else _address(wanted.model, "changelist")
        return Step(wanted.title, wanted.lacking.text, address, is_done)
    address = _address(wanted.model, "changelist" if wanted.query or is_begun else "add") + wanted.query
    return Step(wanted.title, wanted.text, address, is_done)


def _attention(request: HttpRequest) -> list[Number]:
    return [
        Number(rows.count(), watched.title, watched.text, _address(watched.model, "changelist") + watched.query)
        for watched in WATCHED
        if may_see(request, watched.model) and (request.user.is_superuser or not watched.superusers_only)
        for rows in [access.scope(watched.model._default_manager.filter(watched.condition), request.user)]
    ]


def _now(request: HttpRequest) -> list[Number]:
    if not may_see(request, ChargingSession):
        return []
    sessions = access.scope(ChargingSession.objects.all(), request.user)
    address = _address(ChargingSession, "changelist")
    titles = {SessionStatus.ACTIVE: _("Cars charging now"), SessionStatus.PENDING: _("Waiting for the cable")}
    counts = dict(
        sessions.filter(status__in=list(titles)).order_by("status").values_list("status").annotate(number=Count("pk"))
    )
    return [
        Number(counts.get(status, 0), title, "", f"{address}?status__exact={status}")
        for status, title in titles.items()
    ]


def _address(model: type[Model], page: str) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}")
