"""A token sees and touches nothing of other operators, and each request costs a known number of queries."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chargers.models import (
    ApiToken,
    ChargerMessage,
    ChargingProfileTemplate,
    ChargingSession,
    IdToken,
    LocalList,
    OutgoingCall,
)
from chargers.services.local_lists import set_entries
from tests.api.caller import make_caller
from tests.api.test_lists import PROFILE
from tests.chargers.factories import make_active, make_connector
from tests.chargers.test_reservations import reserve
from tests.infrastructure.factories import OperatorFactory

pytestmark = pytest.mark.django_db


class World:
    """One of everything, of one operator."""

    def __init__(self) -> None:
        self.session = make_active(make_connector(), ago=timedelta(minutes=5))
        self.charger = self.session.connector.evse.charger
        self.charger.connection.protocol = "ocpp1.6"
        self.charger.connection.save()
        self.operator = self.charger.location.operator
        self.call = OutgoingCall.objects.filter(session=self.session).first()
        self.id_token = IdToken.objects.create(operator=self.operator, id_tag=f"TAG-{self.operator.pk}")
        self.profile = ChargingProfileTemplate.objects.create(operator=self.operator, profile=PROFILE)
        set_entries(self.charger, None)
        message = {"direction": "IN", "kind": "CALL", "frame": "[]", "size": 2}
        ChargerMessage.objects.create(charger=self.charger, at=timezone.now(), **message)
        self.reservation = reserve(self.session.connector)


@pytest.fixture
def theirs():
    return World()


LISTS = {
    "areas": 1,
    "charge-points": 3,
    "calls": 1,
    "transactions": 1,
    "reservations": 1,
    "charging-profiles": 1,
    "id-tokens": 1,
    "messages": 0,
}


@pytest.mark.parametrize("path", LISTS)
def test_a_list_holds_rows_of_the_tokens_operators_only(theirs, path):
    assert make_caller(theirs.operator).send("get", path).json()["results"]
    assert make_caller(OperatorFactory()).send("get", path).json()["results"] == []
    assert make_caller().send("get", path).json()["results"] == []


SINGLES = [
    ("get", "charge-points/{identity}", None),
    ("get", "charge-points/{identity}/connection", None),
    ("post", "charge-points/{identity}/credentials", {"password": "0123456789abcdef"}),
    ("post", "charge-points/{identity}/commands/Reset", {"type": "Soft"}),
    ("get", "charge-points/{identity}/local-list", None),
    ("put", "charge-points/{identity}/local-list", {"entries": []}),
    ("post", "charge-points/{identity}/local-list/send", None),
    ("get", "calls/{call}", None),
    ("get", "transactions/{ref}", None),
    ("post", "transactions/{ref}/close", {"force": True}),
    ("get", "reservations/{reservation}", None),
    ("post", "reservations/{reservation}/cancel", None),
    ("get", "charging-profiles/{profile}", None),
    ("patch", "charging-profiles/{profile}", {"description": "Mine"}),
    ("post", "charging-profiles/{profile}/set", {"charge_point": "{identity}"}),
    ("delete", "charging-profiles/{profile}", None),
    ("get", "id-tokens/{tag}", None),
    ("patch", "id-tokens/{tag}", {"is_blocked": True}),
    ("delete", "id-tokens/{tag}", None),
]


def request(caller, world, method, path, body):
    names = {
        "identity": world.charger.identity,
        "call": world.call.pk,
        "ref": world.session.uid,
        "reservation": world.reservation.pk,
        "profile": world.profile.wire_id,
        "tag": world.id_token.pk,
    }
    if body and "charge_point" in body:
        body = {"charge_point": world.charger.identity}
    return caller.send(method, path.format(**names), body)


def rows():
    """What a request could have written, but for the use of a token."""
    models = (ChargingSession, OutgoingCall, IdToken, ChargingProfileTemplate, LocalList)
    return [list(model.objects.order_by("pk").values()) for model in models]


@pytest.mark.parametrize(("method", "path", "body"), SINGLES)
def test_what_is_another_operators_is_not_there(theirs, method, path, body):
    before = rows()
    password = theirs.charger.connection.password_hash
    answer = request(make_caller(OperatorFactory()), theirs, method, path, body)
    assert answer.status_code == 404
    absent = make_caller(OperatorFactory()).send(method, path.format(**dict.fromkeys(NAMES, "0")), body)
    assert answer.json() == absent.json(), "as if it were not there at all"
    theirs.charger.connection.refresh_from_db()
    assert (rows(), theirs.charger.connection.password_hash) == (before, password)
    assert request(make_caller(theirs.operator), theirs, method, path, body).status_code < 300


NAMES = ("identity", "call", "ref", "reservation", "profile", "tag")


def test_these_are_all_paths_to_one_row(client):
    document = client.get("/api/v1/schema").json()
    paths = [(method, path) for path, methods in document["paths"].items() for method in methods if "{" in path]
    assert len(paths) == len(SINGLES)


# -- what requests cost


@pytest.fixture
def used(theirs):
    """A caller whose token was used just now: that is not written down again."""
    caller = make_caller(theirs.operator)
    ApiToken.objects.filter(pk=caller.token.pk).update(last_used_at=timezone.now())
    return caller


def count(caller, method, path, body=None):
    with CaptureQueriesContext(connection) as context:
        assert caller.send(method, path, body).status_code < 300
    return len([query for query in context if "SAVEPOINT" not in query["sql"]])


@pytest.mark.parametrize(("path", "rows"), LISTS.items())
def test_a_list_costs_the_same_however_long(used, theirs, path, rows):
    assert count(used, "get", path) == 2 + rows
    used.token.operators.add(World().operator, World().operator)
    assert count(used, "get", path) == 2 + rows


@pytest.mark.parametrize(
    ("method", "path", "body", "queries"),
    [
        ("get", "charge-points/{identity}", None, 4),
        ("get", "charge-points/{identity}/connection", None, 3),
        ("post", "charge-points/{identity}/commands/Reset", {"type": "Soft"}, 4),
        ("get", "calls/{call}", None, 2),
        ("get", "transactions/{ref}", None, 3),
        ("get", "reservations/{reservation}", None, 2),
        ("patch", "id-tokens/{tag}", {"is_blocked": True}, 8),
    ],
)
def test_one_row_costs(used, theirs, method, path, body, queries):
    with CaptureQueriesContext(connection) as context:
        assert request(used, theirs, method, path, body).status_code < 300
    sql = [query["sql"] for query in context if "SAVEPOINT" not in query["sql"]]
    assert len(sql) == queries, "\n".join(sql)
