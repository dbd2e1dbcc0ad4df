"""Fields that several serializers share."""

from typing import Any, ClassVar

from django.db.models import QuerySet
from rest_framework import serializers

from chargers.models import ApiToken
from chargers.services import api_tokens
from infrastructure.models import Operator


class ScopedRelatedField(serializers.PrimaryKeyRelatedField[Any]):
    """A row of the token's operators by its id; any other is unknown."""

    def get_queryset(self) -> QuerySet[Any]:
        request = self.context.get("request")
        rows: Any = super().get_queryset()
        token = getattr(request, "auth", None)
        return api_tokens.scope(rows, token) if isinstance(token, ApiToken) else rows.none()


class OperatorField(ScopedRelatedField):
    """The operator that a new row belongs to; a token of one operator need not say so. Fixed afterwards."""

    default_error_messages: ClassVar[dict[str, Any]] = {
        "which": "This token is for several operators. Name one of: {names}.",
        "fixed": "It stays with its operator. Create it anew for the other one.",
    }

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("queryset", Operator.objects.all())
        kwargs.setdefault("required", False)
        super().__init__(**kwargs)

    def get_default(self) -> Any:
        if getattr(self.root, "instance", None) is not None:
            raise serializers.SkipField
        operators = list(self.get_queryset())
        if len(operators) != 1:
            self.fail("which", names=", ".join(f"{one.pk} ({one})" for one in operators))
        return operators[0]

    def run_validation(self, data: Any = serializers.empty) -> Any:
        value = super().run_validation(data)
        instance = getattr(self.root, "instance", None)
        if instance is not None and instance.operator_id != value.pk:
            self.fail("fixed")
        return value


class CostSerializer(serializers.Serializer[Any]):
    """Rounded as on a bill. Null without a tariff."""

    currency = serializers.CharField()
    excl_vat = serializers.CharField(allow_null=True)
    incl_vat = serializers.CharField(allow_null=True)
