"""One box that finds what a driver, a partner or a colleague reads out: any id of ours, theirs or the charger's."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import Any
from unicodedata import combining, normalize

from django.contrib import admin
from django.db.models import F, Model, Q, QuerySet, Value
from django.db.models.functions import Replace
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from unfold.dataclasses import SearchResult

from chargers.admin_actions import RUNNING
from chargers.models import CDR, ChargingSession
from config.desk.permissions import may_see
from infrastructure import access
from infrastructure.admin_display import zone_of
from infrastructure.models import EVSE, Charger, Location
from payments.models import Invoice, Terminal
from tariffs.pricing.rounding import money

EACH = 5
DIGITS_OF_A_CARD, MOST_CARDS = 4, 10
# What providers write before these digits, which end their line.
MASKS = ("* ", "*", "x ", "x")
# For so long drivers call about a card of which they know the end.
REMEMBERED = timedelta(days=60)
# Shorter words find everything.
SHORTEST = 2
# Of two words, from 0 to 1: one letter of six may be wrong.
ALIKE = 0.8


# What people leave out or put in when they read an id aloud.
SIGNS = "-*_/. "


@dataclass(frozen=True, slots=True)
class Place:
    """Where to look: `begins` are ids that people read out from the front, `contains` are names.

    `parts` are found in the middle, too, and without their signs: no index helps there, so only if nothing else fits.
    """

    rows: QuerySet[Any]
    icon: str
    begins: tuple[str, ...]
    contains: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()

    @property
    def model(self) -> type[Model]:
        return self.rows.model


PLACES = (
    Place(
        ChargingSession.objects.select_related("connector__evse__charger"),
        "bolt",
        ("authorization_reference", "uid", "id_tag", "transaction_id"),
        parts=("authorization_reference",),
    ),
    Place(
        Invoice.objects.select_related("cdr__session"),
        "request_quote",
        ("number", "authorization_reference"),
        parts=("number",),
    ),
    Place(
        Charger.objects.select_related("location", "connection").prefetch_related("evses"),
        "ev_station",
        (),
        ("identity", "roaming_id", "name"),
        parts=("identity", "roaming_id"),
    ),
    Place(
        EVSE.objects.select_related("charger__location", "charger__connection"),
        "outlet",
        ("evse_id", "uid"),
        parts=("evse_id", "uid"),
    ),
    Place(Location.objects.all(), "location_on", ("roaming_id",), ("name", "address", "city"), parts=("roaming_id",)),
    Place(Terminal.objects.all(), "point_of_sale", ("terminal_id", "customer_reference"), parts=("terminal_id",)),
    Place(CDR.objects.all(), "receipt_long", ("uid", "invoice_reference_id")),
)


def find(request: HttpRequest) -> HttpResponse:
    """What is found, for the box that every page has. Nothing is kept: who asks again has seen something change."""
    term = request.GET.get("s", "").strip()
    context = {"term": term, "results": [*search(request, term), *_lists(request, term)]}
    return TemplateResponse(request, "config/found.html", context, headers={"Cache-Control": "no-store"})


def _lists(request: HttpRequest, term: str) -> list[SearchResult]:
    """Entries of the sidebar by their name."""
    entries = (entry for group in admin.site.get_sidebar_list(request) for entry in group["items"])  # type: ignore[attr-defined]
    wanted = term.casefold()
    return [
        SearchResult(str(entry["title"]), gettext("List"), str(entry["link"]), str(entry["icon"]))
        for entry in entries
        if len(term) >= SHORTEST and entry["has_permission"] and wanted in str(entry["title"]).casefold()
    ]


def search(request: HttpRequest, term: str) -> list[SearchResult]:
    """Rows; a fixed number of queries."""
    word = term.strip()
    if len(word) < SHORTEST:
        return []
    found = _found(request, lambda place: _beginning(place, word))
    if not found and len(word) > SHORTEST:
        found = _found(request, lambda place: _holding(place, word))
        found = found or _paid_with(request, word) or _sounding_like(request, word)
    return [_result(place, row) for place, row in [*_running(request, found), *found]]


def _found(request: HttpRequest, look: Callable[[Place], QuerySet[Any] | None]) -> list[tuple[Place, Any]]:
    """One query per kind of row that the member of staff may see."""
    found = []
    for place in PLACES:
        rows = look(place) if may_see(request, place.model) else None
        if rows is not None:
            found += [(place, row) for row in access.scope(rows, request.user).order_by("-pk")[:EACH]]
    return found


def _beginning(place: Place, word: str) -> QuerySet[Any]:
    wanted = Q()
    for field in place.begins:
        wanted |= Q(**{f"{field}__istartswith": word})
    for field in place.contains:
        wanted |= Q(**{f"{field}__icontains": word})
    return place.rows.filter(wanted)


def _holding(place: Place, word: str) -> QuerySet[Any] | None:
    bare = "".join(letter for letter in word if letter not in SIGNS)
    if not place.parts or not bare:
        return None
    wanted, bares = Q(), {}
    for field in place.parts:
        without: Any = F(field)
        for sign in SIGNS:
            without = Replace(without, Value(sign), Value(""))
        bares[f"bare_{field}"] = without
        wanted |= Q(**{f"bare_{field}__icontains": bare})
    rows: QuerySet[Any] = place.rows.alias(**bares)
    return rows.filter(wanted)


def _paid_with(request: HttpRequest, digits: str) -> list[tuple[Place, Any]]:
    """Invoices of the last weeks that were paid with a card that ends so."""
    if not (digits.isdecimal() and len(digits) == DIGITS_OF_A_CARD and may_see(request, Invoice)):
        return []
    place = next(place for place in PLACES if place.model is Invoice)
    wanted = Q()
    for mask in MASKS:
        wanted |= Q(eft_data__icontains=f'{mask}{digits}"')
    rows = place.rows.filter(wanted, issued_at__gt=timezone.now() - REMEMBERED)
    return [(place, row) for row in access.scope(rows, request.user).order_by("-pk")[:MOST_CARDS]]


def _sounding_like(request: HttpRequest, words: str) -> list[tuple[Place, Any]]:
    """Areas whose name and town hold each word, whether with umlauts, accents, one letter wrong, or in other order."""
    place = next(place for place in PLACES if place.model is Location)
    if not may_see(request, Location):
        return []
    wanted = [word for word in _plain(words).split() if len(word) > SHORTEST]
    names = access.scope(place.rows, request.user).values_list("pk", "name", "address", "city")
    keys = []
    for pk, *texts in names:
        known = _plain(" ".join(texts)).split()
        if wanted and all(get_close_matches(word, known, 1, ALIKE) for word in wanted):
            keys.append(pk)
    return [(place, row) for row in place.rows.filter(pk__in=keys[:EACH])]


def _plain(text: str) -> str:
    """Small letters without accents; ä, ae and a are one, as are the other umlauts."""
    letters = "".join(letter for letter in normalize("NFKD", text.casefold()) if not combining(letter))
    for umlaut in "aou":
        letters = letters.replace(f"{umlaut}e", umlaut)
    return "".join(letter if letter.isalnum() else " " for letter in letters)


def _running(request: HttpRequest, found: list[tuple[Place, Any]]) -> list[tuple[Place, Any]]:
    """What runs at the chargers, EVSEs and areas that were found: their sessions are most often what is looked for."""
    keys = {model: [row.pk for _, row in found if isinstance(row, model)] for model in (EVSE, Charger, Location)}
    if not any(keys.values()) or not may_see(request, ChargingSession):
        return []
    here = Q(connector__evse__in=keys[EVSE]) | Q(connector__evse__charger__in=keys[Charger])
    here |= Q(connector__evse__charger__location__in=keys[Location])
    known = [row.pk for _, row in found if isinstance(row, ChargingSession)]
    rows = PLACES[0].rows.filter(here, status__in=RUNNING).exclude(pk__in=known)
    return [(PLACES[0], row) for row in access.scope(rows, request.user).order_by("-pk")[:EACH]]


def _result(place: Place, row: Any) -> SearchResult:
    meta = place.model._meta
    address = reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[row.pk])
    return SearchResult(str(row), f"{meta.verbose_name}: {_about(row)}".removesuffix(": "), address, place.icon)


def _about(row: Any) -> str:
    """What tells two of a kind apart."""
    match row:
        case ChargingSession():
            evse = row.connector.evse if row.connector else None
            place = f"{evse.charger.identity} / {evse.number}, " if evse else ""
            return (
                f"{place}{row.get_status_display()}, {row.kwh:.2f} kWh, {_clock(row.started_at or row.created_at, row)}"
            )
        case Charger():
            return f"{row.location.name}, {_states(row, list(row.evses.all()))}"
        case EVSE():
            return f"{row.charger.identity} / {row.number}, {row.charger.location.name}, {_states(row.charger, [row])}"
        case Location():
            return f"{row.address}, {row.city}"
        case Invoice():
            session, price = row.cdr.session, f"{money(row.total_gross, row.currency)} {row.currency}"
            told = [price, _clock(row.issued_at, session), session.place.get("name"), row.authorization_reference]
            return ", ".join(filter(None, told))
    return ""


def _clock(at: datetime, row: Any) -> str:
    """On the clock of the area, as the driver tells it."""
    return f"{timezone.localtime(at, zone_of(row)):%Y-%m-%d %H:%M}"


def _states(charger: Charger, evses: list[EVSE]) -> str:
    connection = getattr(charger, "connection", None)
    if connection is None or not connection.is_online:
        return gettext("offline")
    return ", ".join(f"{evse.number}: {evse.get_status_display()}" for evse in evses)
