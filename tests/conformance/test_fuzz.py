"""Hostile requests: never a crash, always an envelope, and nothing of what was refused is kept."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from django.apps import apps
from django.db import connection
from django.test import Client
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from config.demo import data as demo_data
from roaming.choices import PlatformType
from roaming.models import RoamingPlatform
from roaming.services import documents
from roaming.services.tokens import hash_token
from tests import fuzz
from tests.conformance.client import DATETIME, basic64
from tests.roaming.factories import PlatformFactory, RegisteredPlatformFactory, make_role

pytestmark = pytest.mark.django_db

Json = dict[str, Any]
RIGHT = "a-token-that-is-known"
HUB_TOKEN = "the-token-of-a-hub"
NEW_TOKEN = "a-registration-token"
OURS = ("infrastructure", "tariffs", "chargers", "roaming", "payments")
# A refused handshake is noted for staff, on purpose.
NOTES = {"last_error", "last_error_at"}
FUZZ = settings(
    **fuzz.examples(60),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
MORE_THAN_ALLOWED = 1_000_001
HARMLESS = ("SELECT", "SAVEPOINT", "RELEASE SAVEPOINT", "ROLLBACK TO SAVEPOINT")

TOKEN = {
    "country_code": "NL",
    "party_id": "PTP",
    "uid": "UID",
    "type": "RFID",
    "contract_id": "C1",
    "issuer": "Issuer",
    "valid": True,
    "whitelist": "ALLOWED",
    "last_updated": "2026-01-01T00:00:00Z",
}
PLACE = {"location_id": "VIE-CITY", "evse_uid": "DEMO-AC-1-1", "connector_id": "1"}
ANSWER = {"response_url": "http://127.0.0.1:9/answers"}
RESERVATION = {"reservation_id": "R1", "expiry_date": "2030-01-01T00:00:00Z"}
PERIOD = {"start_period": 0, "limit": 16}
ADVICE = {
    "id": "F1",
    "authorization_reference": "REF1",
    "total_costs": {"excl_vat": 5, "incl_vat": 6},
    "currency": "EUR",
    "eft_data": ["line"],
    "capture_status_code": "SUCCESS",
    "last_updated": "2026-01-01T00:00:00Z",
}
CREDENTIALS = {
    "token": "token-b",
    "url": "http://127.0.0.1:9/versions",
    "roles": [{"role": "OTHER", "country_code": "NL", "party_id": "PTP", "business_details": {"name": "Terminals"}}],
}
# What is good, to begin with: method and path, and a body.
REQUESTS: dict[tuple[str, str], Any] = {
    ("GET", "versions"): None,
    ("GET", "2.2.1"): None,
    ("GET", "2.2.1/credentials"): None,
    ("POST", "2.2.1/credentials"): CREDENTIALS,
    ("PUT", "2.2.1/credentials"): CREDENTIALS,
    ("GET", "2.2.1/locations"): None,
    ("GET", "2.2.1/locations/VIE-CITY/DEMO-AC-1-1/1"): None,
    ("GET", "2.2.1/tariffs"): None,
    ("GET", "2.2.1/tariffs/AT/VLT/ADHOC-AC"): None,
    ("GET", "2.2.1/sessions"): None,
    ("GET", "2.2.1/sessions/S1"): None,
    ("PUT", "2.2.1/sessions/S1/charging_preferences"): {"profile_type": "REGULAR", "energy_need": 5},
    ("GET", "2.2.1/cdrs"): None,
    ("GET", "2.2.1/cdrs/C1"): None,
    ("POST", "2.2.1/commands/START_SESSION"): ANSWER | PLACE | {"token": TOKEN, "authorization_reference": "REF1"},
    ("POST", "2.2.1/commands/STOP_SESSION"): ANSWER | {"session_id": "S1"},
    ("POST", "2.2.1/commands/UNLOCK_CONNECTOR"): ANSWER | PLACE,
    ("POST", "2.2.1/commands/RESERVE_NOW"): ANSWER | PLACE | RESERVATION | {"token": TOKEN},
    ("POST", "2.2.1/commands/CANCEL_RESERVATION"): ANSWER | {"reservation_id": "R1"},
    ("GET", "2.2.1/tokens/NL/PTP/UID"): None,
    ("PUT", "2.2.1/tokens/NL/PTP/UID"): TOKEN,
    ("PATCH", "2.2.1/tokens/NL/PTP/UID"): {"valid": False, "last_updated": "2026-01-02T00:00:00Z"},
    ("GET", "2.2.1/chargingprofiles/S1"): None,
    ("PUT", "2.2.1/chargingprofiles/S1"): ANSWER
    | {"charging_profile": {"charging_rate_unit": "A", "charging_profile_period": [PERIOD]}},
    ("DELETE", "2.2.1/chargingprofiles/S1"): None,
    ("GET", "2.2.1/hubclientinfo/NL/ABC"): None,
    ("PUT", "2.2.1/hubclientinfo/NL/ABC"): {
        "country_code": "NL",
        "party_id": "ABC",
        "role": "EMSP",
        "status": "CONNECTED",
        "last_updated": "2026-01-01T00:00:00Z",
    },
    ("GET", "2.2.1/payments/terminals"): None,
    ("POST", "2.2.1/payments/terminals"): {"terminal_id": "T1", "location_ids": ["VIE-CITY"], "country": "AUT"},
    ("PUT", "2.2.1/payments/terminals/T1"): {"terminal_id": "T1", "coordinates": {"latitude": "48.20849"}},
    ("PATCH", "2.2.1/payments/terminals/T1"): {"city": "Wien"},
    ("GET", "2.2.1/payments/financial-advice-confirmations"): None,
    ("POST", "2.2.1/payments/financial-advice-confirmations"): ADVICE,
    ("PUT", "2.2.1/payments/financial-advice-confirmations/F1"): ADVICE,
}


@pytest.fixture(autouse=True)
def installation() -> None:
    """The demo's, with a PTP, a hub, and a newcomer."""
    demo = demo_data.create()
    ptp = RegisteredPlatformFactory(server_token=RIGHT, code="fuzz", profiles=demo.platform.profiles.all())
    hub = RegisteredPlatformFactory(
        server_token=HUB_TOKEN, code="fuzz-hub", type=PlatformType.HUB, profiles=demo.platform.profiles.all()
    )
    newcomer = PlatformFactory(code="fuzz-new", profiles=demo.platform.profiles.all())
    RoamingPlatform.objects.filter(pk=newcomer.pk).update(registration_token_hash=hash_token(NEW_TOKEN))
    for platform in (ptp, hub):
        platform.tariffs.set(demo.platform.tariffs.all())
        make_role(platform)
        documents.refresh_platform(platform.pk)


