"""The areas on a map, each in the colour of what most needs a look there."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from infrastructure import access
from infrastructure.access import User
from infrastructure.choices import EVSEStatus
from infrastructure.models import Location

FAULTY = (EVSEStatus.INOPERATIVE, EVSEStatus.OUTOFORDER)
BUSY = (EVSEStatus.CHARGING, EVSEStatus.BLOCKED, EVSEStatus.RESERVED)
RED, AMBER, BLUE, GREEN, GREY = "#dc2626", "#d97706", "#2563eb", "#16a34a", "#6b7280"


@dataclass(frozen=True, slots=True)
class Counts:
    """EVSEs of an area."""

    total: int
    faulty: int
    offline: int
    busy: int
    free: int

    @property
    def colour(self) -> str:
        if self.faulty:
            return RED
        if self.offline:
            return AMBER
        if not self.total or not (self.busy or self.free):
            return GREY
        return GREEN if self.free else BLUE

    @property
    def text(self) -> str:
        parts = [
            (self.free, _("free")),
            (self.busy, _("in use")),
            (self.faulty, _("out of order")),
            (self.offline, _("offline")),
        ]
        told = ", ".join(f"{number} {word}" for number, word in parts if number)
        return told or ngettext("%(n)s EVSE", "%(n)s EVSEs", self.total) % {"n": self.total}


def places(user: User) -> list[dict[str, Any]]:
    """For the script of the home page; one query."""
    evses = "chargers__evses"
    offline = Q(chargers__connection__isnull=True) | Q(chargers__connection__channel_name="")
    online = ~Q(chargers__connection__channel_name="") & Q(chargers__connection__isnull=False)
    rows = (
        access.scope(Location.objects.all(), user)
        .annotate(
            total=Count(evses),
            faulty=Count(evses, filter=online & Q(**{f"{evses}__status__in": FAULTY})),
            offline=Count(evses, filter=offline),
            busy=Count(evses, filter=online & Q(**{f"{evses}__status__in": BUSY})),
            free=Count(evses, filter=online & Q(**{f"{evses}__status": EVSEStatus.AVAILABLE})),
        )
        .values_list("pk", "name", "city", "latitude", "longitude", "total", "faulty", "offline", "busy", "free")
        .order_by("name")
    )
    return [_place(row) for row in rows]


def _place(row: tuple[Any, ...]) -> dict[str, Any]:
    pk, name, city, latitude, longitude, *numbers = row
    counts = Counts(*numbers)
    return {
        "name": f"{name}, {city}" if city else name,
        "url": reverse("admin:infrastructure_location_change", args=[pk]),
        "at": [float(latitude), float(longitude)],
        "colour": counts.colour,
        "text": counts.text,
        "is_bad": counts.colour in (RED, AMBER),
    }
