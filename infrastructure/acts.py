"""What members of staff do by a button in admin is on record: who, what, on which row, and how it ended."""

import re
from typing import Any

from django.contrib import admin
from django.contrib.messages import get_messages
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.utils import translation
from django.utils.html import strip_tags
from django.utils.translation import gettext as _

from infrastructure.history import LONGEST, actor
from infrastructure.models import Act

# Their changes are in the history of the row, from what to what.
EDITS = {"add", "change", "delete", "history"}
MOST_ROWS = 100
# No more digits than every database takes for an integer.
KEY = re.compile("[0-9]{1,18}")


def tell(request: HttpRequest, outcome: str) -> None:
    """For pages whose answer is no message: how it ended, in words and without secrets."""
    request.act_outcome = outcome  # type: ignore[attr-defined]


def call(request: HttpRequest, what: str) -> None:
    """For a page of several buttons: which of them it was, in English."""
    Act.objects.filter(pk__in=getattr(request, "acts", [])).update(what=what[:LONGEST])


def note(obj: Model, who: str, what: str, outcome: str) -> None:
    """What somebody who is no member of staff did that staff must be able to look up: a partner's handshake."""
    label, text = obj._meta.label_lower, str(obj)[:LONGEST]
    Act.objects.create(
        actor=who[:LONGEST], model=label, object_id=str(obj.pk), object_text=text, what=what, outcome=outcome
    )


def begin(request: HttpRequest, object_id: str = "") -> list[int]:
    """Records that a button is pressed. The ids of the rows written, none where nothing can happen."""
    acting, match = actor(), request.resolver_match
    page, verb = _page(str(match.url_name) if match else "")
    if request.method != "POST" or acting is None or acting.user is None or page is None or verb in EDITS:
        return []
    rows = page.get_queryset(request)
    if verb == "changelist":
        verb, ids = request.POST.get("action", ""), _chosen(request)[:MOST_ROWS]
    else:
        ids = [pk for pk in [object_id] if not pk or KEY.fullmatch(pk)]
    if not verb or "\0" in verb or _only_looks(page, verb):
        return []
    texts = _texts(rows, ids)
    # Kept in English, like the histories of rows; the page that shows it looks it up.
    with translation.override("en"):
        what = _name(page, verb)[:LONGEST]
    acts = [
        Act(
            user=acting.user,
            model=page.model._meta.label_lower,
            object_id=str(pk)[:40],
            object_text=texts.get(str(pk), "")[:LONGEST],
            what=what,
        )
        for pk in ids
    ]
    return [act.pk for act in Act.objects.bulk_create(acts)]


def end(request: HttpRequest, response: HttpResponse, acts: list[int]) -> None:
    Act.objects.filter(pk__in=acts).update(outcome=_outcome(request, response))


def _chosen(request: HttpRequest) -> list[str]:
    """The keys of the ticked rows. What cannot be one is taken out of the request: Django asks the database for it."""
    ids = [pk for pk in request.POST.getlist("_selected_action") if KEY.fullmatch(pk)]
    if len(ids) < len(request.POST.getlist("_selected_action")):
        posted = request.POST.copy()
        posted.setlist("_selected_action", ids)
        request.POST = posted  # type: ignore[assignment]
    return ids


def _page(url_name: str) -> tuple[Any, str]:
    """Whose page has this name, and what of it."""
    for model, page in admin.site._registry.items():
        prefix = f"{model._meta.app_label}_{model._meta.model_name}_"
        if url_name.startswith(prefix):
            return page, url_name.removeprefix(prefix)
    return None, ""


def _only_looks(page: Any, verb: str) -> bool:
    return getattr(getattr(page, verb, None), "allowed_permissions", None) == ["view"]


def _name(page: Any, verb: str) -> str:
    return str(getattr(getattr(page, verb, None), "short_description", verb.replace("_", " ").capitalize()))


def _texts(rows: Any, ids: list[str]) -> dict[str, str]:
    """Of those that whoever presses may see."""
    wanted = [pk for pk in ids if pk]
    found: list[Model] = list(rows.filter(pk__in=wanted)) if wanted else []
    with translation.override("en"):
        return {str(row.pk): str(row) for row in found}


def _outcome(request: HttpRequest, response: HttpResponse) -> str:
    told = getattr(request, "act_outcome", "")
    if told or response.status_code >= 400:
        return told or _("Refused or failed: HTTP %(status)s.") % {"status": response.status_code}
    messages: Any = get_messages(request)
    # Shown on this page already, or still waiting for the next one; to iterate over those would take them away.
    said = messages if messages.used else messages._queued_messages
    return " ".join(strip_tags(str(message)) for message in said)
