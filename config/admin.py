"""Users, groups and schedules: of the installation, so superusers only."""

from typing import Any

from django.apps import apps
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, Permission, User
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminSelect2MultipleWidget

from infrastructure.admin_base import (
    DeletionMixin,
    HistoryMixin,
    ReadOnlyAdmin,
    ServiceInline,
    ShownMixin,
    SuperuserOnlyMixin,
    TablelessChecks,
)
from infrastructure.models import OperatorMembership

for model in (User, Group, PeriodicTask, ClockedSchedule, CrontabSchedule, IntervalSchedule, SolarSchedule):
    admin.site.unregister(model)


VERBS = {"add": _("Add"), "change": _("Change"), "delete": _("Delete"), "view": _("View")}


class MembershipInline(ServiceInline):
    model = OperatorMembership
    verbose_name_plural = _("operators whose data this member of staff may see; superusers see all")


class SearchableChoicesMixin:
    """Hundreds of permissions: one box to search in, instead of two lists side by side."""

    filter_horizontal: Any = ()

    def formfield_for_manytomany(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        field = super().formfield_for_manytomany(db_field, request, **kwargs)  # type: ignore[misc]
        if db_field.related_model is Permission:
            field.label_from_instance = _may
        # Afterwards: unfold gives every widget the look of a plain list.
        field.widget = UnfoldAdminSelect2MultipleWidget(choices=field.choices)
        field.help_text = ""
        return field


def _may(permission: Permission) -> str:
    """Django keeps their names in English."""
    model = permission.content_type.model_class()
    verb = VERBS.get(permission.codename.partition("_")[0])
    if model is None or verb is None:
        return str(permission)
    app = apps.get_app_config(model._meta.app_label).verbose_name
    return f"{app} | {capfirst(model._meta.verbose_name)} | {verb}"


@admin.register(User)
class UserAdmin(  # type: ignore[misc]
    HistoryMixin,
    SuperuserOnlyMixin,
    DeletionMixin,
    SearchableChoicesMixin,
    ShownMixin,
    DjangoUserAdmin,  # type: ignore[type-arg]
    ModelAdmin,
):
    checks_class = TablelessChecks
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ["username", "email", "is_active", "is_staff", "is_superuser", "last_login"]
    inlines = [MembershipInline]


@admin.register(Group)
class GroupAdmin(  # type: ignore[misc]
    HistoryMixin, SuperuserOnlyMixin, DeletionMixin, SearchableChoicesMixin, DjangoGroupAdmin, ModelAdmin
):
    """A named set of permissions."""

    checks_class = TablelessChecks


@admin.register(PeriodicTask)
class PeriodicTaskAdmin(SuperuserOnlyMixin, ReadOnlyAdmin):
    """What runs again and again. The settings say so and win at each start, hence nothing to edit here."""

    list_display = ["name", "interval", "enabled", "last_run_at", "total_run_count"]
    list_select_related = ["interval"]
    search_fields = ["name"]
    ordering = ["name"]
    fields = ["name", "task", "interval", "enabled", "last_run_at", "total_run_count"]
