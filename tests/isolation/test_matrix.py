"""Platform B can neither read, change nor learn of what is platform A's: every address, method and form of id."""

import re
from typing import Any

import pytest
from django.apps import apps
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from chargers.choices import SessionStatus
from chargers.models import Token
from payments.models import FinancialAdviceConfirmation, Terminal
from roaming.choices import Module, PlatformType
from roaming.models import ClientInfo, Message
from tests.api import test_isolation as api
from tests.isolation import matrix
from tests.isolation.matrix import API, LIST, METHODS, OBJECT, OCPI, OWN, PUBLIC, REJECTED, forms
from tests.payments import factories
from tests.roaming.client import client_with
from tests.roaming.emsp import make_token
from tests.roaming.factories import DocumentFactory, RegisteredPlatformFactory, make_role

pytestmark = pytest.mark.django_db
SECRET = "only-for-A"
REFERENCE = "REFERENCE-A"
RESULT_URL = "http://127.0.0.1:9/results/1"
PROFILE = {"charging_rate_unit": "W", "charging_profile_period": [{"start_period": 0, "limit": 11000.0}]}
# A body that is taken where it is B's own, so that nothing but the id refuses it.
BODIES: dict[str, Any] = {
    "charging_preferences": {"profile_type": "REGULAR"},
    "chargingprofiles": {"charging_profile": PROFILE, "response_url": RESULT_URL},
    "tokens": make_token(country_code="DE", party_id="EMA", uid="TOKEN-A"),
    "hubclientinfo": {
        "country_code": "DE",
        "party_id": "EMA",
        "role": "EMSP",
        "status": "OFFLINE",
        "last_updated": "2026-01-02T00:00:00Z",
    },
    "terminals": {"terminal_id": "TERMINAL-A", "city": "Taken over"},
    "advice": factories.advice_body("ADVICE-A", REFERENCE, currency="USD"),
}
COMMANDS: dict[str, dict[str, Any]] = {
    "STOP_SESSION": {"session_id": "SESSION-A"},
    "UNLOCK_CONNECTOR": {"location_id": "AREA-A", "evse_uid": "EVSE-A", "connector_id": "1"},
    "CANCEL_RESERVATION": {"reservation_id": "RESERVATION-A"},
    "START_SESSION": {"location_id": "AREA-A", "evse_uid": "EVSE-A", "token": make_token()},
}


IDS = [f"{name}-{letter}" for name in ("SESSION", "AREA", "EVSE", "RESERVATION") for letter in "AZ"]


def addresses(patterns: Any = None, before: str = "") -> list[str]:
    """Of all that is mounted, spelled as in the matrix."""
    found = []
    for one in get_resolver().url_patterns if patterns is None else patterns:
        path = before + str(one.pattern)
        if isinstance(one, URLResolver):
            found += addresses(one.url_patterns, path)
        elif isinstance(one, URLPattern):
            found.append(plain(path))
    return found


def plain(path: str) -> str:
    """Without types of parameters and without regular expressions around them."""
    path = re.sub(r"<(?:\w+:)?(\w+)>", r"<\1>", path.replace("\\Z", ""))
    path = re.sub(r"\(\?P<(\w+)>(?:\[[^]]*\]|[^()\[\]])*\)", r"<\1>", path)
    return re.sub(r"<(\w+)>", r"{\1}", path).replace("^", "").replace("$", "").replace("\\Z", "")