# What may come

WORDS = [
    RIGHT,
    "VIE-CITY",
    "DEMO-AC-1-1",
    "NL",
    "PTP",
    "T1",
    "",
    "..",
    "%00",
    "null",
    "1",
    "2.2.1",
    "versions",
    "é\u2028",
]
NUMBERS = st.one_of(
    st.integers(), st.integers(min_value=10**18, max_value=10**40), st.floats(), st.sampled_from([0, -1, 2**63, 1e300])
)
TEXTS = st.one_of(
    st.sampled_from([*WORDS, "\x00", "\ud800", "NaN", "2026-01-01T00:00:00+02:00", "9999-12-31T23:59:59Z", "a" * 300]),
    st.text(max_size=40),
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=8,
)
RAW = st.one_of(
    st.binary(max_size=60),
    st.sampled_from(
        [
            *(b"", b"{", b"null", b"7", b"[]", b"[" * 50_000, b'{"a":' * 50_000),
            *(b'{"terminal_id": NaN}', b'{"terminal_id": 1e999}', b'{"terminal_id": ' + b"9" * 5000 + b"}"),
            *(b'\xef\xbb\xbf{"terminal_id": "T9"}', '{"terminal_id": "T9"}'.encode("utf-16")),
            b'"' + b"x" * MORE_THAN_ALLOWED + b'"',
        ]
    ),
)


