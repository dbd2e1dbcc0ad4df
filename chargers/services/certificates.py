"""Client certificates of chargers, signed by the installation's own authority (OCPP 1.6 security whitepaper, A02;
OCPP 2.0.1, A02 and A03). Without one, staff have requests signed elsewhere."""

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from chargers.choices import ChargerEventKind
from chargers.models import ChargerConnection
from chargers.services.charger_events import record_event
from chargers.services.connection_security import check_name
from chargers.services.outgoing import Json, request_ocpp
from infrastructure import ids
from infrastructure.models import Charger

logger = logging.getLogger(__name__)

# The certificates of a charger itself; those for a car's contract come from another authority.
OWN_TYPES = ("", "ChargingStationCertificate")
# Strengths that OCPP asks for (2.0.1, A00.FR.506 and following: 112 bits of security).
LEAST_RSA_BITS, LEAST_EC_BITS = 2048, 224
# In the organisational unit of what we sign, and read from there at the handshake: see `mark_of`.
MARK = "Plugtill charger "
# Clocks of chargers may be behind ours.
VALID_BEFORE = timedelta(hours=1)


class Unsigned(Exception):
    """The request is not signed; the text says why and what to do, for staff."""


@dataclass(frozen=True, slots=True)
class Authority:
    certificate: x509.Certificate
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def receive_request(charger_id: int, csr: str, certificate_type: str = "", *, is_proven: bool) -> bool:
    """Answers SignCertificate: whether the charger may expect a CertificateSigned.

    With an authority of our own it follows at once; without one, or for another kind of certificate, staff send it.
    So they do where the charger has not proven who it is (`is_proven`): whoever knows its name could have one of it.
    """
    name = certificate_type or "SignCertificate"
    if not has_authority() or certificate_type not in OWN_TYPES or not is_proven:
        record_event(charger_id, ChargerEventKind.CERTIFICATE, name, info=csr)
        return True
    try:
        chain, until = sign(charger_id, csr)
    except Unsigned as error:
        logger.warning("charger %s: its certificate request is refused: %s", charger_id, error)
        record_event(charger_id, ChargerEventKind.CERTIFICATE, name, info=f"{_('Refused')}: {error}\n{csr}")
        return False
    payload: Json = {"certificateChain": chain}
    if certificate_type:
        payload["certificateType"] = certificate_type
    with transaction.atomic():
        info = _("Signed, valid until %(until)s.") % {"until": f"{until:%Y-%m-%d %H:%M} UTC"}
        record_event(charger_id, ChargerEventKind.CERTIFICATE, name, info=f"{info}\n{csr}")
        request_ocpp(charger_id, "CertificateSigned", payload, timezone.now() + settings.COMMAND_TIMEOUT)
    return True


def has_authority() -> bool:
    return bool(settings.CHARGER_CA_CERTIFICATE_FILE and settings.CHARGER_CA_KEY_FILE)


