"""The base of every admin page: writes go through services, reads are scoped by operator."""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any

from django.contrib import messages
from django.contrib.admin.sites import AdminSite
from django.contrib.admin.utils import flatten
from django.core.exceptions import ValidationError
from django.db.models import JSONField, Model, QuerySet, URLField
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.text import capfirst
from unfold.admin import ModelAdmin, StackedInline, TabularInline
from unfold.checks import UnfoldModelAdminChecks
from unfold.contrib.filters.admin import RelatedDropdownFilter

from infrastructure import access, admin_display, panels
from infrastructure.admin_forms import (
    ChoiceListField,
    CoordinateField,
    JSONDataField,
    ServiceForm,
    ServiceFormSet,
)
from infrastructure.models import Site
from infrastructure.services import masterdata


class TablelessChecks(UnfoldModelAdminChecks):
    """Unfold's checks without the one that reads permissions: checks run before the first migration, too."""

    def _check_unfold_action_permission_methods(self, obj: Any) -> list[Any]:
        return []


class ScopedMixin:
    """Rows, and choices of related rows, of the operators of the user only.

    `choice_lists` maps a JSON field that holds a list to the enumeration of its values.
    """

    model: type[Model]
    choice_lists: Mapping[str, type[StrEnum]] = {}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return access.scope(super().get_queryset(request), request.user)  # type: ignore[misc]

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        kwargs.setdefault("queryset", _choices(db_field.related_model, request))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)  # type: ignore[misc]

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        kwargs.setdefault("queryset", _choices(db_field.related_model, request))
        return super().formfield_for_manytomany(db_field, request, **kwargs)  # type: ignore[misc]

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        texts = {"label": capfirst(db_field.verbose_name), "help_text": db_field.help_text}
        if db_field.name in self.choice_lists:
            return ChoiceListField(self.choice_lists[db_field.name], **texts)
        if isinstance(db_field, JSONField):
            return JSONDataField(nothing=None if db_field.null else [], **texts)
        if db_field.name in ("latitude", "longitude"):
            kwargs["form_class"] = CoordinateField
        if isinstance(db_field, URLField):
            kwargs.setdefault("assume_scheme", "https")
        return super().formfield_for_dbfield(db_field, request, **kwargs)  # type: ignore[misc]


def _choices(model: type[Model], request: HttpRequest) -> QuerySet[Any]:
    return access.scope(model._default_manager.all(), request.user)


class ScopedRelatedFilter(RelatedDropdownFilter):
    """A list filter over related rows that names only those the user may see."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> list[tuple[Any, str]]:
        return [(row.pk, str(row)) for row in _choices(field.related_model, request)]


class ServiceInline(ScopedMixin, TabularInline):
    form = ServiceForm
    formset = ServiceFormSet
    extra = 0


class ServiceStackedInline(ScopedMixin, StackedInline):
    form = ServiceForm
    formset = ServiceFormSet
    extra = 0


class PanelsMixin:
    change_form_outer_after_template = "infrastructure/panels.html"

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        obj = kwargs.get("obj")
        context["panels"] = panels.panels_of(obj, request) if obj is not None else []
        return super().render_change_form(request, context, *args, **kwargs)  # type: ignore[misc]


class ServiceAdmin(PanelsMixin, ScopedMixin, ModelAdmin):
    """Saves, inline edits and deletions through `masterdata`, each page as one change.

    `list_prefetch_related` names what the list alone reads through relations; `seen_through` the many-to-many field
    without which a row would vanish from the sight of whoever is no superuser.
    """

    checks_class = TablelessChecks
    form = ServiceForm
    list_prefetch_related: Sequence[Any] = ()
    seen_through = ""
    needs_site = True
    delete_confirmation_template = "infrastructure/delete_confirmation.html"
    list_per_page = 50
    list_filter_sheet = False
    warn_unsaved_form = True
    save_on_top = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        queryset = super().get_queryset(request)
        if request.resolver_match and str(request.resolver_match.url_name).endswith("_changelist"):
            return queryset.prefetch_related(*self.list_prefetch_related)
        return queryset

    def get_form(self, request: HttpRequest, obj: Model | None = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        field = form.base_fields.get(self.seen_through)
        if field is not None and not request.user.is_superuser:
            field.required = True
            field.error_messages["required"] = "Choose at least one: without it you could no longer see this row."
        return form

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if self.needs_site and not Site.objects.exists():
            return _to_the_site(request)
        return super().add_view(request, form_url, extra_context)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        def view() -> HttpResponse:
            return super(ServiceAdmin, self).changeform_view(request, object_id, form_url, extra_context)

        return _answer(request, view, is_one_change=True)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        def view() -> HttpResponse:
            return super(ServiceAdmin, self).delete_view(request, object_id, extra_context)

        return _answer(request, view, is_one_change=True)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        def view() -> HttpResponse:
            return super(ServiceAdmin, self).changelist_view(request, extra_context)

        # Not one change: an action may do I/O, which must not happen with a transaction open.
        return _answer(request, view, is_one_change=False)

    def save_model(self, request: HttpRequest, obj: Model, form: Any, change: bool) -> None:
        with masterdata.one_change(request.user):
            masterdata.save(obj)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        with masterdata.one_change(request.user):
            rows = formset.save(commit=False)
            for row in formset.deleted_objects:
                masterdata.delete(row)
            for row in rows:
                masterdata.save(row)
            formset.save_m2m()

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        with masterdata.one_change(request.user):
            super().save_related(request, form, formsets, change)
            masterdata.note(form.instance)
            # Now, while a refusal can still keep the message of success from being shown.
            masterdata.settle()

    def delete_model(self, request: HttpRequest, obj: Model) -> None:
        with masterdata.one_change(request.user):
            masterdata.delete(obj)
            masterdata.settle()

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        with masterdata.one_change(request.user):
            for obj in queryset:
                masterdata.delete(obj)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, Any, set[str], list[Any]]:
        """Adds the services' reasons against a deletion; rows that only services write do not hinder it."""
        deleted, counts, lacking, protected = super().get_deleted_objects(objs, request)
        lacking -= _names_of_dependent_models(self.admin_site)
        reasons = [reason for obj in objs for reason in _reasons_against_deletion(obj)]
        if reasons:
            return deleted, counts, set(), reasons
        return deleted, counts, lacking, protected


