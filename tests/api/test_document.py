"""The OpenAPI document, and every operation of it with made-up requests: whatever comes, the answer is as told."""

import pytest
import schemathesis
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from drf_spectacular.drainage import GENERATOR_STATS
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests import fuzz
from tests.api.caller import make_caller
from tests.api.test_isolation import World

pytestmark = pytest.mark.django_db

CHECKS = [
    schemathesis.checks.not_a_server_error,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
]
REQUESTS = settings(
    **fuzz.examples(12),
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def test_the_document_needs_no_key_and_is_made_without_warnings(client):
    GENERATOR_STATS.reset()
    document = client.get("/api/v1/schema").json()
    assert document["openapi"].startswith("3.")
    assert not GENERATOR_STATS
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    assert all(path.startswith("/api/v1/") for path in document["paths"])


def test_the_page_loads_nothing_from_elsewhere(client):
    page = client.get("/api/v1/docs")
    html = page.content.decode()
    assert page.status_code == 200
    assert "/static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js" in html
    assert "https://" not in html and "http://" not in html
    assert client.get("/static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js").status_code == 200


@pytest.fixture
def world():
    return World()


@pytest.fixture
def schema(client):
    """Its requests go to the WSGI application, and stay in the transaction of the test."""
    schema = schemathesis.openapi.from_dict(client.get("/api/v1/schema").json())
    schema.app = WSGIHandler()
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield schema
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


def test_every_operation_answers_as_the_document_says(schema, world):
    key = make_caller(world.operator).key
    operations = [result.ok() for result in schema.get_all_operations()]
    statuses = [status for operation in operations for status in attempt(operation, world, key)]
    assert len(statuses) > 5 * len(operations)
    assert {200, 201, 202, 400, 404} <= set(statuses)


def attempt(operation, world, key):
    """The status codes of made-up requests, every other one about something that is there."""
    statuses = []
    known = names_of(world, operation.path.split("/")[3])

    @given(case=operation.as_strategy())
    @REQUESTS
    def request(case):
        if len(statuses) % 2:
            case.path_parameters = {name: known[name] for name in case.path_parameters}
        case.headers = {**(case.headers or {}), "Authorization": f"Bearer {key}"}
        response = case.call()
        fuzz.sent["operator API requests"] += 1
        statuses.append(response.status_code)
        case.validate_response(response, checks=CHECKS)

    request()
    return statuses


def names_of(world, module):
    ids = {
        "calls": world.call.pk,
        "reservations": world.reservation.pk,
        "id-tokens": world.id_token.pk,
        "charging-profiles": world.profile.wire_id,
    }
    names = {"identity": world.charger.identity, "ref": world.session.uid, "action": "Reset"}
    return names | {"id": str(ids.get(module, ""))}