def read_authority() -> Authority:
    """The authority of the settings. Raises ValueError in plain words when its files are not one."""
    certificate_file, key_file = Path(settings.CHARGER_CA_CERTIFICATE_FILE), Path(settings.CHARGER_CA_KEY_FILE)
    try:
        certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
        key = serialization.load_pem_private_key(key_file.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ValueError(f"The charger authority cannot be read: {error}") from error
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise ValueError("The key of the charger authority is neither RSA nor an elliptic curve.")
    if key.public_key() != certificate.public_key():
        raise ValueError("The key of the charger authority does not belong to its certificate.")
    if not _is_authority(certificate):
        raise ValueError("The certificate of the charger authority is none of an authority (CA: TRUE is missing).")
    return Authority(certificate, key)


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def mark_of(charger_id: int) -> str:
    """Ties a certificate to the charger that it was signed for: another one, of whomever, may get its name later."""
    return f"{MARK}{charger_id}"


def sign(charger_id: int, csr: str) -> tuple[str, datetime]:
    """The chain for CertificateSigned (PEM, without a root) and its end. Raises Unsigned."""
    try:
        authority = read_authority()
    except ValueError as error:
        raise Unsigned(f"{error} {_('Put CHARGER_CA_CERTIFICATE_FILE and CHARGER_CA_KEY_FILE right.')}") from error
    request = _read(csr)
    _check_key(request)
    charger = Charger.objects.select_related("location__operator").get(pk=charger_id)
    subject = _subject(request, _expected_name(charger), charger)
    now = datetime.now(UTC)
    until = min(
        now + timedelta(days=settings.CHARGER_CERTIFICATE_DAYS), authority.certificate.not_valid_after_utc
    ).replace(microsecond=0)
    if until <= now:
        raise Unsigned(_("The certificate of the charger authority has expired: renew it."))
    certificate = _build(request, subject, authority, now - VALID_BEFORE, until)
    chain = [certificate] if _is_root(authority.certificate) else [certificate, authority.certificate]
    return "".join(one.public_bytes(serialization.Encoding.PEM).decode() for one in chain), until


def _read(csr: str) -> x509.CertificateSigningRequest:
    try:
        request = x509.load_pem_x509_csr(csr.strip().encode())
        is_proven = request.is_signature_valid
    except (ValueError, TypeError, UnsupportedAlgorithm, InvalidSignature, x509.InvalidVersion) as error:
        raise Unsigned(_("It is no certificate signing request in PEM.")) from error
    if not is_proven:
        raise Unsigned(_("It is not signed with the key that it names."))
    return request


def _check_key(request: x509.CertificateSigningRequest) -> None:
    key = request.public_key()
    is_strong = (isinstance(key, rsa.RSAPublicKey) and key.key_size >= LEAST_RSA_BITS) or (
        isinstance(key, ec.EllipticCurvePublicKey) and key.key_size >= LEAST_EC_BITS
    )
    if not is_strong:
        raise Unsigned(_("Its key is too weak: RSA needs 2048 bits, an elliptic curve 224."))


def _expected_name(charger: Charger) -> str:
    """As the handshake asks for it. Never what the charger says of itself, such as a serial number: it could take
    another one's. Raises Unsigned when another charger could be proven with it."""
    names = ChargerConnection.objects.filter(charger=charger).values_list("certificate_name", flat=True)
    name = names.first() or charger.identity
    try:
        # Other signs are written differently by each proxy: escaped, they may read as another name.
        ids.identity_validator(name)
        check_name(charger.pk, name)
    except ValidationError as error:
        text = _("The name %(name)s is not signed: %(why)s Set another one in Security on this page.")
        raise Unsigned(text % {"name": name, "why": " ".join(error.messages)}) from error
    return name


def _subject(request: x509.CertificateSigningRequest, name: str, charger: Charger) -> x509.Name:
    """Common name and organisation, and nothing else that the charger may wish for, but our own mark."""
    organization = charger.location.operator.name
    try:
        told = request.subject
    except ValueError as error:
        raise Unsigned(_("Its subject cannot be read.")) from error
    common_names, organizations = (_values(told, oid) for oid in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME))
    if common_names != [name]:
        text = _("Its common name is %(told)s, expected was %(name)s: change it there, or in Security on this page.")
        raise Unsigned(text % {"told": ", ".join(common_names) or "-", "name": name})
    if [one.casefold() for one in organizations] != [organization.casefold()]:
        text = _(
            "Its organisation is %(told)s, expected was the operator, %(name)s: set CpoName (OCPP 1.6) or "
            "SecurityCtrlr.OrganizationName (2.0.1) in the charger."
        )
        raise Unsigned(text % {"told": ", ".join(organizations) or "-", "name": organization})
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organizations[0]),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, mark_of(charger.pk)),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )


def _values(subject: x509.Name, oid: x509.ObjectIdentifier) -> list[str]:
    return [str(one.value) for one in subject.get_attributes_for_oid(oid)]


def _is_root(certificate: x509.Certificate) -> bool:
    return certificate.issuer == certificate.subject


def _key_identifier(authority: Authority) -> x509.AuthorityKeyIdentifier:
    """As the authority's own certificate names its key: verifiers compare the two."""
    try:
        known = authority.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    except x509.ExtensionNotFound:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(known.value)


def _build(
    request: x509.CertificateSigningRequest,
    subject: x509.Name,
    authority: Authority,
    begin: datetime,
    until: datetime,
) -> x509.Certificate:
    key_usage = {
        "content_commitment": False,
        "key_encipherment": isinstance(request.public_key(), rsa.RSAPublicKey),
        "data_encipherment": False,
        "key_agreement": False,
        "key_cert_sign": False,
        "crl_sign": False,
        "encipher_only": False,
        "decipher_only": False,
    }
    public_key = request.public_key()
    builder = (
        x509.CertificateBuilder(issuer_name=authority.certificate.subject, subject_name=subject)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(until)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(digital_signature=True, **key_usage), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(_key_identifier(authority), critical=False)
    )
    return builder.sign(authority.key, hashes.SHA256())
