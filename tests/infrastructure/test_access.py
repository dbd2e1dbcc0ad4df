import pytest
from django.contrib.auth.models import AnonymousUser

from infrastructure import access
from infrastructure.models import Charger, Connector, Location, Operator, OutboxEvent
from roaming.models import RoamingPlatform, RoamingProfile
from tests.infrastructure.factories import ConnectorFactory, OperatorFactory, make_staff, make_superuser

pytestmark = pytest.mark.django_db


@pytest.fixture
def two():
    """One connector of each of two operators."""
    return ConnectorFactory(), ConnectorFactory()


def operator_of(connector):
    return connector.evse.charger.location.operator


def test_staff_see_their_operators_only(two):
    mine, _ = two
    user = make_staff("ada", operator_of(mine))
    assert list(access.operators_of(user)) == [operator_of(mine)]
    assert list(access.scope(Connector.objects.all(), user)) == [mine]
    assert list(access.scope(Charger.objects.all(), user)) == [mine.evse.charger]
    assert list(access.scope(Location.objects.all(), user)) == [mine.evse.charger.location]
    assert list(access.scope(Operator.objects.all(), user)) == [operator_of(mine)]


def test_staff_of_two_operators_see_both_and_superusers_all(two):
    both = make_staff("ada", *map(operator_of, two))
    assert set(access.scope(Connector.objects.all(), both)) == set(two)
    assert set(access.scope(Connector.objects.all(), make_superuser())) == set(two)


def test_nobody_sees_anything_without_membership(two):
    for user in (make_staff("eve"), AnonymousUser()):
        assert not access.scope(Location.objects.all(), user).exists()


def test_disabled_superuser_sees_nothing(two):
    user = make_superuser()
    user.is_active = False
    assert not access.scope(Location.objects.all(), user).exists()


def test_many_to_many_path_gives_each_row_once_and_can_be_deleted():
    operators = [OperatorFactory(), OperatorFactory()]
    profile = RoamingProfile.objects.create(name="P", code="p", country_code="AT", party_id="PLG")
    profile.operators.set(operators)
    platform = RoamingPlatform.objects.create(name="T", code="t")
    platform.profiles.add(profile)
    user = make_staff("ada", *operators)

    visible = access.scope(RoamingPlatform.objects.all(), user)
    assert list(visible) == [platform]
    assert not access.scope(RoamingPlatform.objects.all(), make_staff("eve", OperatorFactory())).exists()
    assert visible.delete()[0] >= 1


def test_models_without_operator_are_not_scoped():
    OutboxEvent.objects.create(topic="location", object_id=1)
    assert access.scope(OutboxEvent.objects.all(), make_staff("ada")).count() == 1
