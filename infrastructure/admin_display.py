"""How values look in admin: badges and pretty JSON, on detail pages as in lists."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, tzinfo
from functools import cache, wraps
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Model
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from unfold.decorators import display as unfold_display
from unfold.utils import display_for_label

from infrastructure.sentences import said

READINESS_COLOURS = {"ready": "success", "partly": "warning", "not ready": "danger"}


class _Colours(dict[str, str]):
    """Unfold would show the key instead of the words where it finds no colour."""

    def __missing__(self, key: str) -> str:
        return "default"


class Badge(tuple[str, str]):
    """(key, words). Unfold colours it in lists; a read-only detail page asks a value for its HTML."""

    colours: _Colours

    def __html__(self) -> str:
        return str(display_for_label(tuple(self), "-", self.colours))


def display(*, label: Mapping[Any, str] | None = None, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Unfold's `display`, whose `label` (key: colour) also holds on detail pages.

    The method gives the words, or (key, words); nothing shows "-".
    """
    if label is None:
        return unfold_display(**options)
    colours = _Colours(label)

    def decorate(method: Callable[..., Any]) -> Any:
        @wraps(method)
        def shown(*args: Any) -> Any:
            return _badge(method(*args), colours)

        return unfold_display(label=colours, **options)(shown)

    return decorate


def ready_or_why_not(reasons: list[str]) -> tuple[str, str]:
    """For a `display` with READINESS_COLOURS."""
    return ("not ready", reasons[0]) if reasons else ("ready", gettext("ready"))


def _badge(value: Any, colours: _Colours) -> Any:
    if not value:
        return value
    badge = Badge(value if isinstance(value, tuple) else (value, value))
    badge.colours = colours
    return badge


def shown_json(value: Any) -> SafeString:
    """JSON to read: indented, monospaced, wrapped; nothing of an empty value."""
    if value in (None, "", [], {}):
        return format_html("{}", "-")
    text = json.dumps(value, indent=2, ensure_ascii=False, default=str)
    return format_html('<pre class="desk-json">{}</pre>', text)


@cache
def json_column(field: Any) -> Callable[[Any], SafeString]:
    """A column for `fieldsets` that shows a JSON field."""

    def column(obj: Any) -> SafeString:
        return shown_json(getattr(obj, field.attname))

    column.short_description = field.verbose_name  # type: ignore[attr-defined]
    return column


def moment(at: datetime | None, zone: tzinfo | None = None, *, is_exact: bool = False) -> str:
    """Date and time on the clock of `zone` (the site's unless told), with UTC for who points at it; "-" for none.

    `is_exact`: with milliseconds, for what is compared with logs of others.
    """
    if at is None:
        return "-"
    return _time(at, zone, f"%Y-%m-%d %H:%M:%S.{at.microsecond // 1000:03d}" if is_exact else "%Y-%m-%d %H:%M:%S")


def _time(at: datetime, zone: tzinfo | None, form: str) -> SafeString:
    utc, local = at.astimezone(UTC), timezone.localtime(at, zone)
    return format_html(
        '<time datetime="{}" title="{} UTC">{} {}</time>',
        utc.isoformat(),
        utc.strftime(form),
        local.strftime(form),
        f"{local:%Z}",
    )


_WRITTEN = re.compile(r"\b(\d{4}-\d\d-\d\d \d\d:\d\d) UTC\b")
_WRITTEN_FORM = "%Y-%m-%d %H:%M"


def sentence(text: str, zone: tzinfo | None = None) -> SafeString:
    """What was written down in English, in the reader's language; the moments in it as `moment` shows them."""
    parts = _WRITTEN.split(said(text))
    shown = (_written(part, zone) if index % 2 else part for index, part in enumerate(parts))
    return format_html_join("", "{}", ((part,) for part in shown))


def _written(text: str, zone: tzinfo | None) -> str:
    try:
        return _time(datetime.strptime(text, _WRITTEN_FORM).replace(tzinfo=UTC), zone, _WRITTEN_FORM)
    except (ValueError, OverflowError):  # in a partner's words
        return f"{text} UTC"


# Over which a row leads to the area where it happened, nearest first.
_TO_THE_AREA = ("cdr", "session", "connector", "evse", "charger", "location", "operator")


def zone_of(obj: Any) -> tzinfo | None:
    """The zone of the area where something happened; None for what happened nowhere in particular.

    Only from what is loaded: a list must not ask once per row.
    """
    if name := obj.__dict__.get("time_zone"):
        return ZoneInfo(name)
    holders = (obj._state.fields_cache.get(relation) for relation in _TO_THE_AREA)
    return next((zone for holder in holders if holder is not None and (zone := zone_of(holder))), None)


@cache
def time_column(field: Any) -> Callable[[Any], str]:
    """A column for lists and `fieldsets` that shows a DateTimeField."""

    def column(obj: Any) -> str:
        return moment(getattr(obj, field.attname), zone_of(obj))

    column.short_description = field.verbose_name  # type: ignore[attr-defined]
    column.admin_order_field = field.name  # type: ignore[attr-defined]
    return column


@cache
def sentence_column(field: Any) -> Callable[[Any], str]:
    """A column that says in the language of the reader what was written down in English."""

    def column(obj: Any) -> str:
        return sentence(getattr(obj, field.attname), zone_of(obj)) or "-"

    column.short_description = field.verbose_name  # type: ignore[attr-defined]
    column.admin_order_field = field.name  # type: ignore[attr-defined]
    return column


def table(head: Iterable[str], rows: Iterable[Iterable[Any]]) -> SafeString:
    """A small table; on a phone its rows stand below each other, each cell beside the name of its column."""
    names = list(head)
    heads = format_html_join("", "<th>{}</th>", ((text,) for text in names))
    body = format_html_join("", "<tr>{}</tr>", ((_cells(names, row),) for row in rows))
    return format_html(
        '<div class="desk-scroll"><table class="desk-table desk-rows">'
        "<thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>",
        heads,
        body,
    )


def _cells(names: list[str], row: Iterable[Any]) -> SafeString:
    return format_html_join("", '<td data-label="{}">{}</td>', zip(names, row, strict=True))


def link(obj: Model, text: str = "") -> SafeString:
    """To the page of `obj` in admin."""
    address = reverse(f"admin:{obj._meta.app_label}_{obj._meta.model_name}_change", args=[obj.pk])
    return format_html('<a href="{}" class="text-link">{}</a>', address, text or obj)


def pretty_text(text: str) -> SafeString:
    """Text that may be JSON: indented if it is, as it stands otherwise."""
    try:
        shown = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        shown = text
    return format_html('<pre class="desk-json">{}</pre>', shown)


def bullets(reasons: list[str]) -> str:
    items = format_html_join("", "<li>{}</li>", ((reason,) for reason in reasons))
    return format_html('<ul class="list-disc ml-4">{}</ul>', items) if reasons else ""
