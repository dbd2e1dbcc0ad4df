"""The one way to write master data: the row, `last_updated` of all that contains it and the outbox, together.

Apps above say in their `AppConfig.ready` what follows a change of a model and what forbids it.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Model, ProtectedError, RestrictedError
from django.utils import timezone
from django.utils.translation import gettext, ngettext

from infrastructure import outbox
from infrastructure.models import Location
from infrastructure.services import hierarchy, rules

M = TypeVar("M", bound=Model)
Author = AbstractBaseUser | AnonymousUser | None

_followers: dict[type[Model], list[Callable[[Any], None]]] = defaultdict(list)
_deletion_followers: dict[type[Model], list[Callable[[Any], None]]] = defaultdict(list)
_checks: dict[type[Model], list[Callable[[Any], None]]] = defaultdict(list)
_delete_checks: dict[type[Model], list[Callable[[Any], None]]] = defaultdict(list)


@dataclass(slots=True)
class _Change:
    """What was written so far and still has to be followed up, in order and each object once."""

    rows: dict[tuple[type[Model], Any], Model] = field(default_factory=dict)
    deleted: list[Model] = field(default_factory=list)
    location_ids: set[int] = field(default_factory=set)


_current: ContextVar[_Change | None] = ContextVar("masterdata_change", default=None)


def on_change(model: type[M], follow: Callable[[M], None]) -> None:
    """`follow(obj)` runs in the transaction of a change of `model`, once all rows of the change are written."""
    _followers[model].append(follow)


def on_deleted(model: type[M], follow: Callable[[M], None]) -> None:
    """`follow(obj)` runs in the transaction of a deletion through `delete`; `obj` still has its pk."""
    _deletion_followers[model].append(follow)


def on_check(model: type[M], check: Callable[[M], None]) -> None:
    """`check(obj)` raises ValidationError when `obj` must not be saved as it is."""
    _checks[model].append(check)


def on_delete_check(model: type[M], check: Callable[[M], None]) -> None:
    """`check(obj)` raises ValidationError when `obj` must not be deleted now, nor what it contains."""
    _delete_checks[model].append(check)


@contextmanager
def one_change(author: Author = None) -> Iterator[None]:
    """All saves and deletions inside are one transaction, followed up together at its end.

    So a tariff and its details edited on one page are published once, with all of the edit in it.
    """
    if _current.get() is not None:
        yield
        return
    with transaction.atomic(), outbox.written_by(author or outbox.current_author()):
        token = _current.set(_Change())
        try:
            yield
            settle()
        finally:
            # Before the commit: what runs on it is no longer part of this change.
            _current.reset(token)


def check(obj: Model) -> None:
    """Raises ValidationError, per field where possible, when `obj` must not be saved as it is."""
    rules.check_exposed_ids(obj)
    rules.check_coordinates(obj)
    rules.check_power(obj)
    for refuse in _checks[type(obj)]:
        refuse(obj)


def check_delete(obj: Model) -> None:
    """Raises ValidationError when `obj` must not be deleted now."""
    for refuse in _delete_checks[type(obj)]:
        refuse(obj)


def save(obj: Model) -> None:
    """Writes `obj` and everything that follows. Raises ValidationError.

    Of an existing row only editable fields are written: live data (a status) that a service wrote since `obj`
    was read must survive a slow form.
    """
    with one_change():
        check(obj)
        _note_locations(hierarchy.stored(obj))
        _write(obj)
        note(obj)


def delete(obj: Model) -> None:
    """Deletes `obj` with what it contains and tells of it. Raises ValidationError, also while it is in use."""
    with one_change():
        check_delete(obj)
        location_ids = hierarchy.location_ids(obj)
        pk = obj.pk
        try:
            with transaction.atomic():
                obj.delete()
        except (ProtectedError, RestrictedError) as error:
            raise ValidationError(_in_use(obj, error)) from error
        obj.pk = pk
        hierarchy.touch_parents(obj, timezone.now())
        change = _require_change()
        change.location_ids.update(location_ids)
        change.rows.pop((type(obj), pk), None)
        change.deleted.append(obj)


def note(obj: Model) -> None:
    """Tells that `obj` changed by other means than `save`, for example its many-to-many rows.

    What was noted before moves to the end: a tariff that each of its details notes is followed up once.
    """
    with one_change():
        hierarchy.touch_parents(obj, timezone.now())
        _note_locations(obj)
        rows = _require_change().rows
        rows.pop((type(obj), obj.pk), None)
        rows[type(obj), obj.pk] = obj


def touch_locations(location_ids: Iterable[int]) -> None:
    """Sets `last_updated` of these locations and records each in the outbox, once per change."""
    with one_change():
        _require_change().location_ids.update(location_ids)


def settle() -> None:
    """Follows up now what was written so far in this change; its end does it otherwise."""
    change = _require_change()
    while change.deleted or change.rows:
        if change.deleted:
            _follow(_deletion_followers, change.deleted.pop(0))
        else:
            _follow(_followers, change.rows.pop(next(iter(change.rows))))
    # In the order of their ids, so that two changes at once cannot lock each other out.
    for location_id in sorted(change.location_ids):
        Location.objects.filter(pk=location_id).update(last_updated=timezone.now())
        outbox.record("location", location_id)
    change.location_ids.clear()


def _follow(registry: dict[type[Model], list[Callable[[Any], None]]], obj: Model) -> None:
    for follow in registry[type(obj)]:
        follow(obj)


def _write(obj: Model) -> None:
    fields = obj._meta.concrete_fields
    if any(column.name == "last_updated" for column in fields):
        obj.last_updated = timezone.now()  # type: ignore[attr-defined]
    if obj._state.adding:
        obj.save()
        return
    obj.save(
        update_fields=[
            column.name
            for column in fields
            if (column.editable and not column.primary_key) or column.name == "last_updated"
        ]
    )


def _note_locations(obj: Model | None) -> None:
    if obj is not None:
        _require_change().location_ids.update(hierarchy.location_ids(obj))


def _require_change() -> _Change:
    change = _current.get()
    if change is None:
        raise RuntimeError("only inside masterdata.one_change()")
    return change


def _in_use(obj: Model, error: ProtectedError | RestrictedError) -> str:
    related = error.protected_objects if isinstance(error, ProtectedError) else error.restricted_objects
    names = sorted({f"{other._meta.verbose_name} {other}" for other in related})
    more = len(names) - 3
    named = {"obj": obj, "users": ", ".join(names[:3]), "count": more}
    if more <= 0:
        return gettext("%(obj)s cannot be deleted: it is still used by %(users)s. Delete or change that first.") % named
    return (
        ngettext(
            "%(obj)s cannot be deleted: it is still used by %(users)s and %(count)d more. Delete or change that first.",
            "%(obj)s cannot be deleted: it is still used by %(users)s and %(count)d more. Delete or change that first.",
            more,
        )
        % named
    )
