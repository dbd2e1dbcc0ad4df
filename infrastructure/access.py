"""Which rows a member of staff may see: those of the operators they belong to; superusers see all.

A model says with `operator_path` how it leads to its Operator; None or absent: not anyone's in particular.
`owned_through` names the foreign key to what several operators may share (a partner's platform): a row is then also
of those to whom all operators of that belong, and of nobody else unless its path leads past it. "self": the row
itself is shared.
"""

from typing import Any, TypeVar

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import Model, Q, QuerySet

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
    model = queryset.model
    path: str | None = getattr(model, "operator_path", None)
    if path is None or _sees_all(user):
        return queryset
    through: str = getattr(model, "owned_through", "")
    if through == "self":
        return _wholly(queryset, path, user)
    if not through:
        return queryset.filter(pk__in=_touching(model, path, operators_of(user)))
    # Not through a subquery on the model itself, whose tables (messages, pushes) are the largest of all.
    shared = model._meta.get_field(through).related_model
    assert isinstance(shared, type)
    owned = Q(**{f"{through}__in": wholly(shared._base_manager.all(), user).values("pk")})
    if not path.startswith(f"{through}__"):
        owned |= Q(pk__in=_touching(model, path, operators_of(user)))
    return queryset.filter(owned)


def wholly(queryset: QuerySet[M], user: User) -> QuerySet[M]:
    """The rows all of whose operators are the user's: what is shared with others is not theirs alone to act on."""
    path: str | None = getattr(queryset.model, "operator_path", None)
    return queryset if path is None or _sees_all(user) else _wholly(queryset, path, user)


def is_theirs(row: Model, user: User) -> bool:
    """Whether all operators behind the row are the user's: it is then theirs to act on."""
    return wholly(type(row)._base_manager.filter(pk=row.pk), user).exists()


def _wholly(queryset: QuerySet[M], path: str, user: User) -> QuerySet[M]:
    mine = operators_of(user)
    others = Operator.objects.exclude(pk__in=mine.values("pk"))
    return queryset.filter(pk__in=_touching(queryset.model, path, mine)).exclude(
        pk__in=_touching(queryset.model, path, others)
    )


def _sees_all(user: User) -> bool:
    return user.is_active and bool(getattr(user, "is_superuser", False))


def _touching(model: type[Model], path: str, operators: QuerySet[Operator]) -> QuerySet[Any, Any]:
    # A subquery instead of a join: a path through many-to-many rows would give a row once per operator, and
    # a distinct queryset can no longer be deleted.
    return model._base_manager.filter(**{f"{path}__in": operators}).values("pk")
