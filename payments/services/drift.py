"""Terminals whose PTP holds something else than we decided, and which EVSE is served by which terminal."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Model, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from infrastructure import outbox
from infrastructure.models import EVSE, Charger, Location
from payments import mapping
from payments.choices import IssueKind
from payments.models import Terminal
from payments.services.findings import Finding, moment
from payments.services.peers import invoice_base_url
from payments.services.terminal_push import PUSH_MODULE
from payments.services.terminals import LISTS, is_invoiced_by_us
from roaming.choices import PushState
from roaming.models import Push, RoamingPlatform
from roaming.ocpi.types import ci_equal
from roaming.services import push

# A decision has been queued by then, or something is wrong with that.
SOON = timedelta(minutes=1)
_NAMES = {"location_ids": gettext_lazy("areas"), "evse_uids": gettext_lazy("EVSEs")}


def drift_of(terminal: Terminal) -> list[str]:
    """In words, what the PTP told last that differs from our decisions; nothing where we decided nothing."""
    differences = [] if terminal.assigned_at is None else _assignment_drift(terminal)
    # The PTP owns its terminal's reference: another one is shown, and ours is said again when staff wants it.
    told, ours = terminal.customer_reference, terminal.our_reference
    if ours and not ci_equal(told, ours):
        differences.append(
            _("customer reference there: %(there)s; here: %(here)s") % {"there": told or _("none"), "here": ours}
        )
    return differences


def _assignment_drift(terminal: Terminal) -> list[str]:
    wanted = mapping.assignment(terminal)
    differences = []
    for name in LISTS:
        told = terminal.reported.get(name)
        if told is not None and _ids(told) != _ids(wanted[name]):
            differences.append(
                _("%(lists)s there: %(there)s; here: %(here)s")
                % {
                    "lists": _NAMES[name],
                    "there": ", ".join(sorted(told)) or _("none"),
                    "here": ", ".join(wanted[name]) or _("none"),
                }
            )
    told_url = terminal.reported.get("invoice_base_url")
    own_url = invoice_base_url(terminal.platform)
    if is_invoiced_by_us(terminal) and told_url and told_url != own_url:
        differences.append(_("invoice address there: %(there)s; here: %(here)s") % {"there": told_url, "here": own_url})
    return differences


def _ids(values: Iterable[str]) -> set[str]:
    return {value.casefold() for value in values}


def of_terminal(terminal: Terminal) -> list[Finding]:
    return list(_findings(terminal))


def _findings(terminal: Terminal) -> Iterator[Finding]:
    if terminal.missing_since is not None:
        text = f"{terminal.platform} no longer lists it, since {moment(terminal.missing_since)}."
        yield Finding(IssueKind.TERMINAL_GONE, text)
        return
    if terminal.operator_id is None and not any(mapping.assignment(terminal).values()):
        text = "Nothing that the partner told says whose terminal it is. Choose its operator, or what it serves."
        yield Finding(IssueKind.TERMINAL_UNASSIGNED, text)
    unknown = unknown_places(terminal)
    if unknown:
        text = f"The partner says that it serves {', '.join(unknown)}, which we do not have."
        yield Finding(IssueKind.TERMINAL_UNKNOWN_PLACES, text)
    if not _is_being_told(terminal) and (differences := drift_of(terminal)):
        yield Finding(IssueKind.TERMINAL_DRIFT, f"The partner holds something else: {'. '.join(differences)}.")


def unknown_places(terminal: Terminal) -> list[str]:
    """Ids that the PTP assigned before we decided anything and that are none of ours (DirectPayment v1.9, 5.1.2)."""
    if terminal.assigned_at is not None:
        return []
    known = mapping.assignment(terminal)
    return sorted(
        value
        for name in LISTS
        for value in terminal.reported.get(name) or []
        if value.casefold() not in _ids(known[name])
    )


def _is_being_told(terminal: Terminal) -> bool:
    """A message on its way for the first time, or about to be queued, is no reason to call anybody."""
    messages = _messages(terminal)
    if messages.filter(state__in=[PushState.PENDING, PushState.IN_FLIGHT], attempts=0).exists():
        return True
    decided = terminal.assigned_at
    is_new = decided is not None and timezone.now() - decided < SOON
    return is_new and not messages.filter(queued_at__gte=decided).exists()


def _messages(terminal: Terminal) -> QuerySet[Push]:
    return Push.objects.filter(platform_id=terminal.platform_id, module=PUSH_MODULE, object_id=str(terminal.pk))


def repair(terminal: Terminal) -> None:
    """A person has our decision said again: at once, also where it waits because the PTP refused it a while ago."""
    with transaction.atomic():
        _say_again(terminal)
        for row in _messages(terminal).filter(state=PushState.PENDING):
            push.send_again(row)


def _say_again(terminal: Terminal) -> None:
    """Kept until the PTP has taken it."""
    with transaction.atomic():
        Terminal.objects.filter(pk=terminal.pk).update(last_updated=timezone.now())
        outbox.record("terminal", terminal.pk)


def reassert_after_deletion(gone: Model) -> None:
    """Follows the deletion of an area, a charger or an EVSE: terminals that served it are told their new lists.

    What the PTP holds is compared, as the rows that said it are deleted already.
    """
    assert isinstance(gone, Location | Charger | EVSE)
    decided = Terminal.objects.exclude(assigned_at=None).exclude(reported={})
    for terminal in decided.select_related("platform").prefetch_related("locations", "evses__charger"):
        if drift_of(terminal):
            _say_again(terminal)


def mark_missing(platform: RoamingPlatform, began: datetime) -> None:
    """Follows a complete pull: terminals that it did not hold are no longer the PTP's."""
    unseen = Terminal.objects.filter(platform=platform, created_at__lt=began, missing_since=None)
    gone = unseen.exclude(seen_at__gte=began)
    with transaction.atomic():
        ids = list(gone.values_list("pk", flat=True))
        Terminal.objects.filter(pk__in=ids).update(missing_since=timezone.now())
        for terminal_id in ids:
            outbox.record("terminal-report", terminal_id)


def serving(evse: EVSE, platform: RoamingPlatform | None = None) -> QuerySet[Terminal]:
    """Terminals that serve the EVSE, by itself or with its area; those that the PTP gave up do not."""
    both = Terminal.objects.filter(evses=evse) | Terminal.objects.filter(locations=evse.charger.location_id)
    rows = both.filter(missing_since=None).distinct()
    return rows if platform is None else rows.filter(platform=platform)
