"""What a browser would send back of an admin page that nobody touched."""

from typing import Any

from django.forms import BoundField


def form_data(response: Any) -> dict[str, Any]:
    data: dict[str, Any] = {}
    forms = [response.context["adminform"].form]
    for inline in response.context["inline_admin_formsets"]:
        forms += [inline.formset.management_form, *inline.formset.initial_forms]
    for form in forms:
        for bound in form:
            _add(data, bound)
    return data


def _add(data: dict[str, Any], bound: BoundField) -> None:
    widget, value = bound.field.widget, bound.value()
    if hasattr(widget, "widgets"):
        for index, part in enumerate(widget.decompress(value)):
            data[f"{bound.html_name}_{index}"] = "" if part is None else str(part)
    elif isinstance(value, bool):
        if value:
            data[bound.html_name] = "on"
    else:
        data[bound.html_name] = "" if value is None else value
