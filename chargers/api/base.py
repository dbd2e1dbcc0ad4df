"""What all views of the operator API share. Nothing of it is a default of DRF: OCPI's views have their own ways."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, ClassVar, TypeVar

from django.conf import settings
from django.core.exceptions import NON_FIELD_ERRORS
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import IntegrityError, transaction
from django.db.models import Model, QuerySet
from django.utils import timezone
from django_filters.rest_framework import DjangoFilterBackend, FilterSet
from rest_framework.exceptions import APIException, NotFound, ValidationError
from rest_framework.generics import get_object_or_404
from rest_framework.pagination import BasePagination, CursorPagination, PageNumberPagination
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import ModelSerializer, as_serializer_error
from rest_framework.settings import api_settings
from rest_framework.viewsets import GenericViewSet

from chargers.api.parsers import StrictJSONParser
from chargers.api.security import ApiTokenAuthentication, HasScope, TokenThrottle
from chargers.choices import ApiScope
from chargers.models import ApiToken
from chargers.services import api_tokens
from infrastructure.models import Charger
from infrastructure.services import masterdata

M = TypeVar("M", bound=Model)

WHOLE = api_settings.NON_FIELD_ERRORS_KEY
PAGING = ("page", "page_size", "cursor")


class Conflict(APIException):
    status_code = 409
    default_detail = "This cannot be done now."
    default_code = "conflict"


class Pages(PageNumberPagination):
    """`?page=2&page_size=100`."""

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 500


class LogPages(CursorPagination):
    """Newest first by `?cursor=...` of `next`: what is logged meanwhile shifts nothing, and nobody counts it."""

    ordering = "-pk"
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 500

    def decode_cursor(self, request: Request) -> Any:
        """Raises NotFound, also where the position is none of a row."""
        cursor = super().decode_cursor(request)
        if cursor is not None and cursor.position is not None:
            try:
                int(cursor.position)
            except ValueError:
                raise NotFound(self.invalid_cursor_message) from None
        return cursor


class ApiViewSet(GenericViewSet[Any]):
    """Rows of the token's operators only: everything else is absent (404).

    `scopes` names the permission of each action that is not in `read_scope` (list, retrieve) or `write_scope`.
    """

    authentication_classes = (ApiTokenAuthentication,)
    permission_classes = (HasScope,)
    throttle_classes = (TokenThrottle,)
    parser_classes = (StrictJSONParser,)
    renderer_classes = (JSONRenderer,)
    filter_backends = (DjangoFilterBackend,)
    pagination_class: type[BasePagination] | None = Pages
    metadata_class = None

    filterset_class: type[FilterSet]
    read_scope: ClassVar[ApiScope]
    write_scope: ClassVar[ApiScope | None] = None
    scopes: ClassVar[Mapping[str, ApiScope]] = {}

    @property
    def token(self) -> ApiToken:
        assert isinstance(self.request.auth, ApiToken)
        return self.request.auth

    def scope_of(self, action: str) -> ApiScope:
        if action in self.scopes:
            return self.scopes[action]
        if action in ("list", "retrieve") or self.write_scope is None:
            return self.read_scope
        return self.write_scope

    def scoped(self, queryset: QuerySet[M]) -> QuerySet[M]:
        # While the document is made there is no token, and no row is asked for.
        if getattr(self, "swagger_fake_view", False):
            return queryset.none()
        return api_tokens.scope(queryset, self.token)

    def get_queryset(self) -> QuerySet[Any]:
        return self.scoped(super().get_queryset())

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Refuses filters that there are none of: what is misspelled would give everything."""
        if self.action == "list":
            known = {*self.filterset_class.get_filters(), *PAGING}
            if unknown := set(self.request.query_params) - known:
                text = f"There is no such filter. Filters: {', '.join(sorted(known))}."
                raise ValidationError({name[:200]: [text] for name in sorted(unknown)})
        return super().filter_queryset(queryset)

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, ValidationError) and isinstance(exc.detail, dict):
            exc.detail = dict(_by_path(exc.detail))
        return super().handle_exception(exc)

    def charger(self, identity: str) -> Charger:
        """One of the token's chargers. Raises Http404."""
        return get_object_or_404(
            self.scoped(Charger.objects.select_related("location__operator__site")), identity=identity
        )


def _by_path(detail: Any, *path: str) -> Iterator[tuple[str, Any]]:
    """Errors of fields within fields as `a.0.b`; of `a` as a whole, as `a`."""
    if isinstance(detail, list) and any(isinstance(one, dict) for one in detail):
        detail = dict(enumerate(detail))
    if not isinstance(detail, dict):
        yield ".".join(path) or WHOLE, detail
        return
    for name, inner in detail.items():
        yield from _by_path(inner, *path, *([] if name in (WHOLE, NON_FIELD_ERRORS) else [str(name)]))


def call_deadline() -> datetime:
    return timezone.now() + settings.COMMAND_TIMEOUT


class KnownFields:
    """Refuses other fields: what is misspelled would pass for left out."""

    fields: Any

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping) and (unknown := set(data) - set(self.fields)):
            raise ValidationError({name[:200]: ["There is no such field."] for name in sorted(unknown)})
        return super().to_internal_value(data)  # type: ignore[misc]


@contextmanager
def written_or_refused() -> Iterator[None]:
    """One transaction; what the services refuse become errors of the fields."""
    try:
        with transaction.atomic():
            yield
    except DjangoValidationError as error:
        raise ValidationError(as_serializer_error(error)) from error
    except IntegrityError:
        # Two requests at once: the other was first.
        raise Conflict("Another request has just written the same. Read it and try again.") from None


class ServiceSerializer(KnownFields, ModelSerializer[M]):
    """Writes through `masterdata`, after the model's own checks; refusals become errors of the fields."""

    def create(self, validated_data: dict[str, Any]) -> M:
        model: Any = self.Meta.model
        return self._write(model(**validated_data))

    def update(self, instance: M, validated_data: dict[str, Any]) -> M:
        for name, value in validated_data.items():
            setattr(instance, name, value)
        return self._write(instance)

    def _write(self, obj: M) -> M:
        with written_or_refused():
            obj.full_clean()
            masterdata.save(obj)
        return obj