class ReadOnlyAdmin(PanelsMixin, ScopedMixin, ModelAdmin):
    """Rows that only services write."""

    goes_with_parent = True
    checks_class = TablelessChecks
    list_per_page = 50
    list_filter_sheet = False

    def get_fieldsets(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        """JSON is shown to be read, whatever is installed beside us: unfold's own way depends on that."""
        columns = {
            field.name: admin_display.json_column(field)
            for field in self.model._meta.concrete_fields
            if isinstance(field, JSONField)
        }
        return [
            (title, {**options, "fields": [columns.get(name, name) for name in flatten(options["fields"])]})
            for title, options in super().get_fieldsets(request, obj)
        ]

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


def _to_the_site(request: HttpRequest) -> HttpResponse:
    address = reverse("admin:infrastructure_site_add")
    text = 'Add the <a class="underline" href="{}">site</a> first: it gives time zone and currency to all the rest.'
    messages.warning(request, format_html(text, address))
    may_add = request.user.has_perm("infrastructure.add_site")
    return HttpResponseRedirect(address if may_add else reverse("admin:index"))


class SuperuserOnlyMixin:
    """For what belongs to no operator and would show or change everybody's."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return _is_superuser(request)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return _is_superuser(request)

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return _is_superuser(request) and super().has_add_permission(request)  # type: ignore[misc]

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return _is_superuser(request) and super().has_change_permission(request, obj)  # type: ignore[misc]

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return _is_superuser(request) and super().has_delete_permission(request, obj)  # type: ignore[misc]


def _is_superuser(request: HttpRequest) -> bool:
    return bool(request.user.is_active and request.user.is_superuser)


def _names_of_dependent_models(site: AdminSite) -> set[str]:
    """Models whose rows nobody deletes by themselves, but which go with what they belong to."""
    admins = site._registry.items()
    return {str(model._meta.verbose_name) for model, admin in admins if getattr(admin, "goes_with_parent", False)}


def _reasons_against_deletion(obj: Model) -> list[str]:
    try:
        masterdata.check_delete(obj)
    except ValidationError as error:
        return list(error.messages)
    return []


def _answer(request: HttpRequest, view: Callable[[], HttpResponse], *, is_one_change: bool) -> HttpResponse:
    """A refusal that no form foresaw (two people at once) becomes a message; nothing was written."""
    if request.method != "POST":
        return view()
    try:
        if not is_one_change:
            return view()
        with masterdata.one_change(request.user):
            return view()
    except ValidationError as error:
        for message in error.messages:
            messages.error(request, message)
        return HttpResponseRedirect(request.get_full_path())
