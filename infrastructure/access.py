"""Which rows a member of staff may see: those of the operators they belong to; superusers see all.

A model says with `operator_path` how it leads to its Operator; None or absent: not anyone's in particular.
"""

from typing import TypeVar

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import Model, QuerySet

from infrastructure.models import Operator

M = TypeVar("M", bound=Model)
User = AbstractBaseUser | AnonymousUser


def operators_of(user: User) -> QuerySet[Operator]:
    if not user.is_active:
        return Operator.objects.none()
    if getattr(user, "is_superuser", False):
        return Operator.objects.all()
    return Operator.objects.filter(memberships__user=user.pk)


def scope(queryset: QuerySet[M], user: User) -> QuerySet[M]:
    """The rows of `queryset` that `user` may see."""
    path: str | None = getattr(queryset.model, "operator_path", None)
    if path is None or (user.is_active and getattr(user, "is_superuser", False)):
        return queryset
    # A subquery instead of a join: a path through many-to-many rows would give a row once per operator, and
    # a distinct queryset can no longer be deleted.
    visible = queryset.model._base_manager.filter(**{f"{path}__in": operators_of(user)})
    return queryset.filter(pk__in=visible.values("pk"))
