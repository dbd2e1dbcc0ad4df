"""SignCertificate with an authority of our own: what is signed, what is refused, and that the chain holds."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from chargers.models import ChargerConnection, ChargerEvent, OutgoingCall
from chargers.ocpp.auth import common_name
from chargers.services import certificates, lifecycle
from config.checks import check_installation
from tests.chargers.certificates import make_authority, make_csr, new_key, unreadable_csr, use_authority
from tests.chargers.charger_socket import PASSWORD, ChargerSocket
from tests.chargers.factories import make_connector
from tests.infrastructure.factories import ChargerFactory

pytestmark = pytest.mark.django_db
DER, PEM = serialization.Encoding.DER, serialization.Encoding.PEM


@pytest.fixture
def charger() -> Any:
    return make_connector().evse.charger


@pytest.fixture
def root() -> Any:
    return make_authority("Root")


@pytest.fixture(autouse=True)
def authority(settings: Any, tmp_path: Path, root: Any) -> Any:
    use_authority(settings, tmp_path, authority := make_authority("Chargers", root))
    return authority


def subject(charger: Any, **changes: str) -> list[tuple[str, str]]:
    return list(({"O": charger.location.operator.name, "CN": charger.identity} | changes).items())


def sent() -> Any:
    return OutgoingCall.objects.get().payload


def test_a_request_gets_a_chain_that_holds_up_to_the_root(charger: Any, authority: Any, root: Any):
    key = new_key()
    csr = make_csr(*subject(charger), ("OU", "Whatever it wishes"), key=key)
    assert certificates.receive_request(charger.pk, csr, "ChargingStationCertificate", is_proven=True)
    call = sent()
    assert call["action"] == "CertificateSigned"
    assert call["payload"]["certificateType"] == "ChargingStationCertificate"
    leaf, sub = x509.load_pem_x509_certificates(call["payload"]["certificateChain"].encode())
    leaf.verify_directly_issued_by(sub)
    sub.verify_directly_issued_by(root[0])
    assert leaf.public_key() == key.public_key()
    assert common_name(leaf.subject.rfc4514_string()) == charger.identity
    [unit] = leaf.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)
    assert unit.value == certificates.mark_of(charger.pk)
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert ChargerEvent.objects.get().info.startswith("Signed, valid until")


def test_the_root_itself_is_not_sent(charger: Any, settings: Any, tmp_path: Path, root: Any):
    use_authority(settings, tmp_path, root)
    chain, _ = certificates.sign(charger.pk, make_csr(*subject(charger)))
    (leaf,) = x509.load_pem_x509_certificates(chain.encode())
    leaf.verify_directly_issued_by(root[0])


def test_it_is_not_valid_for_longer_than_its_authority(charger: Any, settings: Any, tmp_path: Path, root: Any):
    settings.CHARGER_CERTIFICATE_DAYS = 30
    _, until = certificates.sign(charger.pk, make_csr(*subject(charger)))
    assert timedelta(days=29) < until - datetime.now(UTC) <= timedelta(days=30)
    use_authority(settings, tmp_path, make_authority("Short", root, days=5))
    _, until = certificates.sign(charger.pk, make_csr(*subject(charger)))
    assert until - datetime.now(UTC) <= timedelta(days=5)


def test_the_name_is_the_one_that_the_handshake_asks_for(charger: Any):
    ChargerConnection.objects.update(certificate_name="SERIAL-7")
    assert certificates.receive_request(charger.pk, make_csr(*subject(charger, CN="SERIAL-7")), is_proven=True)
    assert not certificates.receive_request(charger.pk, make_csr(*subject(charger)), is_proven=True)


def theirs_is_the_identity(charger: Any) -> None:
    ChargerConnection.objects.update(certificate_name="CP-B")
    ChargerFactory(identity="CP-B")


def theirs_is_the_name_in_the_certificate(charger: Any) -> None:
    type(charger).objects.update(identity="CP-B")
    ChargerConnection.objects.create(charger=ChargerFactory(), certificate_name="CP-B")


@pytest.mark.parametrize("arrange", [theirs_is_the_identity, theirs_is_the_name_in_the_certificate])
def test_no_name_is_signed_that_another_charger_goes_by(charger: Any, arrange: Any):
    """Also where two became one at the same moment."""
    arrange(charger)
    assert not certificates.receive_request(charger.pk, make_csr(*subject(charger, CN="CP-B")), is_proven=True)
    assert "Another charger has the identity CP-B" in ChargerEvent.objects.get().info


def test_no_name_is_signed_that_a_proxy_may_write_as_another(charger: Any):
    name = "C\\P-B"
    csr = make_csr(*subject(charger, CN=name))
    assert common_name(x509.load_pem_x509_csr(csr.encode()).subject.rfc4514_string()) == "CP-B"
    ChargerConnection.objects.update(certificate_name=name)
    assert not certificates.receive_request(charger.pk, csr, is_proven=True)
    assert "letters, digits" in ChargerEvent.objects.get().info


def weak(charger: Any) -> str:
    return make_csr(*subject(charger), key=rsa.generate_private_key(65537, 1024))


def forged(charger: Any) -> str:
    """Somebody else's key under the subject: the proof of possession is not that key's."""
    der = bytearray(x509.load_pem_x509_csr(make_csr(*subject(charger)).encode()).public_bytes(DER))
    der[-1] ^= 1
    return x509.load_der_x509_csr(bytes(der)).public_bytes(PEM).decode()


def serial(charger: Any) -> str:
    """What it says of itself could be another charger's identity."""
    ChargerConnection.objects.update(serial_number="CP-OTHER")
    return make_csr(*subject(charger, CN="CP-OTHER"))


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (serial, "Its common name is CP-OTHER"),
        (lambda charger: make_csr(("CN", charger.identity)), "Its organisation is -"),
        (lambda charger: make_csr(*subject(charger, O="Other Ltd")), "Its organisation is Other Ltd"),
        (lambda charger: make_csr(*subject(charger), ("CN", "CP-OTHER")), "Its common name is"),
        (weak, "too weak"),
        (lambda charger: unreadable_csr(*subject(charger)), "Its subject cannot be read"),
        (forged, "not signed with the key"),
        (lambda charger: "-----BEGIN", "no certificate signing request"),
    ],
)
def test_what_must_not_be_signed_is_refused_with_the_reason_for_staff(charger: Any, make: Any, why: str):
    assert not certificates.receive_request(charger.pk, make(charger), is_proven=True)
    assert not OutgoingCall.objects.exists()
    assert why in ChargerEvent.objects.get().info


