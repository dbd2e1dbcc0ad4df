"""Forms of the admin: what a service would refuse is said at the field, before anything is written."""

from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Any

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db.models import F, Model, UniqueConstraint
from django.utils import timezone
from django.utils.formats import localize
from django.utils.html import format_html_join
from django.utils.safestring import mark_safe
from django.utils.text import get_text_list
from django.utils.translation import gettext_lazy
from django.utils.translation import gettext_lazy as _
from unfold.forms import PaginationInlineFormSet
from unfold.widgets import (
    UnfoldAdminSelect2MultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from infrastructure.choices import as_choices
from infrastructure.services import masterdata, rules

# Characters of a code of a country, a currency or a party.
LONGEST_CODE = 3


class ServiceForm(forms.ModelForm):
    """A model form that asks the services' checks, too."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            if (getattr(field, "max_length", None) or LONGEST_CODE + 1) <= LONGEST_CODE:
                # Browsers cut what is too long without a word: AUT would become AU, which is Australia.
                field.widget.attrs.pop("maxlength", None)

    def has_changed(self) -> bool:
        # Who adds a row and agrees with all that it proposes wants it: Django would drop it without a word.
        return self.instance._state.adding or super().has_changed()

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        if self.errors or not self.has_changed():
            return
        try:
            masterdata.check(self.instance)
        except ValidationError as error:
            self._add_service_error(error)

    def _add_service_error(self, error: ValidationError) -> None:
        """An error may name a field that this form does not show; then it belongs to the whole form."""
        if not hasattr(error, "error_dict"):
            self.add_error(None, error)
            return
        for name, errors in error.error_dict.items():
            shown = name in self.fields or name == NON_FIELD_ERRORS
            self.add_error(name if shown else None, ValidationError(errors))


class ServiceFormSet(PaginationInlineFormSet):
    """Rows of an inline: also refuses two rows of one form with the same unique values, and guarded deletions."""

    def clean(self) -> None:
        super().clean()
        for form in self.deleted_forms:
            if form.instance.pk:
                self._check_deletion(form.instance)
        kept = [form for form in self.forms if form.is_valid() and self._is_kept(form)]
        for constraint in self.model._meta.constraints:
            if isinstance(constraint, UniqueConstraint):
                self._check_unique(constraint, kept)

    def _is_kept(self, form: Any) -> bool:
        return bool(form.instance.pk or form.has_changed()) and form not in self.deleted_forms

    def _check_deletion(self, instance: Model) -> None:
        try:
            masterdata.check_delete(instance)
        except ValidationError as error:
            raise ValidationError(f"{instance}: {' '.join(error.messages)}") from error

    def _check_unique(self, constraint: UniqueConstraint, kept: list[Any]) -> None:
        # Django's own check of a formset does not know constraints that are written as expressions.
        fields = [self.model._meta.get_field(name) for name in _field_names(constraint)]
        seen = set()
        for form in kept:
            values = tuple(str(getattr(form.instance, field.attname)).upper() for field in fields)
            if constraint.condition is not None and "" in values:
                continue
            if values in seen:
                labels: list[Any] = [str(field.verbose_name) for field in fields if field != self.fk]
                raise ValidationError(
                    _("Two rows have the same %(labels)s.") % {"labels": get_text_list(labels, _("and"))}
                )
            seen.add(values)


def _field_names(constraint: UniqueConstraint) -> list[str]:
    """Attribute names of the fields of a constraint, whether given as fields, F() or Upper(F())."""
    if constraint.fields:
        return list(constraint.fields)
    return [name for part in constraint.expressions for name in _names_in(part)]


def _names_in(expression: Any) -> list[str]:
    return [str(part.name) for part in (expression, *_sources(expression)) if hasattr(part, "name")]


def _sources(expression: Any) -> list[Any]:
    return [] if isinstance(expression, F) else list(expression.get_source_expressions())


class ChoiceListField(forms.MultipleChoiceField):
    """A list of values of an enumeration, as our JSON lists keep them."""

    def __init__(self, enum: type[StrEnum], **kwargs: Any) -> None:
        super().__init__(
            choices=[(value, gettext_lazy(words)) for value, words in as_choices(enum)],
            required=False,
            widget=UnfoldAdminSelect2MultipleWidget(),
            **kwargs,
        )


class JSONDataField(forms.JSONField):
    """JSON as text; an emptied box means what the model's column takes for nothing: null or an empty list."""

    def __init__(self, *, nothing: Any, **kwargs: Any) -> None:
        super().__init__(required=False, widget=UnfoldAdminTextareaWidget({"rows": 3}), **kwargs)
        self.nothing = nothing

    def prepare_value(self, value: Any) -> Any:
        return "" if value in (None, [], {}) else super().prepare_value(value)

    def to_python(self, value: Any) -> Any:
        read = super().to_python(value)
        return self.nothing if read is None else read


class NumberField(forms.DecimalField):
    """A number as text: a browser's number field takes “0,59” for 59 where its own language has a decimal point."""

    widget = UnfoldAdminTextInputWidget

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        return {"inputmode": "decimal"}

    def prepare_value(self, value: Any) -> Any:
        """Without trailing zeros, as the reader's language writes it."""
        if not isinstance(value, Decimal) or not value.is_finite():
            return value
        return localize(Decimal(f"{value.normalize():f}"), use_l10n=True)

    def to_python(self, value: Any) -> Any:
        is_comma = isinstance(value, str) and value.count(",") == 1 and "." not in value
        return super().to_python(value.replace(",", ".") if is_comma else value)


class CoordinateField(NumberField):
    """Degrees as maps give them, with many decimals: six (10 cm) are kept."""

    def __init__(self, *, column: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.column = column

    def to_python(self, value: Any) -> Any:
        degrees = super().to_python(value)
        if degrees is None or not degrees.is_finite() or abs(degrees) > 1000:
            return degrees
        return degrees.quantize(Decimal("0.000001"), ROUND_HALF_UP)

    def validate(self, value: Any) -> None:
        super().validate(value)
        if value is not None:
            # Before anybody counts its digits, which says nothing to who has swapped the two.
            rules.check_degrees(self.column, value)


class WallTimeField(forms.DateTimeField):
    """What the clock at some place shows, kept as if it were UTC, whatever the zone of the page."""

    def to_python(self, value: Any) -> datetime | None:
        with timezone.override(UTC):
            return super().to_python(value)


class LongSelect(UnfoldAdminSelectWidget):
    """Of what there may be a thousand: Django opens templates for each option, which takes longer than all else on a
    page."""

    template_name = "infrastructure/long_select.html"

    def optgroups(self, *args: Any) -> list[Any]:
        return []

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        marks = {chosen: mark_safe(" selected") for chosen in context["widget"]["value"]}
        rows = ((key, marks.get(str(key), ""), label) for key, label in self.choices)
        return context | {"options": format_html_join("", '<option value="{}"{}>{}</option>', rows)}
