"""Which certificates a charger holds, and that staff hear of their end while something can be done about it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from django.utils import timezone

from chargers.choices import CallResult, SecurityProfile
from chargers.models import ChargerCertificate, ChargerConnection
from chargers.ocpp import auth
from chargers.services import calls, installed_certificates, operations
from infrastructure.choices import AlertState
from infrastructure.models import Alert, OutboxEvent
from infrastructure.outbox import drain
from tests.chargers.certificates import PEM, make_authority, use_authority, with_serial
from tests.chargers.factories import make_connector

pytestmark = pytest.mark.django_db
OWN, ROOT_16, ROOT_201 = "ChargingStationCertificate", "CentralSystemRootCertificate", "CSMSRootCertificate"
ACCEPTED = CallResult.ACCEPTED
DER = serialization.Encoding.DER


@pytest.fixture
def charger() -> Any:
    return make_connector().evse.charger


def certificate(days: int = 100) -> Any:
    return make_authority("Station", days=days)[0]


def pem(one: Any) -> str:
    return str(one.public_bytes(PEM).decode())


def finish(charger: Any, action: str, payload: Any, result: CallResult = ACCEPTED, answer: Any = None) -> None:
    call = operations.request(charger, action, payload)
    calls.finish_call(call.pk, result, answer or {"status": "Accepted"})
    drain()


def held() -> list[tuple[str, str]]:
    return list(ChargerCertificate.objects.values_list("use", "serial_number"))


def serial(one: Any) -> str:
    return f"{one.serial_number:x}"


def test_one_that_the_charger_took_takes_the_place_of_its_own(charger: Any):
    for one in (first := certificate(), certificate(200)):
        finish(charger, "CertificateSigned", {"certificateChain": pem(one) + pem(certificate())})
    finish(charger, "CertificateSigned", {"certificateChain": pem(certificate())}, CallResult.REJECTED)
    kept = ChargerCertificate.objects.get()
    assert (kept.use, kept.expires_at) == (OWN, one.not_valid_after_utc) and kept.serial_number != serial(first)


def test_one_that_nobody_else_would_make_is_kept_as_far_as_it_can_be_read(charger: Any):
    long = with_serial(certificate(), 30)
    finish(charger, "CertificateSigned", {"certificateChain": pem(long)})
    assert held() == [(OWN, "7f" * 20)]
    whole = certificate().public_bytes(DER)
    unreadable = x509.load_der_x509_certificate(whole.replace(b"Station", b"\xff" * 7))
    finish(charger, "CertificateSigned", {"certificateChain": pem(unreadable)})
    assert not OutboxEvent.objects.filter(processed_at=None).exists()
    assert held() == []  # it has another one, of which nothing is known


def test_authorities_are_known_until_they_are_deleted(charger: Any):
    one, other = certificate(), certificate()
    for root in (one, other):
        finish(charger, "InstallCertificate", {"certificateType": ROOT_16, "certificate": pem(root)})
    finish(charger, "DeleteCertificate", {"certificateHashData": {"serialNumber": f"00{serial(one).upper()}"}})
    assert held() == [(ROOT_16, serial(other))]


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ({"certificateType": ROOT_201}, lambda one: {"certificateHashData": [{"serialNumber": one}]}),
        (
            {},
            lambda one: {
                "certificateHashDataChain": [
                    {"certificateType": ROOT_201, "certificateHashData": {"serialNumber": one}}
                ]
            },
        ),
    ],
    ids=["1.6", "2.0.1"],
)
def test_what_the_charger_lists_is_what_it_holds(charger: Any, asked: Any, answer: Any):
    gone, kept = certificate(), certificate()
    installed_certificates.note_shown(charger.pk, timezone.now())
    for root in (gone, kept):
        finish(charger, "InstallCertificate", {"certificateType": ROOT_201, "certificate": pem(root)})
    finish(charger, "GetInstalledCertificateIds", asked, ACCEPTED, answer(serial(kept)))
    assert held() == [(ROOT_201, serial(kept)), (OWN, "")]
    assert ChargerCertificate.objects.get(use=ROOT_201).expires_at == kept.not_valid_after_utc
    finish(charger, "GetInstalledCertificateIds", asked, CallResult.UNKNOWN, {"status": "NotFound"})
    assert held() == [(OWN, "")]


@pytest.mark.parametrize("odd", ["text", 7, [{}], None])
def test_of_a_list_whatever_cannot_be_read_is_passed_over(charger: Any, odd: Any):
    listed = [{"certificateType": ROOT_201, "certificateHashData": one} for one in (odd, {"serialNumber": "7f"})]
    finish(charger, "GetInstalledCertificateIds", {}, ACCEPTED, {"certificateHashDataChain": listed})
    assert not OutboxEvent.objects.filter(processed_at=None).exists()
    assert held() == [(ROOT_201, "7f")]


def test_what_the_proxy_says_of_its_end_is_kept(charger: Any):
    ChargerConnection.objects.update(security_profile=SecurityProfile.TLS_AND_CERTIFICATE)
    headers = [
        (b"x-ssl-client-s-dn", f"CN={charger.identity}".encode()),
        (b"x-ssl-client-v-end", b"Jan 31 12:00:00 2027 GMT"),
    ]
    scope = {"headers": headers, "scheme": "wss", "subprotocols": [], auth.FROM_PROXY: True}
    finish(charger, "CertificateSigned", {"certificateChain": pem(certificate())})
    for _ in range(2):
        assert auth.let_in(charger.identity, scope).charger_id == charger.pk
        assert ChargerCertificate.objects.get().expires_at == datetime(2027, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "soon", "Jan 99 12:00:00 2027 GMT"])
def test_an_end_that_cannot_be_read_is_none(text: str):
    assert auth.read_end(text) is None


def test_its_end_is_an_alert_with_the_way_to_renew_it(charger: Any, settings: Any):
    settings.CERTIFICATE_WARNING_DAYS = 30
    installed_certificates.note_shown(charger.pk, timezone.now() + timedelta(days=31))
    installed_certificates.watch()
    assert not Alert.objects.exists()
    installed_certificates.note_shown(charger.pk, timezone.now() + timedelta(days=29))
    installed_certificates.watch()
    alert = Alert.objects.get(state=AlertState.OPEN)
    assert OWN in alert.title and charger.identity in alert.title
    assert alert.path.endswith(f"{charger.connection.pk}/operate/?do=renew-certificate")
    assert list(alert.operators.all()) == [charger.location.operator]
    finish(charger, "CertificateSigned", {"certificateChain": pem(certificate())})
    installed_certificates.watch()
    assert not Alert.objects.filter(state=AlertState.OPEN).exists()


def test_the_end_of_our_own_authority_is_an_alert(settings: Any, tmp_path: Path):
    settings.CERTIFICATE_WARNING_DAYS = 30
    use_authority(settings, tmp_path, make_authority("Root", days=31))
    installed_certificates.watch()
    assert not Alert.objects.exists()
    use_authority(settings, tmp_path, make_authority("Root", days=29))
    installed_certificates.watch()
    assert "certificate of the charger authority ends" in Alert.objects.get(state=AlertState.OPEN).title
    (tmp_path / "ca.pem").write_text("nothing")
    installed_certificates.watch()
    assert "cannot be used" in Alert.objects.get(state=AlertState.OPEN).title
    use_authority(settings, tmp_path, make_authority("Root"))
    installed_certificates.watch()
    assert not Alert.objects.filter(state=AlertState.OPEN).exists()