@pytest.mark.parametrize("kind", ["", "V2GCertificate"])
def test_without_an_authority_and_for_cars_it_is_staffs(charger: Any, settings: Any, kind: str):
    if not kind:
        settings.CHARGER_CA_KEY_FILE = settings.CHARGER_CA_CERTIFICATE_FILE = ""
    assert certificates.receive_request(charger.pk, "PEM", kind, is_proven=True)
    assert (ChargerEvent.objects.get().info, OutgoingCall.objects.count()) == ("PEM", 0)


def test_who_has_only_said_who_it_is_gets_no_certificate_of_it(charger: Any):
    csr = make_csr(*subject(charger))
    assert certificates.receive_request(charger.pk, csr, is_proven=False)
    assert (ChargerEvent.objects.get().info, OutgoingCall.objects.count()) == (csr, 0)


def problems() -> list[str]:
    return [str(one.id) for one in check_installation() if str(one.id) in ("plugtill.E009", "plugtill.E010")]


def test_files_that_are_no_authority_are_found_at_the_start(charger: Any, settings: Any, tmp_path: Path, root: Any):
    assert problems() == []
    use_authority(settings, tmp_path, make_authority("Leaf", root, is_authority=False))
    assert problems() == ["plugtill.E010"]
    use_authority(settings, tmp_path, (root[0], new_key()))
    assert problems() == ["plugtill.E010"]
    (tmp_path / "ca.key").unlink()
    assert problems() == ["plugtill.E010"]
    assert not certificates.receive_request(charger.pk, make_csr(*subject(charger)), is_proven=True)
    settings.CHARGER_CA_KEY_FILE = ""
    assert problems() == ["plugtill.E009"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("protocol", "more"),
    [("ocpp1.6", {}), ("ocpp2.0.1", {"certificateType": "ChargingStationCertificate"})],
)
async def test_over_the_wire(settings: Any, tmp_path: Path, root: Any, protocol: str, more: Any):
    charger = await sync_to_async(_with_password)()
    socket = ChargerSocket(charger.identity, subprotocols=[protocol])
    assert await socket.connect() == {"type": "websocket.accept", "subprotocol": protocol}
    answer = await socket.ask("SignCertificate", csr=make_csr(*subject(charger)), **more)
    assert answer == {"status": "Accepted"}
    frame = await socket.request()
    assert frame[2] == "CertificateSigned"
    assert frame[3].items() >= more.items()
    assert x509.load_pem_x509_certificates(frame[3]["certificateChain"].encode())
    await socket.answer(frame[1], status="Accepted")
    assert await socket.ask("SignCertificate", csr="nonsense", **more) == {"status": "Rejected"}
    await socket.close()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("protocol", ["ocpp1.6", "ocpp2.0.1"])
async def test_over_a_socket_without_a_proof_nothing_is_signed(settings: Any, protocol: str):
    settings.CHARGERS_WITHOUT_PASSWORD = True
    charger = await sync_to_async(_with_password)()
    await ChargerConnection.objects.aupdate(security_profile=0)
    socket = ChargerSocket(charger.identity, subprotocols=[protocol])
    assert await socket.connect() == {"type": "websocket.accept", "subprotocol": protocol}
    # What staff ask for meanwhile makes nobody of it whom it has not shown to be.
    await ChargerConnection.objects.aupdate(security_profile=3)
    assert await socket.ask("SignCertificate", csr=make_csr(*subject(charger))) == {"status": "Accepted"}
    await socket.close()
    assert not await OutgoingCall.objects.filter(payload__action="CertificateSigned").aexists()
    assert (await ChargerEvent.objects.aget(kind="CERTIFICATE")).info.startswith("-----BEGIN")


def _with_password() -> Any:
    charger = make_connector(online=False).evse.charger
    lifecycle.set_password(charger, PASSWORD)
    assert charger.location.operator.name  # read here, where the database may be
    return charger
