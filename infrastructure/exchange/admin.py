"""Buttons and pages of the files: export of a list as it is filtered, import with a preview."""

from pathlib import PurePath
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext_lazy as _
from import_export.admin import ExportMixin, ImportMixin
from import_export.formats.base_formats import TablibFormat
from import_export.results import Result
from import_export.tmp_storages import CacheStorage
from unfold.contrib.import_export.forms import ImportForm

from infrastructure.exchange.formats import FORMATS, UnreadableFile
from infrastructure.exchange.resources import ServiceResource, TableResource, TooMany

MOST_BYTES = 5 * 1024 * 1024


class ExportAdmin(ExportMixin):
    """The rows of the list, with its filters and its search, as a file."""

    export_resource: type[TableResource]
    import_export_change_list_template = "infrastructure/exchange/change_list.html"

    def has_export_permission(self, request: HttpRequest) -> bool:
        return bool(self.has_view_permission(request))

    def get_resource_kwargs(self, request: HttpRequest, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return {"user": request.user}

    def get_export_resource_classes(self, request: HttpRequest) -> list[type[TableResource]]:
        return [self.export_resource]

    def get_urls(self) -> list[URLPattern]:
        name = "{}_{}_export".format(*self.get_model_info())
        view = self.admin_site.admin_view(self.export_view)
        urls: list[URLPattern] = super(ExportMixin, self).get_urls()
        return [path("export/<str:kind>/", view, name=name), *urls]

    def export_view(self, request: HttpRequest, kind: str) -> HttpResponse:
        if not self.has_export_permission(request):
            raise PermissionDenied
        try:
            return self._do_file_export(_format(kind), request, self.get_export_queryset(request))
        except TooMany as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(f"{_list_of(self)}?{request.GET.urlencode()}")


class FileStorage(CacheStorage):
    """Between preview and confirmation the file waits where every process finds it."""

    CACHE_LIFETIME = 3600

    def read(self) -> bytes:
        content: bytes | None = super().read()
        if content is None:
            raise UnreadableFile(_("The file has waited too long for its confirmation. Upload it again."))
        return content


class FileForm(ImportForm):
    """The format is told by the file's name."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["format"].required = False
        self.fields["format"].widget = forms.HiddenInput()
        self.fields["import_file"].label = _("File (.csv or .xlsx)")
        self.fields["import_file"].widget.attrs["accept"] = ".csv,.xlsx"

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        file = cleaned.get("import_file")
        if file is not None:
            kind = PurePath(file.name).suffix.lower().removeprefix(".")
            if kind not in FORMATS:
                self.add_error("import_file", _("Choose a .csv or an .xlsx file."))
            elif file.size > MOST_BYTES:
                self.add_error("import_file", _("The file is larger than 5 MB. Split it into several."))
            else:
                cleaned["format"] = str(list(FORMATS).index(kind))
        return cleaned


class ImportExportAdmin(ExportAdmin, ImportMixin):
    """And back: a file is looked at first (what is new, what changes, what is wrong), then imported as a whole."""

    import_resource: type[ServiceResource]
    import_form_class = FileForm
    import_template_name = "infrastructure/exchange/import.html"
    import_formats = list(FORMATS.values())
    tmp_storage_class = FileStorage
    from_encoding = None

    def has_import_permission(self, request: HttpRequest) -> bool:
        return bool(self.has_add_permission(request) and self.has_change_permission(request))

    def get_import_resource_classes(self, request: HttpRequest) -> list[type[ServiceResource]]:
        return [self.import_resource]

    def get_urls(self) -> list[URLPattern]:
        name = "{}_{}_import_example".format(*self.get_model_info())
        view = self.admin_site.admin_view(self.example_view)
        return [path("import/example/<str:kind>/", view, name=name), *super().get_urls()]

    def example_view(self, request: HttpRequest, kind: str) -> HttpResponse:
        """A file to begin with: all columns and two rows."""
        if not self.has_import_permission(request):
            raise PermissionDenied
        form = _format(kind)
        content = form.export_data(self.import_resource(user=request.user).example())
        name = f"{self.opts.model_name}-example.{kind}"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return HttpResponse(content, content_type=form.get_content_type(), headers=headers)

    def import_action(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        response = super().import_action(request, **kwargs)
        resource = self.import_resource(user=request.user)
        result: Result | None = response.context_data.get("result")
        response.context_data |= {
            "title": _("Import %(name)s") % {"name": resource.get_display_name()},
            "columns": resource.get_import_fields(),
            "key": resource.key,
            "problems": sorted(resource.problems(result)) if result else [],
            "list_url": _list_of(self),
        }
        return response

    def add_data_read_fail_error_to_form(self, form: forms.Form, e: Exception) -> None:
        if not isinstance(e, UnreadableFile):
            raise e
        form.add_error("import_file", str(e))

    def process_import(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        try:
            return super().process_import(request, **kwargs)
        except UnreadableFile as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(reverse("admin:{}_{}_import".format(*self.get_model_info())))

    def process_result(self, result: Result, request: HttpRequest) -> HttpResponse:
        """What was fine in the preview may be refused a minute later: then nothing is written."""
        for problem in sorted(self.import_resource(user=request.user).problems(result))[:5]:
            where = _("Row %(row)d, %(column)s: ") % problem._asdict() if problem.row else ""
            messages.error(request, f"{where}{problem.text}")
        if result.has_errors() or result.has_validation_errors():
            messages.error(request, _("Nothing was imported. Upload the file again to see all of it."))
            return HttpResponseRedirect(reverse("admin:{}_{}_import".format(*self.get_model_info())))
        return super().process_result(result, request)


def _format(kind: str) -> TablibFormat:
    if kind not in FORMATS:
        raise Http404
    return FORMATS[kind]()


def _list_of(admin: Any) -> str:
    return reverse("admin:{}_{}_changelist".format(*admin.get_model_info()))
