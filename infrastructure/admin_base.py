"""The base of every admin page: writes go through services, reads are scoped by operator."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from functools import partial
from typing import Any, ClassVar

from django.contrib import messages
from django.contrib.admin.sites import AdminSite
from django.contrib.admin.utils import flatten, unquote
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.db.models import DateTimeField, DecimalField, JSONField, Model, QuerySet, URLField
from django.db.models.constants import LOOKUP_SEP
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from unfold.admin import ModelAdmin, StackedInline, TabularInline
from unfold.checks import UnfoldModelAdminChecks
from unfold.contrib.filters.admin import AutocompleteSelectFilter, RelatedDropdownFilter
from unfold.widgets import UnfoldAdminTextInputWidget

from infrastructure import access, admin_display, admin_search, audit_page, deletion, panels
from infrastructure.admin_forms import (
    ChoiceListField,
    CoordinateField,
    JSONDataField,
    NumberField,
    ServiceForm,
    ServiceFormSet,
)
from infrastructure.bulk_actions import MOST
from infrastructure.models import Site
from infrastructure.saved_filters import SavedFiltersMixin
from infrastructure.services import audit, masterdata

# How fields are called that no page shows.
SECRET_FIELDS = ("_hash", "_hashes", "_encrypted")


class TablelessChecks(UnfoldModelAdminChecks):
    """Unfold's checks without the one that reads permissions: checks run before the first migration, too."""

    def _check_unfold_action_permission_methods(self, obj: Any) -> list[Any]:
        return []


