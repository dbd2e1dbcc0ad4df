"""Authorities and certificate requests, as real ones are."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

PEM = serialization.Encoding.PEM
OIDS = {"CN": NameOID.COMMON_NAME, "O": NameOID.ORGANIZATION_NAME, "OU": NameOID.ORGANIZATIONAL_UNIT_NAME}
DAY = timedelta(days=1)


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def name_of(*parts: tuple[str, str]) -> x509.Name:
    return x509.Name([x509.NameAttribute(OIDS[kind], value) for kind, value in parts])


def make_authority(
    name: str, issuer: Any = None, *, days: int = 3650, is_authority: bool = True
) -> tuple[x509.Certificate, Any]:
    """Certificate and key; without an issuer a root."""
    key, now, subject = new_key(), datetime.now(UTC), name_of(("CN", name))
    signer, signer_key = issuer or (None, key)
    builder = (
        x509.CertificateBuilder(signer.subject if signer else subject, subject, key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 10 * DAY)
        .not_valid_after(now + days * DAY)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    )
    return builder.sign(signer_key, hashes.SHA256()), key


def use_authority(settings: Any, folder: Path, authority: tuple[x509.Certificate, Any]) -> None:
    certificate, key = authority
    settings.CHARGER_CA_CERTIFICATE_FILE = str(folder / "ca.pem")
    settings.CHARGER_CA_KEY_FILE = str(folder / "ca.key")
    (folder / "ca.pem").write_bytes(certificate.public_bytes(PEM))
    plain = serialization.NoEncryption()
    (folder / "ca.key").write_bytes(key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, plain))


def make_csr(*parts: tuple[str, str], key: Any = None) -> str:
    request = x509.CertificateSigningRequestBuilder(name_of(*parts)).sign(key or new_key(), hashes.SHA256())
    return request.public_bytes(PEM).decode()


ECDSA_WITH_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")


def der(tag: int, content: bytes) -> bytes:
    length = len(content)
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([tag]) + (bytes([length]) if length < 128 else bytes([0x80 | len(octets)]) + octets) + content


def signed(content: bytes, key: Any) -> bytes:
    """What no library would make: the certificate or request (DER) whose signed part is `content`."""
    signature = key.sign(content, ec.ECDSA(hashes.SHA256()))
    return der(0x30, content + ECDSA_WITH_SHA256 + der(3, b"\0" + signature))


def unreadable_csr(*parts: tuple[str, str]) -> str:
    """Signed as it should be, and the last of the names is no UTF-8."""
    key, name = new_key(), parts[-1][1].encode()
    request = x509.load_pem_x509_csr(make_csr(*parts, key=key).encode())
    content = request.tbs_certrequest_bytes.replace(name, b"\xff" * len(name))
    return x509.load_der_x509_csr(signed(content, key)).public_bytes(PEM).decode()


def with_serial(certificate: x509.Certificate, octets: int) -> x509.Certificate:
    """The certificate with a serial number of so many octets; signed by nobody."""
    whole = certificate.tbs_certificate_bytes
    content = whole[2 + max(whole[1] - 0x80, 0) :]
    begin, end = 5, 7 + content[6]
    assert content[begin] == 2
    content = der(0x30, content[:begin] + der(2, b"\x7f" * octets) + content[end:])
    return x509.load_der_x509_certificate(signed(content, new_key()))
