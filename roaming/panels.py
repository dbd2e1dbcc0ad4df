"""What staff see on the pages of areas and chargers (who may see them, and why not) and of sessions."""

from collections.abc import Iterable

from django.http import HttpRequest
from django.template.loader import render_to_string

from chargers.models import ChargingSession
from infrastructure.admin_display import link, table
from infrastructure.models import Charger, Location
from infrastructure.panels import Panel
from roaming.models import Command
from roaming.services import exposure

TITLE = "Seen by partners"


def of_location(area: Location, request: HttpRequest) -> Iterable[Panel]:
    yield TITLE, render_to_string("roaming/exposure.html", {"findings": exposure.findings(area)})


def of_charger(charger: Charger, request: HttpRequest) -> Iterable[Panel]:
    findings = exposure.findings(charger.location, only=charger)
    yield TITLE, render_to_string("roaming/exposure.html", {"findings": findings})


def of_session(session: ChargingSession, request: HttpRequest) -> Iterable[Panel]:
    """What partners asked for it, oldest first."""
    commands = Command.objects.filter(session=session).select_related("platform").order_by("pk")
    rows = [
        (link(one, one.get_type_display()), link(one.platform), one.get_response_display(), one.result or "–")
        for one in commands
    ]
    if rows:
        yield "Commands of partners", table(["Command", "Partner", "Our answer", "Result told"], rows)
