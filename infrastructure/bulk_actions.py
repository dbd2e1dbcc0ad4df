"""What staff do to many rows of a list: explained before it is done, done row by row, told in one message."""

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from unfold.decorators import action
from unfold.widgets import UnfoldAdminTextareaWidget

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

# More at once is a mistake more often than a wish, and Django takes 1000 fields of a form.
MOST = 500
NAMED = 10


class TextForm(forms.Form):
    text = forms.CharField(max_length=2000, widget=UnfoldAdminTextareaWidget())


def bulk_action(
    *,
    description: "StrPromise",
    permission: str,
    explanation: "StrPromise",
    is_danger: bool = False,
    asks: "StrPromise | None" = None,
) -> Callable[[Callable[..., None]], Any]:
    """Of a method of an admin that does it to one row, and raises ValidationError with the reason why it cannot.

    It gets the request, the row, and the text where `asks` names one. Each row is asked for by itself whether this
    person may (`has_<permission>_permission(request, row)`).
    """

    def decorate(do: Callable[..., None]) -> Any:
        @wraps(do)
        def run(page: Any, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
            found = list(queryset[: MOST + 1])
            if len(found) > MOST:
                messages.error(request, _("Choose at most %(most)d rows at once.") % {"most": MOST})
                return None
            form = TextForm(request.POST if "confirmed" in request.POST else None) if asks else None
            if form is not None:
                form.fields["text"].label = asks
            if "confirmed" in request.POST and (form is None or form.is_valid()):
                given = (form.cleaned_data["text"],) if form is not None else ()
                _carry_out(
                    page, request, found, str(description), permission, lambda row: do(page, request, row, *given)
                )
                return None
            context = {"explanation": explanation, "is_danger": is_danger, "form": form, "button": description}
            return _asked(page, request, found, context)

        return action(description=description, permissions=[permission])(run)

    return decorate


def _asked(page: Any, request: HttpRequest, found: list[Any], context: dict[str, Any]) -> HttpResponse:
    options = page.model._meta
    name = options.verbose_name if len(found) == 1 else options.verbose_name_plural
    shared = {
        "title": f"{context['button']}: {len(found)} {capfirst(name)}",
        "opts": options,
        "rows": found[:NAMED],
        "more": max(0, len(found) - NAMED),
        "action": request.POST.get("action", ""),
        # Those that were counted, also where "all" were chosen: none that came meanwhile.
        "chosen": [row.pk for row in found],
        "checkbox": ACTION_CHECKBOX_NAME,
        "back_url": request.get_full_path(),
    }
    return TemplateResponse(
        request, "infrastructure/bulk_action.html", {**page.admin_site.each_context(request), **shared, **context}
    )


def _carry_out(
    page: Any, request: HttpRequest, rows: list[Any], name: str, permission: str, do: Callable[[Any], None]
) -> None:
    may = getattr(page, f"has_{permission}_permission")
    done, refused = 0, []
    for row in rows:
        try:
            if not may(request, row):
                raise ValidationError(_("You may not do this."))
            do(row)
        except ValidationError as error:
            refused.append(f"{row}: {' '.join(error.messages)}")
        else:
            done += 1
    _tell(request, name, done, refused)


def _tell(request: HttpRequest, name: str, done: int, refused: list[str]) -> None:
    if not refused:
        text = ngettext("%(name)s: done for %(done)d row.", "%(name)s: done for %(done)d rows.", done)
        messages.success(request, text % {"name": name, "done": done})
        return
    text = _("%(name)s: done for %(done)d of %(count)d. Not for %(refused)s")
    named = "; ".join(refused[:NAMED])
    if len(refused) > NAMED:
        named = _("%(first)s; and %(n)d more") % {"first": named, "n": len(refused) - NAMED}
    tell = messages.warning if done else messages.error
    tell(request, text % {"name": name, "done": done, "count": done + len(refused), "refused": named})
