"""Columns of such a file: what a person types, and what the model holds."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, tzinfo
from decimal import Decimal, InvalidOperation
from typing import Any

from django.db import models
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from import_export.fields import Field
from import_export.widgets import Widget

YES = ("yes", "true", "1", "y", "x", "ja", "wahr")
NO = ("no", "false", "0", "n", "nein", "falsch")
MOMENTS = ("%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d", "%d.%m.%Y %H:%M", "%d.%m.%Y")


class Cell(Widget):
    """Reads a text and gives a value; raises ValueError in words for the person who typed it."""

    def clean(self, value: str, row: Any = None, **kwargs: Any) -> Any:
        return value

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> Any:
        return "" if value is None else value


class YesNo(Cell):
    def clean(self, value: str, row: Any = None, **kwargs: Any) -> Any:
        if value.lower() in YES:
            return True
        if value.lower() in NO:
            return False
        raise ValueError(_("“%(value)s” is neither yes nor no.") % {"value": value})

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> Any:
        return "" if value is None else "yes" if value else "no"


class Whole(Cell):
    def clean(self, value: str, row: Any = None, **kwargs: Any) -> Any:
        number = _number(value)
        if number != number.to_integral_value():
            raise ValueError(_("“%(value)s” is no whole number.") % {"value": value})
        return int(number)


class Number(Cell):
    """With a decimal point or comma; thousands are not separated."""

    def clean(self, value: str, row: Any = None, **kwargs: Any) -> Any:
        return _number(value)

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> Any:
        if not isinstance(value, Decimal):
            return "" if value is None else value
        return Decimal(f"{value.normalize():f}")


def _number(value: str) -> Decimal:
    try:
        number = Decimal(value.replace(",", "."))
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or abs(number) >= Decimal(10) ** 18:
        raise ValueError(
            _(
                "“%(value)s” is no number. Write it without unit and without separating thousands, "
                "for example 0.49 or 32."
            )
            % {"value": value}
        )
    return number


class OneOf(Cell):
    """A value of an enumeration, or its words."""

    def __init__(self, choices: Iterable[tuple[str, Any]]) -> None:
        super().__init__()
        self.choices = [(str(value), str(label)) for value, label in choices]

    def clean(self, value: str, row: Any = None, **kwargs: Any) -> Any:
        for key, label in self.choices:
            if value.casefold() in (key.casefold(), label.casefold()):
                return key
        values = {"value": value, "all": ", ".join(key for key, _label in self.choices)}
        raise ValueError(_("“%(value)s” is not known here. Use one of: %(all)s.") % values)


class SomeOf(OneOf):
    """Several of them, separated by commas."""

    def clean(self, value: str, row: Any = None, **kwargs: Any) -> Any:
        return [super(SomeOf, self).clean(part) for part in split(value)]

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> Any:
        return ", ".join(map(str, value or ()))


class Moment(Cell):
    """Date and time on the clock of `zone`."""

    def __init__(self, zone: Callable[[], tzinfo] = lambda: UTC) -> None:
        super().__init__()
        self.zone = zone

    def clean(self, value: str, row: Any = None, **kwargs: Any) -> Any:
        for pattern in MOMENTS:
            try:
                return datetime.strptime(value, pattern).replace(tzinfo=self.zone())
            except ValueError:
                continue
        raise ValueError(_("“%(value)s” is no date and time, for example 2026-05-01 08:00.") % {"value": value})

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> Any:
        return "" if value is None else f"{timezone.localtime(value, self.zone()):%Y-%m-%d %H:%M}"


class Found(Cell):
    """Another row by its name: `find` raises ValueError when there is none, or none that the user may use."""

    def __init__(self, find: Callable[[str, Any], Any], name: Callable[[Any], str] = str) -> None:
        super().__init__()
        self.find, self.name = find, name

    def clean(self, value: str, row: Any = None, **kwargs: Any) -> Any:
        return self.find(value, kwargs.get("user"))

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> Any:
        return "" if value is None else self.name(value)


class FoundAll(Found):
    def clean(self, value: str, row: Any = None, **kwargs: Any) -> Any:
        return sorted((self.find(part, kwargs.get("user")) for part in split(value)), key=lambda one: one.pk)

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> Any:
        return ", ".join(self.name(one) for one in value or ())


def split(value: str) -> list[str]:
    return [part.strip() for part in value.replace(";", ",").split(",") if part.strip()]


class Column(Field):
    """`name` is the header. `explained` and `example` are what the page of the import says of it.

    An empty cell is `empty`; without one it means what the model's column begins with.
    """

    def __init__(self, attribute: str, name: str, cell: Cell, *, empty: Any, explained: Any = "", example: str = ""):
        super().__init__(attribute=attribute, column_name=name, widget=cell)
        self.empty, self.explained, self.example = empty, explained, example

    def clean(self, row: Any, **kwargs: Any) -> Any:
        text = row[self.column_name]
        return self.widget.clean(text, row=row, **kwargs) if text else self.empty_value

    @cached_property
    def empty_value(self) -> Any:
        return self.empty() if callable(self.empty) else self.empty


def column(
    model: type[models.Model],
    attribute: str,
    name: str = "",
    *,
    cell: Cell | None = None,
    explained: Any = "",
    example: str = "",
) -> Column:
    """The column of a model's field; `attribute` may lead through a foreign key: evse__evse_id."""
    field: Any = None
    for part in attribute.split("__"):
        field = (field.related_model if field else model)._meta.get_field(part)
    return Column(
        attribute,
        name or str(field.verbose_name),
        cell or _cell_of(field),
        empty=_empty(field),
        explained=explained or field.help_text,
        example=example,
    )


def _cell_of(field: "models.Field[Any, Any]") -> Cell:
    match field:
        case models.BooleanField():
            return YesNo()
        case models.DecimalField():
            return Number()
        case models.IntegerField():
            return Whole()
        case models.DateTimeField():
            return Moment()
    return OneOf(field.choices) if field.choices else Cell()


def _empty(field: "models.Field[Any, Any]") -> Any:
    if field.has_default():
        return field.default
    return None if field.null else ""