@st.composite
def damaged(draw: st.DrawFn, good: Any) -> Any:
    """A good body with a few of its parts replaced, taken away or added."""
    body = json.loads(json.dumps(good))
    for _ in range(draw(st.integers(1, 3))):
        place = body
        while isinstance(place, dict | list) and place:
            key = draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
            if not isinstance(place[key], dict | list) or not place[key] or draw(st.booleans()):
                break
            place = place[key]
        if not isinstance(place, dict | list) or not place:
            return draw(VALUES)
        match draw(st.integers(0, 3)):
            case 0 if isinstance(place, dict):
                del place[key]
            case 1 if isinstance(place, dict):
                place[draw(TEXTS)] = draw(VALUES)
            case _:
                place[key] = draw(VALUES)
    return body


def encoded(body: Any) -> bytes:
    return json.dumps(body).encode()


BODIES = st.one_of(RAW, VALUES.map(encoded))
HEADER_VALUE = st.one_of(
    st.sampled_from(
        ["", " ", "NL", "AT", "VLT", "x" * 5000, "é", "\x00", "Token", "Token ", "Basic YTpi", "application/xml"]
    ),
    st.text(st.characters(min_codepoint=1, max_codepoint=255, exclude_characters="\r\n"), max_size=30),
)
HEADERS = st.dictionaries(
    st.sampled_from(
        [
            "Authorization",
            "X-Request-ID",
            "X-Correlation-ID",
            "OCPI-to-country-code",
            "OCPI-to-party-id",
            "OCPI-from-country-code",
            "OCPI-from-party-id",
            "Accept",
            "Accept-Language",
            "Host",
            "Expect",
        ]
    ),
    HEADER_VALUE,
    max_size=4,
)
QUERY = st.dictionaries(
    st.sampled_from(["date_from", "date_to", "offset", "limit", "type", "duration", "response_url", "x"]),
    TEXTS,
    max_size=4,
)


# What must hold


def rows() -> dict[str, list[Any]]:
    found = {}
    for label in OURS:
        for model in apps.get_app_config(label).get_models():
            names = [field.attname for field in model._meta.concrete_fields if field.attname not in NOTES]
            found[model._meta.label] = sorted(model.objects.values_list(*names), key=str)
    return found


