"""Users, groups and schedules: of the installation, so superusers only."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
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

from infrastructure.admin_base import ReadOnlyAdmin, ServiceInline, SuperuserOnlyMixin, TablelessChecks
from infrastructure.models import OperatorMembership

for model in (User, Group, PeriodicTask, ClockedSchedule, CrontabSchedule, IntervalSchedule, SolarSchedule):
    admin.site.unregister(model)


class MembershipInline(ServiceInline):
    model = OperatorMembership
    verbose_name_plural = "operators whose data this member of staff may see; superusers see all"


class SearchableChoicesMixin:
    """Hundreds of permissions: one box to search in, instead of two lists side by side."""

    filter_horizontal: Any = ()

    def formfield_for_manytomany(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        field = super().formfield_for_manytomany(db_field, request, **kwargs)  # type: ignore[misc]
        # Afterwards: unfold gives every widget the look of a plain list.
        field.widget = UnfoldAdminSelect2MultipleWidget(choices=field.choices)
        field.help_text = ""
        return field


@admin.register(User)
class UserAdmin(SuperuserOnlyMixin, SearchableChoicesMixin, DjangoUserAdmin, ModelAdmin):  # type: ignore[type-arg]
    checks_class = TablelessChecks
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ["username", "email", "is_active", "is_staff", "is_superuser", "last_login"]
    inlines = [MembershipInline]


@admin.register(Group)
class GroupAdmin(SuperuserOnlyMixin, SearchableChoicesMixin, DjangoGroupAdmin, ModelAdmin):  # type: ignore[misc]
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