@pytest.fixture
def world() -> Any:
    """One of everything, of platform A; B has nothing."""
    operator = factories.make_operator("Operator A")
    a = factories.make_platform(operator, party=("AT", "AAA"), server_token="token-a", code="platform-a")
    make_role(a, "EMA", "DE")
    area = factories.make_area(operator, "AREA-A")
    evse = factories.make_evse(area)
    session = factories.make_session(a, evse, REFERENCE, uid="SESSION-A", status=SessionStatus.ACTIVE, ended_at=None)
    body = {"name": SECRET, "evses": [{"uid": "EVSE-A", "connectors": [{"id": "1"}]}]}
    for module, name in (("locations", "AREA"), ("tariffs", "TARIFF"), ("sessions", "SESSION"), ("cdrs", "CDR")):
        content = body | {"id": f"{name}-A"}
        DocumentFactory(platform=a, module=Module(module), object_id=f"{name}-A", party_id="AAA", body=content)
    Terminal.objects.create(platform=a, terminal_id="TERMINAL-A", city=SECRET)
    client_with("token-a").call("POST", "2.2.1/payments/financial-advice-confirmations", BODIES["advice"])
    stored = {"whitelist": "NEVER", "is_valid": True, "last_updated": session.created_at}
    Token.objects.create(
        peer_id=a.peer_id, country_code="DE", party_id="EMA", uid="TOKEN-A", type="RFID", body=body, **stored
    )
    return a


@pytest.fixture(params=[PlatformType.PTP, PlatformType.EMSP, PlatformType.HUB])
def b(request: Any, world: Any) -> Any:
    """Platform B of each type: what one may not see by its role another might."""
    operator = factories.make_operator("Operator B")
    platform = factories.make_platform(operator, party=("AT", "BBB"), server_token="token-b", code="platform-b")
    platform.type = request.param
    platform.save()
    make_role(platform, "EMB", "DE")
    return client_with("token-b")


def rows_of(platform: Any) -> dict[str, Any]:
    """All that is A's, as it stands in the database, and how much there is of what has no owner."""
    found = {}
    for model in apps.get_models():
        names = {field.name for field in model._meta.get_fields()}
        if model is Message or model._meta.app_label not in ("chargers", "roaming", "payments", "tariffs"):
            continue
        if "platform" in names:
            found[model.__name__] = list(model._base_manager.filter(platform=platform).order_by("pk").values())
        elif "peer_id" in names:
            found[model.__name__] = list(model._base_manager.filter(peer_id=platform.peer_id).order_by("pk").values())
    return found


def probe(client: Any, method: str, path: str, body: Any) -> tuple[int, Any, str]:
    answer = client.call(method, path.removeprefix("ocpi/"), body)
    text = answer.content.decode()
    said = answer.json() if text.startswith("{") else {}
    return answer.status_code, said.get("status_code"), text


def body_for(path: str) -> Any:
    return next((body for part, body in BODIES.items() if part in path), {})


def without(text: str, *names: str) -> str:
    """An answer without the ids that it repeats and its own time."""
    for name in names:
        text = text.replace(name, "ID").replace(name.lower(), "ID")
    return re.sub(r'"timestamp":\s*"[^"]*"', "", text)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("path", [path for path, row in OCPI.items() if row.kind == OBJECT])
def test_an_object_of_a_is_as_absent(world: Any, b: Any, path: str, method: str) -> None:
    *parents, name = OCPI[path].ids
    keys = re.findall(r"\{(\w+)\}", path)
    before, absent = rows_of(world), "Z" * len(name)
    body = body_for(path)
    nothing = {key: absent if value == name else value for key, value in body.items()}
    expected = probe(b, method, path.format(**dict(zip(keys, [*parents, absent], strict=True))), nothing)
    for form in forms(name):
        got = probe(b, method, path.format(**dict(zip(keys, [*parents, form], strict=True))), body)
        assert SECRET not in got[2]
        assert got[0] < 500
        # What B wrote itself by the first form is there for the second one.
        if form == name or (form == name.lower() and method == "GET"):
            assert (got[0], without(got[2], name)) == (expected[0], without(expected[2], absent)), form
    assert rows_of(world) == before


