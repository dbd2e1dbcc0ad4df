"""What a file of one kind holds, and how its rows become objects."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import tablib
from django.core.exceptions import NON_FIELD_ERRORS, ObjectDoesNotExist, ValidationError
from django.db.models import Model, QuerySet
from django.utils.translation import gettext_lazy as _
from import_export.instance_loaders import ModelInstanceLoader
from import_export.resources import Resource
from import_export.results import Result

from infrastructure.access import User
from infrastructure.exchange.columns import Column
from infrastructure.services import masterdata

MOST_EXPORTED = 100_000


class Problem(NamedTuple):
    """Of a row as the spreadsheet counts it (the headers are row 1; 0: of the file), in a column or of all of it."""

    row: int
    column: str
    text: str


class TooMany(ValueError):
    """In words: an export that a spreadsheet could not hold."""


class TableResource(Resource):
    """Columns of a list, for export alone."""

    related: Sequence[str] = ()
    prefetched: Sequence[Any] = ()

    class Meta:
        instance_loader_class = ModelInstanceLoader

    def __init__(self, *, user: User, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.user = user

    @classmethod
    def get_display_name(cls) -> str:
        return str(cls._meta.name)

    def filter_export(self, queryset: Any, **kwargs: Any) -> Any:
        if queryset.count() > MOST_EXPORTED:
            raise TooMany(
                _("More than %(most)d rows are more than a spreadsheet holds. Filter the list first.")
                % {"most": MOST_EXPORTED}
            )
        if self.related:
            queryset = queryset.select_related(*self.related)
        return queryset.prefetch_related(*self.prefetched)

    def get_chunk_size(self) -> int:
        return 2000


class Undone(Exception):
    def __init__(self, result: Result) -> None:
        self.result = result


class ServiceResource(TableResource):
    """Rows that are imported as one change through `masterdata`, each checked as a page of the admin checks it.

    `key` names the columns that tell which object a row means. `parent` names the foreign key of an object that the
    rows carry along (the EVSE of a connector, the tariff of a detail): it is added or changed with them.
    `examples` are the rows of the file that people may begin with.
    """

    key: Sequence[str] = ()
    parent = ""
    examples: Sequence[Sequence[str]] = ()

    class Meta(TableResource.Meta):
        skip_unchanged = True
        report_skipped = True
        use_transactions = True

    def __init__(self, *, user: User, **kwargs: Any) -> None:
        super().__init__(user=user, **kwargs)
        self.seen: dict[Any, int] = {}
        self.parent_cells: dict[Any, tuple[int, dict[str, str]]] = {}
        self.row_number = 0
        self.present: set[str] = set()

    # What a kind of file says

    def find(self, row: dict[str, str]) -> Model | None:
        """The object that the row means, among those of the user; ValidationError when it cannot be told."""
        raise NotImplementedError

    def begin(self, row: dict[str, str]) -> Model:
        """A new object, with its new or existing parent."""
        return self._meta.model()

    def write(self, instance: Any, is_new: bool) -> None:
        masterdata.save(instance)

    def finish(self) -> None:
        """Checks of the whole once all rows are written; ValidationError undoes them."""

    # How the library calls it

    def import_data(self, dataset: Any, dry_run: bool = False, **kwargs: Any) -> Result:
        """All rows or none; what follows a change (documents, pushes) follows once, at the end."""
        self.present = {_folded(header) for header in dataset.headers}
        try:
            with masterdata.one_change(self.user):
                kwargs |= {"use_transactions": True, "rollback_on_validation_errors": True, "user": self.user}
                result = super().import_data(dataset, dry_run=dry_run, **kwargs)
                if dry_run or result.has_errors() or result.has_validation_errors():
                    raise Undone(result)
        except Undone as undone:
            return undone.result
        return result

    def get_import_fields(self) -> list[Column]:
        """The columns that the file has: the preview shows no others."""
        fields: list[Column] = super().get_import_fields()
        return [field for field in fields if not self.present or _folded(field.column_name) in self.present]

    def before_import(self, dataset: tablib.Dataset, **kwargs: Any) -> None:
        known = {_folded(field.column_name): field.column_name for field in self.fields.values()}
        unknown = [header for header in dataset.headers if _folded(header) not in known]
        if unknown:
            values = {"columns": ", ".join(unknown), "known": ", ".join(known.values())}
            raise ValidationError(_("Unknown columns: %(columns)s. Known are: %(known)s.") % values)
        dataset.headers = [known[_folded(header)] for header in dataset.headers]
        twice = sorted({header for header in dataset.headers if dataset.headers.count(header) > 1})
        if twice:
            raise ValidationError(_("Columns that are there twice: %(columns)s.") % {"columns": ", ".join(twice)})
        missing = [name for name in self.key if name not in dataset.headers]
        if missing:
            raise ValidationError(
                _("Columns that are missing: %(columns)s. They tell which row is meant.")
                % {"columns": ", ".join(missing)}
            )

    def import_row(self, row: Any, instance_loader: Any, **kwargs: Any) -> Any:
        self.row_number = kwargs["row_number"] + 1
        return super().import_row(row, instance_loader, **kwargs)

    def before_import_row(self, row: dict[str, str], **kwargs: Any) -> None:
        if not any(row.values()):
            raise ValidationError(_("This row is empty. Delete it."))
        key = self.key_of(row)
        if key in self.seen:
            raise ValidationError(_("The same as row %(row)d. Keep one of them.") % {"row": self.seen[key]})
        self.seen[key] = self.row_number

    def key_of(self, row: dict[str, str]) -> Any:
        return tuple(row[name].casefold() for name in self.key)

    def get_instance(self, instance_loader: Any, row: dict[str, str]) -> Model | None:
        return self.find(row)

    def init_instance(self, row: dict[str, str] | None = None) -> Model:
        return self.begin(row or {})

    def import_instance(self, instance: Any, row: dict[str, str], **kwargs: Any) -> None:
        if self.parent:
            row = self._agreeing(instance, row)
        super().import_instance(instance, row, **kwargs)

    def _agreeing(self, instance: Any, row: dict[str, str]) -> dict[str, str]:
        """The row without what an earlier row said of the same parent already; ValidationError where they differ."""
        prefix = f"{self.parent}__"
        names = {field.column_name: field for field in self._columns() if field.attribute.startswith(prefix)}
        cells = {name: row[name] for name in names if name in row}
        number, before = self.parent_cells.setdefault(self.parent_key(row), (self.row_number, cells))
        if number == self.row_number:
            return row
        errors = {
            names[name].attribute: _("Row %(row)d says “%(value)s” of the same. Let them agree, or leave this empty.")
            % {"row": number, "value": before[name]}
            for name, text in cells.items()
            if text and text.casefold() != before[name].casefold()
        }
        if errors:
            raise ValidationError(errors)
        return {name: text for name, text in row.items() if name not in names}

    def parent_key(self, row: dict[str, str]) -> Any:
        return tuple(row[name].casefold() for name in self.key[:-1])

    def validate_instance(
        self, instance: Any, import_validation_errors: Any = None, validate_unique: bool = True
    ) -> None:
        errors: dict[str, Any] = dict(import_validation_errors or {})
        exclude = set(errors)
        is_whole = True
        if self.parent:
            owner = getattr(instance, self.parent)
            exclude.add(self.parent)
            is_whole = not owner._state.adding
            with _collected(errors, f"{self.parent}__"):
                owner.full_clean(exclude={name.rpartition("__")[2] for name in errors})
        if self.has_own_part(instance):
            with _collected(errors):
                instance.full_clean(exclude=exclude, validate_unique=is_whole, validate_constraints=is_whole)
        if errors:
            raise ValidationError({name: self._for_a_cell(name, found) for name, found in errors.items()})

    def _for_a_cell(self, attribute: str, found: Any) -> Any:
        """“This field cannot be null” is no help in a spreadsheet: what belongs there is."""
        explained = {field.attribute: field.explained for field in self._columns()}
        if not isinstance(found, list) or attribute not in explained:
            return found
        empty = _("This cell must not be empty. %(explained)s") % {"explained": explained[attribute]}
        return [empty if error.code in ("null", "blank") else error for error in found]

    def has_own_part(self, instance: Any) -> bool:
        """False for a row that holds its parent alone."""
        return True

    def do_instance_save(self, instance: Any, is_create: bool) -> None:
        if self.parent:
            owner = getattr(instance, self.parent)
            try:
                self.write_parent(owner)
            except ValidationError as error:
                raise ValidationError(_with_prefix(error, f"{self.parent}__")) from error
            setattr(instance, self.parent, owner)
        if self.has_own_part(instance):
            self.write(instance, is_create)

    def write_parent(self, owner: Any) -> None:
        before = None if owner._state.adding else type(owner)._base_manager.get(pk=owner.pk)
        names = [column.attname for column in owner._meta.concrete_fields]
        if before is None or any(getattr(owner, name) != getattr(before, name) for name in names):
            masterdata.save(owner)

    def after_import(self, dataset: Any, result: Result, **kwargs: Any) -> None:
        if result.has_errors() or result.has_validation_errors():
            return
        self.finish()
        # Now, while the dry run can still tell what those who follow refuse.
        masterdata.settle()

    # What the pages show

    def _columns(self) -> list[Column]:
        return list(self.fields.values())

    def example(self) -> tablib.Dataset:
        return tablib.Dataset(*self.examples, headers=[field.column_name for field in self._columns()])

    def problems(self, result: Result) -> Iterator[Problem]:
        for base in result.base_errors:
            yield from (Problem(0, "", text) for text in _texts(base.error))
        if result.base_errors:
            return
        for error_row in result.error_rows:
            for error in error_row.errors:
                yield from (Problem(error_row.number + 1, "", text) for text in _texts(error.error))
        for invalid in result.invalid_rows:
            for name, texts in invalid.error_dict.items():
                title = "" if name == NON_FIELD_ERRORS else self._title_of(name)
                yield from (Problem(invalid.number + 1, title, text) for text in texts)

    def _title_of(self, attribute: str) -> str:
        names = {field.attribute: field.column_name for field in self._columns()}
        return names.get(attribute, attribute.rpartition("__")[2].replace("_", " "))


class _collected(suppress):
    """Adds the errors of a ValidationError to a dictionary."""

    def __init__(self, errors: dict[str, Any], prefix: str = "") -> None:
        super().__init__(ValidationError)
        self.errors, self.prefix = errors, prefix

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool:
        if isinstance(error, ValidationError):
            for name, found in _with_prefix(error, self.prefix).items():
                self.errors.setdefault(name, []).extend(found)
        return bool(super().__exit__(kind, error, trace))


def _with_prefix(error: ValidationError, prefix: str) -> dict[str, Any]:
    found = error.error_dict if hasattr(error, "error_dict") else {NON_FIELD_ERRORS: error.error_list}
    return {name if name == NON_FIELD_ERRORS else prefix + name: list(errors) for name, errors in found.items()}


def _texts(error: Exception) -> list[str]:
    if isinstance(error, ValidationError):
        return list(error.messages)
    return [str(error) or type(error).__name__]


def _folded(header: str) -> str:
    return " ".join(str(header).replace("_", " ").casefold().split())


def only(queryset: QuerySet[Any], none: Any, several: Any) -> Any:
    """The one row of `queryset`; ValueError in words where there is none or several."""
    rows = list(queryset[:2])
    if len(rows) == 1:
        return rows[0]
    raise ValueError(several if rows else none)


def as_error(attribute: str, find: Callable[[], Any]) -> Any:
    """What `find` gives; its ValueError as an error of that column."""
    try:
        return find()
    except (ValueError, ObjectDoesNotExist) as error:
        raise ValidationError({attribute: str(error)}) from error
