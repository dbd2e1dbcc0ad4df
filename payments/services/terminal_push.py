"""What a PTP is told of its terminals: what they serve, our customer reference, the base of the invoice addresses.

What they serve is PATCHed (DirectPayment v1.9, 5.1.1.2). For the rest there is a PUT (5.1.1.3), which replaces the
object: what the PTP holds is read first and sent back with our part of it changed, so that nothing of its own is lost.
"""

from typing import Any

from django.utils import timezone

from infrastructure import correlation, outbox
from payments import mapping
from payments.models import Terminal
from payments.services.peers import addresses, invoice_base_url, profile_for
from payments.services.terminals import LISTS, is_invoiced_by_us
from roaming.models import Push
from roaming.ocpi.client import Reply
from roaming.ocpi.errors import InvalidParameters, PeerRefused
from roaming.ocpi.exchange import Subject
from roaming.ocpi.types import ci_equal, format_datetime, parse_datetime
from roaming.ocpi.versions import join
from roaming.services import push
from roaming.services.peers import client_for, release_connection
from roaming.services.registry import Request, Sender

Json = dict[str, Any]

PUSH_MODULE = "terminals"
# Together with the PUT that follows shorter than the claim of a push lives.
READ_SECONDS = 15.0


def queue_assignment(terminal_id: int) -> None:
    """Consumer of "terminal": kept until the PTP has taken it, as it cannot learn of an assignment otherwise."""
    terminal = Terminal.objects.select_related("platform").filter(pk=terminal_id).first()
    if terminal is not None:
        push.enqueue(terminal.platform, PUSH_MODULE, str(terminal.pk))


def build_assignment(queued: Push) -> Request | None:
    """PATCH of the full lists (empty ones unassign), or PUT of the whole object where the PTP holds another customer
    reference or invoice address than ours.

    A PTP that does not show its object, or does not take the PUT, gets a PATCH of all that is ours: it erases nothing.
    None where nothing is ours.
    """
    terminal = Terminal.objects.select_related("platform").filter(pk=int(queued.object_id)).first()
    if terminal is None:
        return None
    details = _details(terminal)
    url = join(addresses(terminal.platform)[0], terminal.terminal_id)
    held = _held_there(terminal, url) if details and queued.method != "PATCH" else None
    # Before our first decision the PTP's own lists stand.
    ours = details if terminal.assigned_at is None else mapping.assignment(terminal) | details
    if not ours:
        return None
    profile = profile_for(terminal)
    return Request(
        "PATCH" if held is None else "PUT",
        url,
        (held or {}) | ours | {"last_updated": _newest(terminal, held)},
        country_code=profile.country_code if profile else "",
        party_id=profile.party_id if profile else "",
        state=ours,
    )


def _details(terminal: Terminal) -> Json:
    """What is ours beside the lists and different there. Whoever makes the invoice owns its address."""
    details = {}
    if terminal.our_reference and not ci_equal(terminal.our_reference, terminal.customer_reference):
        details["customer_reference"] = terminal.our_reference
    base_url = invoice_base_url(terminal.platform)
    if is_invoiced_by_us(terminal) and terminal.invoice_base_url != base_url:
        details["invoice_base_url"] = base_url
    return details


def _held_there(terminal: Terminal, url: str) -> Json | None:
    """The object as the PTP shows it, unknown fields included; None where it shows none. Raises PeerError."""
    profile = profile_for(terminal)
    client = client_for(
        terminal.platform,
        own_country=profile.country_code if profile else "",
        own_party=profile.party_id if profile else "",
        max_seconds=READ_SECONDS,
        subject=Subject(PUSH_MODULE, terminal.terminal_id),
    )
    release_connection()
    try:
        with client:
            data = client.get(url, correlation_id=correlation.current() or None).data
    except PeerRefused as refusal:
        if not refusal.permanent:
            raise
        return None
    if isinstance(data, list) and len(data) == 1:
        data = data[0]
    is_it = isinstance(data, dict) and ci_equal(str(data.get("terminal_id")), terminal.terminal_id)
    return data if is_it and isinstance(data, dict) else None


def _newest(terminal: Terminal, held: Json | None) -> str:
    """Never older than what it replaces: the PTP's clock may run ahead of ours."""
    try:
        there = parse_datetime(str((held or {})["last_updated"]))
    except (InvalidParameters, KeyError):
        there = terminal.last_updated
    return format_datetime(max(there, terminal.last_updated))


def note_assignment(queued: Push, request: Request, reply: Reply) -> None:
    """The PTP took it: what is ours is known there, so that a drift from it can be seen."""
    terminal = Terminal.objects.select_for_update().filter(pk=int(queued.object_id)).first()
    if terminal is None:
        return
    ours: Json = request.state
    told: Json = {name: ours[name] for name in (*LISTS, "invoice_base_url") if name in ours}
    details = {name: ours[name] for name in ("invoice_base_url", "customer_reference") if name in ours}
    told["taken_at"] = format_datetime(timezone.now())
    Terminal.objects.filter(pk=terminal.pk).update(reported=terminal.reported | told, **details)
    outbox.record("terminal-report", terminal.pk)


def refused(queued: Push) -> bool:
    """Not every PTP takes a PUT: the PATCH follows at once. The row tells it from a PUT that did not arrive."""
    if queued.method != "PUT":
        return False
    Push.objects.filter(pk=queued.pk).update(method="PATCH")
    return True


ASSIGNMENTS = Sender(build_assignment, note_assignment, refused)
