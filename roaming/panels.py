"""What staff see on the pages of areas and chargers (who may see them, and why not) and of messages."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from chargers.models import ChargerMessage, OutgoingCall
from infrastructure import access
from infrastructure.admin_display import link, moment, table
from infrastructure.models import Charger, Location
from infrastructure.panels import Panel
from roaming.models import Message
from roaming.services import exposure

TITLE = gettext_lazy("Seen by partners")
# What one request leads to happens soon after it, or its partner has long stopped waiting.
SOON = timedelta(minutes=15)
SHOWN = 20


def of_location(area: Location, request: HttpRequest) -> Iterable[Panel]:
    yield str(TITLE), render_to_string("roaming/exposure.html", {"findings": exposure.findings(area)})


def of_charger(charger: Charger, request: HttpRequest) -> Iterable[Panel]:
    findings = exposure.findings(charger.location, only=charger)
    yield str(TITLE), render_to_string("roaming/exposure.html", {"findings": findings})


def of_correlated(one: Message | OutgoingCall | ChargerMessage, request: HttpRequest) -> Iterable[Panel]:
    """What else was said and done for the same request of a partner, to partners and to chargers, oldest first."""
    if not one.correlation_id:
        return
    at = _moment_of(one)
    around = (at - SOON, at + SOON)
    found: list[Any] = []
    for model, field in ((Message, "started_at"), (OutgoingCall, "created_at"), (ChargerMessage, "at")):
        if request.user.has_perm(f"{model._meta.app_label}.view_{model._meta.model_name}"):
            same: QuerySet[Any] = model.objects.filter(correlation_id=one.correlation_id, **{f"{field}__range": around})
            found += access.scope(same, request.user).order_by(field)[:SHOWN]
    rows = [(_name_of(other), moment(_moment_of(other), is_exact=True)) for other in sorted(found, key=_moment_of)]
    if len(rows) > 1:
        yield _("Of the same request"), table([_("What"), _("At")], rows)


def _moment_of(one: Model) -> datetime:
    match one:
        case Message():
            return one.started_at
        case OutgoingCall():
            return one.created_at
        case ChargerMessage():
            return one.at
    raise TypeError(one)


def _name_of(one: Model) -> SafeString:
    match one:
        case Message():
            return link(one, f"OCPI {one.get_direction_display()}: {one}")
        case ChargerMessage():
            return link(one, f"OCPP {one.get_direction_display()}: {one}")
    return link(one, _("Call: %(name)s") % {"name": one})