@pytest.mark.parametrize("path", [path for path, row in OCPI.items() if row.kind in (LIST, OWN)])
def test_no_list_holds_anything_of_a(world: Any, b: Any, path: str) -> None:
    before = rows_of(world)
    for query in ("", "?limit=1000&offset=0", "?date_from=2000-01-01T00:00:00Z"):
        _, _, text = probe(b, "GET", path + query, None)
        assert not [word for word in (SECRET, "-A", "platform-a", "AAA") if word in text], text
    if OCPI[path].kind == LIST:
        for method in METHODS[1:]:
            probe(b, method, path, body_for(path))
    assert rows_of(world) == before


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_on_what_is_as_does_nothing(world: Any, b: Any, command: str) -> None:
    before, body = rows_of(world), COMMANDS[command] | {"response_url": RESULT_URL}
    absent = {key: value.replace("-A", "-Z") if isinstance(value, str) else value for key, value in body.items()}
    asked = f"ocpi/2.2.1/commands/{command}"
    text, expected = (without(probe(b, "POST", asked, one)[2], *IDS) for one in (body, absent))
    assert SECRET not in text
    assert text == expected or (command == "STOP_SESSION" and '"REJECTED"' in text)
    assert rows_of(world) == before


@pytest.mark.parametrize("method", METHODS)
def test_a_charging_profile_of_as_session_is_not_bs(world: Any, b: Any, method: str) -> None:
    before = rows_of(world)
    for form in forms("SESSION-A"):
        path = f"ocpi/2.2.1/chargingprofiles/{form}?duration=60&response_url=http%3A%2F%2F127.0.0.1%3A9%2F1"
        _, _, text = probe(b, method, path, body_for(path))
        assert '"ACCEPTED"' not in text and SECRET not in text
    assert rows_of(world) == before


def test_with_bs_slug_as_invoice_is_unknown(world: Any, client: Client) -> None:
    RegisteredPlatformFactory(code="platform-b")
    pages = [client.get(f"/invoices/platform-b/{reference}") for reference in (REFERENCE, "REFERENCE-Z")]
    assert [page.status_code for page in pages] == [404, 404]
    assert pages[0].content.replace(b"REFERENCE-A", b"") == pages[1].content.replace(b"REFERENCE-Z", b"")


def test_the_world_is_as_to_see(world: Any) -> None:
    """Else the tests above would show nothing."""
    a = client_with("token-a")
    seen = [path for path, row in OCPI.items() if row.kind == OBJECT and "charging_preferences" not in path]
    for path in seen:
        row = OCPI[path]
        keys = re.findall(r"\{(\w+)\}", path)
        status = probe(a, "GET", path.format(**dict(zip(keys, row.ids, strict=True))), None)[0]
        assert status == 200 or "tokens" in path or "hubclientinfo" in path, path
    assert Token.objects.exists() and FinancialAdviceConfirmation.objects.exists()
    assert not ClientInfo.objects.exists()


def test_every_address_is_in_the_matrix() -> None:
    mounted = {path for path in addresses() if path.startswith(("ocpi/", "api/v1/", "invoices/"))}
    known = {*OCPI, *API}
    assert {path for path in mounted - {"api/v1/"} if not path.startswith("invoices/")} == known
    assert len([path for path in mounted if path.startswith("invoices/")]) == len(PUBLIC)


def test_every_address_of_the_api_is_probed() -> None:
    names = r"\{\w+\}"
    singles = {re.sub(names, "{}", path).replace("commands/Reset", "commands/{}") for _, path, _ in api.SINGLES}
    lists = set(api.LISTS)
    wanted = {re.sub(names, "{}", path.removeprefix("api/v1/")) for path in API} - {"schema", "docs"}
    assert wanted == singles | lists


def test_the_matrix_in_the_documentation_is_current() -> None:
    text = matrix.DOCS.read_text()
    assert matrix.BEGIN in text and text == matrix.with_table(text), "run python -m tests.isolation.matrix"


def test_commands_are_in_the_matrix_by_their_name() -> None:
    assert [path for path, row in OCPI.items() if row.kind == REJECTED and not row.ids] == [
        "ocpi/2.2.1/commands/{command}"
    ]
