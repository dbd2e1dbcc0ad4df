"""What a platform was never told, whatever the reason: found by comparing, and said again each night."""

from django.db import transaction
from django.db.models import Case, Exists, F, IntegerField, OuterRef, Q, QuerySet, Value, When
from django.db.models.functions import Concat

from roaming.choices import InterfaceRole, Module, PlatformState, PlatformType, PushState
from roaming.models import Document, PlatformEndpoint, Push, RoamingPlatform
from roaming.services import hub
from roaming.services.documents import INFRASTRUCTURE
from roaming.services.push_queue import ORDER, enqueue, enqueue_state
from roaming.services.session_documents import sequence_of

OPEN = (PushState.PENDING, PushState.IN_FLIGHT)
# The platform refused this very state, or staff decided: asking again every night would change nothing.
DECIDED = (PushState.FAILED, PushState.DISCARDED)


def enqueue_untold() -> int:
    """Queues every document that its platform has not confirmed and that nothing is queued for; gives how many."""
    found = 0
    for platform in RoamingPlatform.objects.filter(state=PlatformState.REGISTERED):
        for document in untold(platform).iterator(chunk_size=500):
            if platform.type == PlatformType.HUB and not hub.may_send(platform, document):
                continue
            found += 1
            # Its own transaction: the next one must not be claimed before it, nor wait for all the rest.
            with transaction.atomic():
                _enqueue(platform, document)
    return found


def _enqueue(platform: RoamingPlatform, document: Document) -> None:
    sequence = _sequence(document)
    if document.module == Module.CDRS:
        enqueue(platform, document.module, document.path, sequence=sequence, position=document.source_id)
    else:
        enqueue_state(platform, document.module, document.path, sequence=sequence)


def _sequence(document: Document) -> str:
    if document.module in (Module.TARIFFS, Module.LOCATIONS):
        return INFRASTRUCTURE
    return sequence_of(document.body.get("session_id") or document.object_id)


def untold(platform: RoamingPlatform) -> QuerySet[Document]:
    receives = PlatformEndpoint.objects.filter(platform=platform, role=InterfaceRole.RECEIVER, identifier__in=ORDER)
    pushes = Push.objects.filter(platform=platform, module=OuterRef("module")).filter(
        # The key of a push is the path of its document.
        object_id=Concat(OuterRef("country_code"), Value("/"), OuterRef("party_id"), Value("/"), OuterRef("object_id"))
    )
    differs = Q(is_deleted=False) & (Q(acknowledged=None) | ~Q(acknowledged=F("body")))
    differs |= Q(is_deleted=True, acknowledged__isnull=False)
    order = Case(
        *(When(module=module, then=Value(place)) for place, module in enumerate(ORDER)), output_field=IntegerField()
    )
    return (
        Document.objects.filter(differs, platform=platform, module__in=receives.values("identifier"))
        .exclude(Exists(pushes.filter(state__in=OPEN)))
        .exclude(Exists(pushes.filter(state__in=DECIDED, queued_at__gte=OuterRef("last_updated"))))
        .order_by(order, "pk")
    )
