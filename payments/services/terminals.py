"""Payment terminals: the PTP owns the object, we own what it serves (DirectPayment v1.9, 5.1)."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from infrastructure import outbox
from infrastructure.models import EVSE, Location, Operator
from payments import mapping
from payments.choices import InvoiceCreator
from payments.models import Terminal
from payments.services.peers import invoice_base_url
from payments.services.tenancy import Party, operators_of, resolve_operator
from roaming.models import RoamingPlatform
from roaming.ocpi.types import parse_datetime
from roaming.services import moments

Json = dict[str, Any]

LISTS = ("location_ids", "evse_uids")
# What we say of a terminal, and the PTP keeps.
TOLD = (*LISTS, "customer_reference", "invoice_base_url")


def receive_terminal(
    platform: RoamingPlatform, body: Json, *, addressed_to: Party = ("", ""), asked_at: datetime | None = None
) -> tuple[Terminal, bool]:
    """Stores what the PTP says of its terminal; True when it is new. What is older than known is ignored.

    Never takes away what we assigned; before our first assignment the PTP's is taken over. `asked_at`: since when a
    pull has been under way. Of what the PTP has taken from us meanwhile it may show the state before.
    """
    now = timezone.now()
    told_at = moments.told_at(body)
    terminal_id = body["terminal_id"]
    with transaction.atomic():
        row, created = Terminal.objects.get_or_create(
            platform=platform,
            terminal_id__iexact=terminal_id,
            defaults={"terminal_id": terminal_id, "last_updated": told_at},
        )
        terminal = Terminal.objects.select_for_update().get(pk=row.pk)
        terminal.platform = platform
        terminal.seen_at, terminal.missing_since = now, None
        if _is_known_better(terminal, told_at):
            terminal.save(update_fields=["seen_at", "missing_since"])
            return terminal, created
        if (
            asked_at is not None
            and (taken_at := terminal.reported.get("taken_at"))
            and asked_at < parse_datetime(taken_at)
        ):
            body = {name: value for name, value in body.items() if name not in TOLD}
        before = terminal.reported
        _write_report(terminal, body, told_at)
        if terminal.operator is None:
            terminal.operator = resolve_operator(terminal, addressed_to)
        terminal.save()
        if terminal.assigned_at is None:
            _import_assignment(terminal, body)
        elif _is_new_drift(terminal, body, before):
            _assert_assignment(terminal)
        outbox.record("terminal-report", terminal.pk)
    return terminal, created


def _is_known_better(terminal: Terminal, told_at: datetime) -> bool:
    told_before = terminal.reported.get("last_updated")
    return bool(told_before) and told_at < parse_datetime(told_before)


def _write_report(terminal: Terminal, body: Json, told_at: datetime) -> None:
    for name, value in mapping.terminal_fields(body).items():
        setattr(terminal, name, value)
    told = {name: body[name] or [] for name in LISTS if name in body}
    if body.get("invoice_base_url"):
        told["invoice_base_url"] = body["invoice_base_url"]
    terminal.reported = terminal.reported | told | {"last_updated": told_at.isoformat().replace("+00:00", "Z")}
    terminal.last_updated = max(terminal.last_updated, told_at)


def _import_assignment(terminal: Terminal, body: Json) -> None:
    """Ids that we do not have stay visible in `reported`."""
    operators = operators_of(terminal.platform)
    if body.get("location_ids"):
        wanted = {value.casefold() for value in body["location_ids"]}
        areas = Location.objects.filter(operator__in=operators).exclude(roaming_id="")
        terminal.locations.set(area for area in areas if area.roaming_id.casefold() in wanted)
    if body.get("evse_uids"):
        wanted = {value.casefold() for value in body["evse_uids"]}
        outlets = EVSE.objects.filter(charger__location__operator__in=operators).select_related("charger")
        terminal.evses.set(outlet for outlet in outlets if outlet.effective_uid.casefold() in wanted)


def _is_new_drift(terminal: Terminal, body: Json, before: Json) -> bool:
    """Whether the PTP says something else than we want, and not what it said already the last time.

    Each deviation is answered once: a PTP that answers our PATCH with its own old state must not start a loop.
    """
    wanted: Json = mapping.assignment(terminal)
    if is_invoiced_by_us(terminal):
        wanted["invoice_base_url"] = invoice_base_url(terminal.platform)
    return any(
        _same(body[name]) != _same(wanted[name]) and _same(body[name]) != _same(before.get(name))
        for name in wanted
        if body.get(name)
    )


def _same(value: Any) -> Any:
    """For comparison: ids regardless of order and case, an address as it is."""
    return {entry.casefold() for entry in value} if isinstance(value, list) else value


def _assert_assignment(terminal: Terminal) -> None:
    terminal.last_updated = timezone.now()
    terminal.save(update_fields=["last_updated"])
    outbox.record("terminal", terminal.pk)


def is_invoiced_by_us(terminal: Terminal) -> bool:
    return terminal.invoice_creator != InvoiceCreator.PTP


def assign_terminal(terminal: Terminal, locations: Iterable[Location], evses: Iterable[EVSE]) -> None:
    """Sets what the terminal serves: the EVSEs of `locations` and `evses` besides. Raises ValidationError.

    A terminal from the unassigned pool becomes the operator's whose areas it serves.
    """
    areas, outlets = list(locations), list(evses)
    with transaction.atomic():
        row = Terminal.objects.select_for_update(of=("self",)).select_related("platform").get(pk=terminal.pk)
        check_assignment(row, areas, outlets)
        row.locations.set(areas)
        row.evses.set(outlets)
        owners = {area.operator for area in areas} | {outlet.charger.location.operator for outlet in outlets}
        if row.operator is None and len(owners) == 1:
            row.operator = owners.pop()
        row.assigned_at = timezone.now()
        row.save(update_fields=["operator", "assigned_at"])
        _assert_assignment(row)


def check_assignment(terminal: Terminal, areas: Iterable[Location], outlets: Iterable[EVSE]) -> None:
    """Raises ValidationError with every reason why the terminal cannot serve these."""
    allowed = set(operators_of(terminal.platform).values_list("pk", flat=True))
    if terminal.operator_id is not None:
        allowed &= {terminal.operator_id}
    problems = []
    for area in areas:
        problems += _problems(area, area.operator_id, area.roaming_id, allowed)
    for outlet in outlets:
        problems += _problems(outlet, outlet.charger.location.operator_id, outlet.effective_uid, allowed)
    if problems:
        raise ValidationError(problems)


def _problems(served: Location | EVSE, operator_id: int, partner_id: str, allowed: set[int]) -> list[str]:
    problems = []
    if operator_id not in allowed:
        problems.append(
            _("%(served)s belongs to an operator that this terminal does not work for.") % {"served": served}
        )
    if not partner_id:
        problems.append(_("%(served)s has no roaming id, so the partner does not know it.") % {"served": served})
    return problems


def set_reference(terminal: Terminal, reference: str) -> None:
    """The customer reference that the PTP shall keep (DirectPayment v1.9, 5.1.1.3); "" leaves it to the PTP."""
    with transaction.atomic():
        row = Terminal.objects.select_for_update().get(pk=terminal.pk)
        row.our_reference, row.last_updated = reference, timezone.now()
        row.save(update_fields=["our_reference", "last_updated"])
        outbox.record("terminal", terminal.pk)


def choose_operator(terminal: Terminal, operator: Operator | None) -> None:
    """Staff says whose terminal it is; None puts it back into the unassigned pool."""
    with transaction.atomic():
        row = Terminal.objects.select_for_update().get(pk=terminal.pk)
        row.operator = operator
        row.save(update_fields=["operator"])