class ShownMixin:
    """Times on the clock of the area, with UTC for who points at them, and sentences in the language of the reader.

    `sentences` names fields that hold what Plugtill wrote down in English.
    """

    model: type[Model]
    sentences: Sequence[str] = ()

    def get_list_display(self, request: HttpRequest) -> Sequence[Any]:
        columns = self._columns()
        return [columns.get(name, name) for name in super().get_list_display(request)]  # type: ignore[misc]

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> Sequence[Any]:
        columns = self._columns()
        return [columns.get(name, name) for name in super().get_readonly_fields(request, obj)]  # type: ignore[misc]

    def get_fieldsets(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        shown = {column: column for column in self.get_readonly_fields(request, obj) if callable(column)}
        columns = {name: column for name, column in self._columns().items() if column in shown}
        return [
            (title, {**options, "fields": _replaced(options["fields"], columns)})
            for title, options in super().get_fieldsets(request, obj)  # type: ignore[misc]
        ]

    def _columns(self) -> dict[Any, Any]:
        columns = _shown_columns(self.model, DateTimeField, admin_display.time_column)
        fields = (self.model._meta.get_field(name) for name in self.sentences)
        return columns | {field.name: admin_display.sentence_column(field) for field in fields}


class ScopedMixin(ShownMixin):
    """Rows, and choices of related rows, of the operators of the user only.

    `choice_lists` maps a JSON field that holds a list to the enumeration of its values; `read_with` names relations
    that list and page read each row with: where these lead to its area, times are on the area's clock.
    """

    choice_lists: Mapping[str, type[StrEnum]] = {}
    read_with: Sequence[str] = ()
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = access.scope(super().get_queryset(request), request.user)  # type: ignore[misc]
        return rows.select_related(*self.read_with) if self.read_with else rows

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """One look at a large table instead of one for each of count, page and filters, and no row twice.

        A list shows the newest of very many; a file of the list holds all.
        """
        found = admin_search.search(queryset, self.get_search_fields(request), search_term)  # type: ignore[attr-defined]
        if not search_term or not _is_list(request):
            return found, False
        keys = list(found.order_by("-pk").values_list("pk", flat=True)[: admin_search.MOST_FOUND + 1])
        if len(keys) > admin_search.MOST_FOUND:
            text = _("These are the newest %(most)d of what was found. Search for more of the word, or filter.")
            messages.info(request, text % {"most": admin_search.MOST_FOUND})
        return queryset.filter(pk__in=keys[: admin_search.MOST_FOUND]), False

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        """Whoever may filter by how a hash or an encrypted token begins reads it, one character after the other."""
        is_secret = any(part.endswith(SECRET_FIELDS) for part in lookup.split(LOOKUP_SEP))
        return not is_secret and super().lookup_allowed(lookup, value, request)  # type: ignore[misc]

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
        if isinstance(db_field, DecimalField):
            is_coordinate = db_field.name in ("latitude", "longitude")
            kwargs["form_class"] = partial(CoordinateField, column=db_field.name) if is_coordinate else NumberField
            kwargs["widget"] = UnfoldAdminTextInputWidget()
        if isinstance(db_field, URLField):
            kwargs.setdefault("assume_scheme", "https")
        return super().formfield_for_dbfield(db_field, request, **kwargs)  # type: ignore[misc]


def _shown_columns(model: type[Model], kind: Any, show: Callable[[Any], Any]) -> dict[Any, Any]:
    return {field.name: show(field) for field in model._meta.concrete_fields if isinstance(field, kind)}


def _replaced(fields: Sequence[Any], columns: Mapping[Any, Any]) -> list[Any]:
    """Fields of a fieldset, of which several may stand in one line."""
    return [_replaced(one, columns) if isinstance(one, list | tuple) else columns.get(one, one) for one in fields]


def _is_list(request: HttpRequest) -> bool:
    return bool(request.resolver_match and str(request.resolver_match.url_name).endswith("_changelist"))


def _choices(model: type[Model], request: HttpRequest) -> QuerySet[Any]:
    return access.scope(model._default_manager.all(), request.user)


class ScopedRelatedFilter(RelatedDropdownFilter):
    """A list filter over related rows that names only those the user may see."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> list[tuple[Any, str]]:
        return [(row.pk, str(row)) for row in _choices(field.related_model, request)]


class ScopedSearchFilter(AutocompleteSelectFilter):
    """The same over very many rows: they are found as one types, instead of all being written into each page."""

    def choices(self, changelist: Any) -> Iterator[dict[str, Any]]:
        for entry in super().choices(changelist):
            # The one that is chosen is named here, too.
            entry["form"].fields[self.lookup_kwarg].queryset = _choices(self.field.related_model, self.request)
            yield entry


class ServiceInline(ScopedMixin, TabularInline):
    form = ServiceForm
    formset = ServiceFormSet
    extra = 0


class ServiceStackedInline(ScopedMixin, StackedInline):
    form = ServiceForm
    formset = ServiceFormSet
    extra = 0


class PanelsFirst:
    """What happens here and what can be done about it comes before the fields."""

    change_form_outer_before_template = "infrastructure/panels.html"
    change_form_outer_after_template: str | None = None


class PanelsMixin:
    change_form_outer_after_template: str | None = "infrastructure/panels.html"

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        obj = kwargs.get("obj")
        context["panels"] = panels.panels_of(obj, request) if obj is not None else []
        return super().render_change_form(request, context, *args, **kwargs)  # type: ignore[misc]


class HistoryMixin:
    """“History” tells who of the staff changed what from what to what, and which buttons they pressed."""

    admin_site: Any
    get_object: Callable[..., Any]
    has_view_or_change_permission: Callable[..., bool]
    inlines: ClassVar[Any]

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        obj = self.get_object(request, unquote(object_id))
        if obj is None:
            raise Http404
        if not self.has_view_or_change_permission(request, obj):
            raise PermissionDenied
        rows = audit.trail_of(obj, self.inlines, request.user)
        page = Paginator(rows, audit_page.PER_PAGE).get_page(request.GET.get("page"))
        context = {
            **self.admin_site.each_context(request),
            "title": _("History of %(object)s") % {"object": obj},
            "card_title": _("Newest first"),
            "opts": obj._meta,
            "object": obj,
            "page": page,
            "lines": audit_page.shown(page.object_list),
            **(extra_context or {}),
        }
        return TemplateResponse(request, "infrastructure/history.html", context)


class DeletionMixin:
    """The page that asks before a deletion counts what goes along, and says what forbids it."""

    admin_site: Any
    delete_confirmation_template = "infrastructure/delete_confirmation.html"
    delete_selected_confirmation_template = "infrastructure/delete_selected_confirmation.html"

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> deletion.Deletion:
        """Adds the services' reasons against a deletion; rows that only services write do not hinder it."""
        rows = list(objs[: MOST + 1])
        if len(rows) > MOST:
            return [], {}, set(), [_("Choose at most %(most)d rows at once.") % {"most": MOST}]
        reasons = [reason for row in rows for reason in _reasons_against_deletion(row)]
        if reasons or not rows:
            return [], {}, set(), reasons
        going, counts, lacking, forbidding = deletion.deleted_with(rows, request, self.admin_site)
        return going, counts, lacking - _names_of_dependent_models(self.admin_site), forbidding


class ServiceAdmin(HistoryMixin, PanelsMixin, SavedFiltersMixin, ScopedMixin, DeletionMixin, ModelAdmin):
    """Saves, inline edits and deletions through `masterdata`, each page as one change.

    `list_prefetch_related` names what the list alone reads through relations; `seen_through` the many-to-many field
    without which a row would vanish from the sight of whoever is no superuser.
    """

    checks_class = TablelessChecks
    form = ServiceForm
    list_prefetch_related: Sequence[Any] = ()
    seen_through = ""
    needs_site = True
    list_per_page = 50
    list_filter_sheet = False
    warn_unsaved_form = True
    save_on_top = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        queryset = super().get_queryset(request)
        if _is_list(request):
            return queryset.prefetch_related(*self.list_prefetch_related)
        return queryset

    def get_form(self, request: HttpRequest, obj: Model | None = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        field = form.base_fields.get(self.seen_through)
        if field is not None and not request.user.is_superuser:
            field.required = True
            field.error_messages["required"] = _("Choose at least one: without it you could no longer see this row.")
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


class ReadOnlyAdmin(HistoryMixin, PanelsMixin, SavedFiltersMixin, ScopedMixin, ModelAdmin):
    """Rows that only services write."""

    goes_with_parent = True
    checks_class = TablelessChecks
    list_per_page = 50
    list_filter_sheet = False

    def get_fieldsets(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        """JSON is shown to be read, whatever is installed beside us: unfold's own way depends on that."""
        columns = _shown_columns(self.model, JSONField, admin_display.json_column) | self._columns()
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
    link = format_html('<a class="underline" href="{}">{}</a>', address, _("site"))
    text = _("Add the {} first: it gives time zone and currency to all the rest.")
    messages.warning(request, format_html(text, link))
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
