"""What a charger has to show to be let in, by its security profile."""

from typing import Any

import pytest

from chargers.models import ChargerConnection
from chargers.ocpp import auth
from chargers.services.certificates import mark_of
from config.proxies import TrustedProxies
from tests.chargers.charger_socket import basic

pytestmark = pytest.mark.django_db

HEADER = b"x-ssl-client-s-dn"


def knock(identity: str, *, profile: int, tls: bool = False, proxy: bool = False, **shown: Any) -> int:
    """The status of the refusal, or 101."""
    ChargerConnection.objects.update(security_profile=profile)
    headers = basic(identity, *shown["password"]) if "password" in shown else []
    if "subject" in shown:
        headers = [*headers, (HEADER, shown["subject"])]
    scope = {"headers": headers, "scheme": "wss" if tls else "ws", "subprotocols": [], "client": ("10.0.0.9", 5)}
    if proxy:
        scope[auth.FROM_PROXY] = True
    try:
        auth.let_in(identity, scope)
    except auth.Refused as refused:
        return refused.status
    return 101


RIGHT: tuple[str, ...] = ()
WRONG = ("guess",)


@pytest.mark.parametrize(
    ("profile", "shown", "status"),
    [
        (0, {}, 401),
        (0, {"password": RIGHT}, 101),
        (1, {}, 401),
        (1, {"password": WRONG}, 401),
        (1, {"password": RIGHT}, 101),
        (1, {"password": RIGHT, "tls": True}, 101),
        (1, {"subject": b"CN=CP", "tls": True, "proxy": True}, 401),
        (2, {"password": RIGHT}, 401),
        (2, {"password": WRONG, "tls": True}, 401),
        (2, {"password": RIGHT, "tls": True}, 101),
        (3, {"password": RIGHT, "tls": True}, 401),
        (3, {"subject": b"CN=CP", "tls": True}, 401),
        (3, {"subject": b"CN=CP", "proxy": True}, 401),
        (3, {"subject": b"CN=another", "tls": True, "proxy": True}, 401),
        (3, {"subject": b"", "tls": True, "proxy": True}, 401),
        (3, {"subject": b"CN=CP", "tls": True, "proxy": True}, 101),
    ],
)
def test_profiles(charger: Any, profile: int, shown: Any, status: int):
    charger.identity = "CP"
    charger.save()
    assert knock("CP", profile=profile, **shown) == status


def test_profile_0_lets_in_without_a_proof_where_the_installation_allows_it(identity: str, settings: Any):
    settings.CHARGERS_WITHOUT_PASSWORD = True
    assert knock(identity, profile=0) == 101
    assert knock(identity, profile=1) == 401


def test_a_certificate_may_be_for_another_name_than_the_identity(identity: str):
    ChargerConnection.objects.update(certificate_name="SN-4711")
    assert knock(identity, profile=3, tls=True, proxy=True, subject=b"O=Acme,CN=SN-4711") == 101
    assert knock(identity, profile=3, tls=True, proxy=True, subject=f"CN={identity}".encode()) == 401


@pytest.mark.parametrize("form", ["CN={name},OU={mark},O=Acme", "/O=Acme/OU={mark}/CN={name}"])
def test_what_we_signed_for_one_charger_lets_in_no_other_that_gets_its_name(charger: Any, identity: str, form: str):
    """An operator may have a name signed, give it up, and wait for another operator's charger of that name."""

    def knock_with(charger_id: int, *more: int) -> int:
        mark = ",OU=".join(mark_of(one) for one in (charger_id, *more))
        subject = form.format(name=identity, mark=mark).encode()
        return knock(identity, profile=3, tls=True, proxy=True, subject=subject)

    assert knock_with(charger.pk) == 101
    assert knock_with(charger.pk + 1) == 401
    assert knock_with(charger.pk + 1, charger.pk) == knock_with(charger.pk, charger.pk + 1) == 401


def test_the_units_of_other_authorities_say_nothing(identity: str):
    subject = f"CN={identity},OU=Chargers,O=Acme".encode()
    assert knock(identity, profile=3, tls=True, proxy=True, subject=subject) == 101