def noting(writes: list[str]) -> Callable[..., Any]:
    """Lets statements through, and notes those that may change something."""

    def execute(run: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if not sql.startswith(HARMLESS):
            writes.append(sql)
        return run(sql, params, many, context)

    return execute


class Hostile:
    """Sends requests as the PTP; what a refused one left behind is an error."""

    def __init__(self) -> None:
        self._client = Client(raise_request_exception=True)
        self._known: dict[str, list[Any]] | None = None

    def send(self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Json:
        """The envelope of the answer."""
        before = self._known if self._known is not None else rows()
        writes: list[str] = []
        given = {"Authorization": f"Token {basic64(RIGHT)}"} | (headers or {})
        # Header values arrive as Latin-1, whatever they were.
        latin = {name: value.encode().decode("latin-1") for name, value in given.items()}
        fuzz.sent["OCPI requests"] += 1
        with connection.execute_wrapper(noting(writes)):
            response = self._client.generic(
                method, f"/ocpi/{path}", body, content_type="application/json", headers=latin
            )
        answer: Json = json.loads(response.content)
        assert response.status_code < 500, answer
        assert 1000 <= answer["status_code"] < 3000 or path.endswith("credentials"), answer
        assert DATETIME.fullmatch(answer["timestamp"])
        is_refused = response.status_code >= 400 or answer["status_code"] >= 2000
        # What wrote nothing kept nothing; to read all rows again is what takes long here.
        self._known = before if not writes else rows() if is_refused else None
        assert not is_refused or self._known == before, "something of a refused request was kept"
        return answer


@pytest.fixture
def hostile() -> Hostile:
    return Hostile()


def token_for(path: str) -> dict[str, str]:
    token = {"2.2.1/credentials": NEW_TOKEN, "2.2.1/hubclientinfo/NL/ABC": HUB_TOKEN}.get(path, RIGHT)
    return {"Authorization": f"Token {basic64(token)}"}


WITH_BODY = pytest.mark.parametrize("line", [line for line, good in REQUESTS.items() if good], ids=" ".join)


@WITH_BODY
def test_damaged_bodies(hostile: Hostile, line: tuple[str, str]) -> None:
    @settings(FUZZ, **fuzz.examples(12))
    @given(st.one_of(damaged(REQUESTS[line]).map(encoded), BODIES))
    def send(body: bytes) -> None:
        hostile.send(*line, body, token_for(line[1]))

    send()


# Legal JSON, or nearly, that no database keeps: in a field that we do not know, so that nothing checks it.
ODD = ["1e999", "-1E+400", "[[1e999]]", '"\\u0000"', '{"\\u0000": 1}', '"\\ud800"', "9" * 5000, "[" * 900 + "]" * 900]


@WITH_BODY
def test_odd_values_in_unknown_fields(hostile: Hostile, line: tuple[str, str]) -> None:
    for odd in ODD:
        body = encoded(REQUESTS[line]).removesuffix(b"}") + f', "odd": {odd}}}'.encode()
        answer = hostile.send(*line, body, token_for(line[1]))
        assert answer["status_code"] >= 2000, f"{odd[:20]} was taken"


METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "BREW"]


@FUZZ
@given(
    method=st.sampled_from(METHODS),
    parts=st.lists(st.one_of(st.sampled_from(WORDS), st.text(max_size=20)), max_size=6),
    known=st.sampled_from(sorted({path for _, path in REQUESTS})),
    body=BODIES,
)
@example(method="GET", parts=["\x00"], known="2.2.1/locations", body=b"")
@example(method="PUT", parts=["a" * 300], known="2.2.1/tokens/NL/PTP", body=encoded(TOKEN))
@example(method="PUT", parts=["\x00"], known="2.2.1/tokens/NL/PTP", body=encoded(TOKEN))
def test_paths_and_methods(hostile: Hostile, method: str, parts: list[str], known: str, body: bytes) -> None:
    hostile.send(method, "/".join([known, *(quoted(part) for part in parts)]), body)


def quoted(text: str) -> str:
    return quote(text.encode("utf-8", "surrogatepass"), safe="%.")


@FUZZ
@given(line=st.sampled_from(sorted(REQUESTS)), headers=HEADERS)
def test_headers(hostile: Hostile, line: tuple[str, str], headers: dict[str, str]) -> None:
    hostile.send(*line, encoded(REQUESTS[line]) if REQUESTS[line] else b"", headers)


@FUZZ
@given(line=st.sampled_from([line for line in sorted(REQUESTS) if not REQUESTS[line]]), query=QUERY)
def test_query_parameters(hostile: Hostile, line: tuple[str, str], query: dict[str, str]) -> None:
    text = "&".join(f"{name}={quoted(value)}" for name, value in query.items())
    hostile.send(line[0], f"{line[1]}?{text}")


@pytest.mark.parametrize("depth", [100, 900, 5_000, 100_000])
@pytest.mark.parametrize(("open_", "close"), [("[", "]"), ('{"a":', "}")])
def test_deep_bodies(hostile: Hostile, depth: int, open_: str, close: str) -> None:
    body = '{"terminal_id": "T8", "deep": ' + open_ * depth + "1" + close * depth + "}"
    hostile.send("POST", "2.2.1/payments/terminals", body.encode())
    hostile.send("POST", "2.2.1/commands/START_SESSION", body.encode())


@pytest.mark.parametrize("size", [999_000, MORE_THAN_ALLOWED, 5_000_000])
def test_large_bodies(hostile: Hostile, size: int) -> None:
    body = encoded({"terminal_id": "LARGE", "odd": "x" * size})
    answer = hostile.send("POST", "2.2.1/payments/terminals", body)
    assert (answer["status_code"] == 1000) == (size < MORE_THAN_ALLOWED)
