"""Master data for tests: complete enough to be shown to partners unless a test takes something away."""

from typing import Any

import factory
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from factory.django import DjangoModelFactory

from infrastructure.models import (
    EVSE,
    Charger,
    Connector,
    Location,
    Operator,
    OperatorMembership,
    OutboxEvent,
    Site,
)


class SiteFactory(DjangoModelFactory):
    class Meta:
        model = Site
        django_get_or_create = ["pk"]

    pk = 1
    name = "Plugtill test"


class OperatorFactory(DjangoModelFactory):
    class Meta:
        model = Operator

    site = factory.SubFactory(SiteFactory)
    name = factory.Sequence(lambda n: f"Operator {n}")
    phone = "+43 1 234567"


class LocationFactory(DjangoModelFactory):
    class Meta:
        model = Location

    operator = factory.SubFactory(OperatorFactory)
    name = factory.Sequence(lambda n: f"Area {n}")
    roaming_id = factory.Sequence(lambda n: f"LOC-{n}")
    address = "Ring 1"
    city = "Wien"
    latitude = "48.208490"
    longitude = "16.372080"


class ChargerFactory(DjangoModelFactory):
    class Meta:
        model = Charger

    location = factory.SubFactory(LocationFactory)
    identity = factory.Sequence(lambda n: f"CP-{n}")
    roaming_id = factory.Sequence(lambda n: f"CH-{n}")
    roaming = True


class EVSEFactory(DjangoModelFactory):
    class Meta:
        model = EVSE

    charger = factory.SubFactory(ChargerFactory)
    number = factory.Sequence(lambda n: n + 1)
    evse_id = factory.Sequence(lambda n: f"AT*PLG*E{n}")


class ConnectorFactory(DjangoModelFactory):
    class Meta:
        model = Connector

    evse = factory.SubFactory(EVSEFactory)
    roaming_id = "1"


def make_staff(name: str = "staff", *operators: Operator) -> Any:
    """A member of staff with every permission, who belongs to these operators."""
    user = get_user_model().objects.create_user(name, is_staff=True)
    user.user_permissions.set(Permission.objects.all())
    for operator in operators:
        OperatorMembership.objects.create(user=user, operator=operator)
    return user


def make_superuser(name: str = "root") -> Any:
    return get_user_model().objects.create_superuser(name)


def events() -> list[tuple[str, int]]:
    """Topic and object of what was recorded since the last call, in order."""
    rows = list(OutboxEvent.objects.values_list("topic", "object_id"))
    OutboxEvent.objects.all().delete()
    return rows