def test_without_a_header_no_certificate_counts(identity: str, settings: Any):
    settings.CLIENT_CERTIFICATE_HEADER = ""
    assert knock(identity, profile=3, tls=True, proxy=True, subject=f"CN={identity}".encode()) == 401


@pytest.mark.parametrize(
    ("subject", "name"),
    [
        ("CN=CP-1,O=Acme,C=AT", "CP-1"),
        ("C=AT, O=Acme, CN=CP-1", "CP-1"),
        ("/C=AT/O=Acme/CN=CP-1", "CP-1"),
        ("CP-1", "CP-1"),
        ("emailAddress=a@b.c+CN=CP-1", "CP-1"),
        (r"O=Acme\,CN=CP-1,CN=CP-2", "CP-2"),
        ('O="Acme, CN=CP-1",C=AT', ""),
        ("CN=CP-1,CN=CP-2", ""),
        ("O=Acme", ""),
        ("", ""),
    ],
)
def test_the_common_name_of_a_subject(subject: str, name: str):
    assert auth.common_name(subject) == name


def test_staff_see_why_a_charger_is_refused_and_it_is_seldom_written(identity: str, django_assert_num_queries: Any):
    assert knock(identity, profile=2, password=RIGHT) == 401
    connection = ChargerConnection.objects.get()
    assert "TLS" in connection.refusal and connection.refused_at
    assert knock(identity, profile=1, password=WRONG) == 401
    assert ChargerConnection.objects.get().refused_at == connection.refused_at


@pytest.mark.parametrize(
    ("trusted", "said", "client"),
    [
        (["10.0.0.0/8"], ["203.0.113.7"], "203.0.113.7"),
        (["10.0.0.0/8"], ["198.51.100.1, 203.0.113.7"], "203.0.113.7"),
        (["10.0.0.0/8"], ["198.51.100.1", "203.0.113.7, 10.0.0.2"], "203.0.113.7"),
        (["10.0.0.0/8"], ["10.0.0.3, 203.0.113.7"], "203.0.113.7"),
        (["10.0.0.0/8"], ["203.0.113.7:4711"], "203.0.113.7"),
        (["10.0.0.0/8"], ["[2001:db8::7]:4711"], "2001:db8::7"),
        (["10.0.0.0/8"], ["203.0.113.7, unknown"], "10.0.0.1"),
        (["10.0.0.0/8"], ["<script>"], "10.0.0.1"),
        (["10.0.0.0/8"], [""], "10.0.0.1"),
        (["*"], ["203.0.113.7"], "203.0.113.7"),
        (["*"], ["198.51.100.1, 203.0.113.7"], "203.0.113.7"),
        (["*"], ["198.51.100.1", "203.0.113.7"], "203.0.113.7"),
    ],
)
async def test_what_a_visitor_puts_into_x_forwarded_for_makes_nobody_else_of_him(
    trusted: list[str], said: list[str], client: str
):
    seen: list[Any] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["client"][0])

    headers = [(b"x-forwarded-for", value.encode()) for value in said]
    scope = {"type": "http", "scheme": "http", "client": ("10.0.0.1", 1), "headers": headers}
    await TrustedProxies(application, trusted)(scope, None, None)  # type: ignore[arg-type]
    assert seen == [client]


@pytest.mark.parametrize(
    ("peer", "trusted", "client"),
    [("10.0.0.1", True, "203.0.113.7"), ("10.0.0.2", False, "10.0.0.2"), ("192.0.2.77", True, "203.0.113.7")],
)
async def test_only_configured_proxies_are_believed(peer: str, trusted: bool, client: str):
    seen: list[Any] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope)

    headers = [(b"x-forwarded-for", b"203.0.113.7"), (b"x-forwarded-proto", b"https")]
    scope = {"type": "websocket", "scheme": "ws", "client": (peer, 1), "headers": headers}
    await TrustedProxies(application, ["10.0.0.1", "192.0.2.0/24"])(scope, None, None)  # type: ignore[arg-type]
    assert bool(seen[0].get(auth.FROM_PROXY)) is trusted
    assert (seen[0]["client"][0], seen[0]["scheme"]) == (client, "wss" if trusted else "ws")
