"""What platforms are told of sessions and their CDRs (consumers of the event map)."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils import timezone

from chargers.choices import SessionStatus
from chargers.models import CDR, ChargingSession
from infrastructure import outbox
from roaming.choices import Module, PlatformType
from roaming.models import Document, RoamingPlatform
from roaming.ocpi.types import format_datetime
from roaming.services import documents, hub, push, rendering
from roaming.services.document_checks import problem_of
from roaming.services.moments import begin_change

Json = dict[str, Any]


def refresh_session(session_id: int) -> None:
    refresh_sessions([session_id])


def refresh_sessions(session_ids: Collection[int]) -> None:
    """In as many queries for many sessions as for one."""
    known_to_peers = ChargingSession.objects.filter(pk__in=session_ids).exclude(peer_id="")
    sessions = list(known_to_peers.exclude(accepted_at=None, started_at=None).order_by("pk"))
    platforms = {one.peer_id: one for one in RoamingPlatform.objects.filter(peer_id__in={s.peer_id for s in sessions})}
    stored = Document.objects.filter(module=Module.SESSIONS, source_id__in=[session.pk for session in sessions])
    old = {(document.platform_id, document.source_id): document for document in stored}
    bodies = [(session, rendering.session(session)) for session in sessions if session.peer_id in platforms]
    if bodies:
        begin_change(Module.SESSIONS)
    renewed: dict[RoamingPlatform, list[documents.Rendered]] = {}
    for session, body in bodies:
        platform = platforms[session.peer_id]
        before = old.get((platform.pk, session.pk))
        one = documents.renewed(platform, Module.SESSIONS, session.pk, body, before)
        renewed.setdefault(platform, []).append(one)
    documents.save(one for each in renewed.values() for one in each)
    for platform, each in sorted(renewed.items(), key=lambda item: item[0].pk):
        news = [one.document for one in each if one.has_news and hub.may_queue(platform, one.document)]
        push.enqueue_states(platform, Module.SESSIONS, [_new_state(document) for document in news])


def _new_state(document: Document) -> push.NewState:
    return push.NewState(document.path, sequence_of(document.object_id), not_before=_due(document))


def _due(document: Document) -> datetime | None:
    """Mere progress is not told at once, and not often."""
    told: Json = document.acknowledged or {}
    if not told.get("status") == document.body["status"] == SessionStatus.ACTIVE:
        return None
    return (document.acknowledged_at or timezone.now()) + settings.SESSION_PROGRESS_INTERVAL


def freeze_cdr(cdr_id: int) -> None:
    """Writes the document of a CDR once; it is sent until the platform has acknowledged it."""
    cdr = CDR.objects.select_related("session__tariff_version", "credited").get(pk=cdr_id)
    platform = RoamingPlatform.objects.filter(peer_id=cdr.session.peer_id).first()
    if platform is None:
        return
    frozen = Document.objects.filter(platform=platform, module=Module.CDRS, source_id=cdr.pk)
    if frozen.filter(problem="").exists():
        return
    _freeze_earlier(cdr, platform)
    body = rendering.cdr(cdr, for_terminals=platform.type == PlatformType.PTP)
    problem = problem_of(Module.CDRS, body)
    # It may have waited for its invoice or for staff, and was in no list so far.
    moment = begin_change(Module.CDRS)
    body["last_updated"] = format_datetime(moment)
    values = {**documents.keys(body), "last_updated": moment, "problem": problem, "is_deleted": bool(problem)}
    document, _ = frozen.update_or_create(platform=platform, module=Module.CDRS, source_id=cdr.pk, defaults=values)
    if not problem and hub.may_queue(platform, document):
        push.enqueue(
            platform, Module.CDRS, document.path, sequence=sequence_of(cdr.session.uid), position=document.source_id
        )


def _freeze_earlier(cdr: CDR, platform: RoamingPlatform) -> None:
    """What became of an earlier CDR of the session may have failed and wait to be tried again: a corrected one must not
    be queued, and sent, before its credit is."""
    written = Document.objects.filter(platform=platform, module=Module.CDRS).values("source_id")
    earlier = CDR.objects.filter(session=cdr.session_id, pk__lt=cdr.pk).exclude(pk__in=written).order_by("pk")
    for cdr_id in earlier.values_list("pk", flat=True):
        for consume in outbox.consumers("cdr"):
            consume(cdr_id)


def sequence_of(session_uid: str) -> str:
    """A session goes before its CDR."""
    return f"session {session_uid}"
