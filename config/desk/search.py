"""One box that finds what a driver, a partner or a colleague reads out: any id of ours, theirs or the charger's."""

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any
from unicodedata import combining, normalize

from django.db.models import F, Model, Q, QuerySet, Value
from django.db.models.functions import Replace
from django.http import HttpRequest
from django.urls import reverse
from unfold.dataclasses import SearchResult

from chargers.admin_actions import RUNNING
from chargers.models import CDR, ChargingSession
from config.desk.permissions import may_see
from infrastructure import access
from infrastructure.models import EVSE, Charger, Location
from payments.models import Invoice, Terminal

EACH = 5
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
    Place(Invoice.objects.all(), "request_quote", ("number", "authorization_reference"), parts=("number",)),
    Place(
        Charger.objects.select_related("location"),
        "ev_station",
        (),
        ("identity", "roaming_id", "name"),
        parts=("identity", "roaming_id"),
    ),
    Place(EVSE.objects.select_related("charger__location"), "outlet", ("evse_id", "uid"), parts=("evse_id", "uid")),
    Place(Location.objects.all(), "location_on", ("roaming_id",), ("name", "address", "city"), parts=("roaming_id",)),
    Place(Terminal.objects.all(), "point_of_sale", ("terminal_id", "customer_reference"), parts=("terminal_id",)),
    Place(CDR.objects.all(), "receipt_long", ("uid", "invoice_reference_id")),
)


def search(request: HttpRequest, term: str) -> list[SearchResult]:
    """Unfold's COMMAND search_callback; a fixed number of queries."""
    word = term.strip()
    if len(word) < SHORTEST:
        return []
    found = _found(request, lambda place: _beginning(place, word))
    if not found and len(word) > SHORTEST:
        found = _found(request, lambda place: _holding(place, word)) or _sounding_like(request, word)
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
            return f"{place}{row.get_status_display()}, {row.kwh:.2f} kWh"
        case Charger():
            return row.location.name
        case EVSE():
            return f"{row.charger.identity} / {row.number}, {row.charger.location.name}"
        case Location():
            return f"{row.address}, {row.city}"
        case Invoice():
            return row.authorization_reference
    return ""
