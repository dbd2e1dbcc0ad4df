"""One box that finds what a driver, a partner or a colleague reads out: any id of ours, theirs or the charger's."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from unfold.dataclasses import SearchResult

from chargers.models import CDR, ChargingSession
from config.desk.permissions import may_see
from infrastructure import access
from infrastructure.models import EVSE, Charger, Location
from payments.models import Invoice, Terminal

EACH = 5
# Shorter words find everything.
SHORTEST = 2


@dataclass(frozen=True, slots=True)
class Place:
    """Where to look: `begins` are ids that people read out from the front, `contains` are names."""

    rows: QuerySet[Any]
    icon: str
    begins: tuple[str, ...]
    contains: tuple[str, ...] = ()
    order: str = "-pk"

    @property
    def model(self) -> type[Model]:
        return self.rows.model


PLACES = (
    Place(
        ChargingSession.objects.select_related("connector__evse__charger"),
        "bolt",
        ("authorization_reference", "uid", "id_tag", "transaction_id"),
    ),
    Place(Invoice.objects.all(), "request_quote", ("number", "authorization_reference")),
    Place(Charger.objects.select_related("location"), "ev_station", (), ("identity", "roaming_id", "name")),
    Place(EVSE.objects.select_related("charger__location"), "outlet", ("evse_id", "uid")),
    Place(Location.objects.all(), "location_on", ("roaming_id",), ("name", "address", "city")),
    Place(Terminal.objects.all(), "point_of_sale", ("terminal_id", "customer_reference")),
    Place(CDR.objects.all(), "receipt_long", ("uid", "invoice_reference_id")),
)


def search(request: HttpRequest, term: str) -> list[SearchResult]:
    """Unfold's COMMAND search_callback; one query per kind of row that the member of staff may see."""
    word = term.strip()
    return list(_found(request, word)) if len(word) >= SHORTEST else []


def _found(request: HttpRequest, word: str) -> Iterator[SearchResult]:
    for place in PLACES:
        if not may_see(request, place.model):
            continue
        wanted = Q()
        for field in place.begins:
            wanted |= Q(**{f"{field}__istartswith": word})
        for field in place.contains:
            wanted |= Q(**{f"{field}__icontains": word})
        rows = access.scope(place.rows.filter(wanted), request.user).order_by(place.order)
        for row in rows[:EACH]:
            yield _result(place, row)


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
