"""Which certificates chargers hold and until when: a charger whose own one has ended can no longer come in.

OCPP tells hashes and serial numbers of installed certificates and never their end, so that it is known of those that
went through our hands, and of the one that a charger shows to the proxy.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from chargers.choices import CallAction, CallResult
from chargers.models import ChargerCertificate, OutgoingCall
from chargers.services import certificates
from infrastructure.services import alerts
from infrastructure.services.alerts import Finding

Json = dict[str, Any]

SOURCE = "charger-certificates"
# The one that a charger shows us; a new one takes the place of the old one.
OWN = "ChargingStationCertificate"
V2G = "V2GCertificate"
# Of 20 octets (RFC 5280, 4.1.2.2), though there are longer ones; hexadecimal.
LONGEST_SERIAL = 40


def note_shown(charger_id: int, expires_at: datetime) -> None:
    """The charger came with a certificate of its own that is valid until then."""
    mine = ChargerCertificate.objects.filter(charger_id=charger_id, use=OWN)
    if mine.filter(expires_at=expires_at).exists():
        return
    mine.exclude(serial_number="").delete()
    told = {"expires_at": expires_at, "told_at": timezone.now()}
    ChargerCertificate.objects.update_or_create(charger_id=charger_id, use=OWN, serial_number="", defaults=told)


def store_answer(call_id: int) -> None:
    """Outbox consumer of "call": keeps what a finished request has installed, taken away or found."""
    call = OutgoingCall.objects.filter(pk=call_id, action=CallAction.OCPP).first()
    if call is None or call.result not in (CallResult.ACCEPTED, CallResult.UNKNOWN):
        return
    charger_id, asked, is_accepted = call.charger_id, call.payload["payload"], call.result == CallResult.ACCEPTED
    match call.name:
        case "CertificateSigned" if is_accepted:
            use = asked.get("certificateType") or OWN
            ChargerCertificate.objects.filter(charger_id=charger_id, use=use).delete()
            _record(charger_id, use, asked.get("certificateChain"))
        case "InstallCertificate" if is_accepted:
            _record(charger_id, str(asked.get("certificateType", "")), asked.get("certificate"))
        case "DeleteCertificate":
            serial = _serial((asked.get("certificateHashData") or {}).get("serialNumber"))
            ChargerCertificate.objects.filter(charger_id=charger_id, serial_number=serial).exclude(use=OWN).delete()
        case "GetInstalledCertificateIds":
            _compare(charger_id, asked.get("certificateType"), call.answer or {})


def _record(charger_id: int, use: str, pem: Any) -> None:
    try:
        certificate = x509.load_pem_x509_certificates(str(pem).encode())[0]
        # A subject is read no sooner than here.
        subject, expires_at = certificate.subject.rfc4514_string()[:300], certificate.not_valid_after_utc
    except (ValueError, x509.InvalidVersion):  # the charger took it, whatever it is
        return
    told = {"subject": subject, "expires_at": expires_at, "told_at": timezone.now()}
    serial = f"{certificate.serial_number:x}"[:LONGEST_SERIAL]
    ChargerCertificate.objects.update_or_create(
        charger_id=charger_id, use=use[:32], serial_number=serial, defaults=told
    )


def _compare(charger_id: int, asked: Any, answer: Json) -> None:
    """What the charger lists of the kinds that were asked for; None: all. The others it has no more."""
    listed = set(_listed(asked, answer))
    for use, serial in listed:
        ChargerCertificate.objects.update_or_create(
            charger_id=charger_id, use=use[:32], serial_number=serial, defaults={"told_at": timezone.now()}
        )
    known = ChargerCertificate.objects.filter(charger_id=charger_id).exclude(use__in=(OWN, V2G))
    if asked:
        known = known.filter(use__in=[asked] if isinstance(asked, str) else asked)
    gone = [one.pk for one in known if (one.use, one.serial_number) not in listed]
    ChargerCertificate.objects.filter(pk__in=gone).delete()


def _listed(asked: Any, answer: Json) -> Iterator[tuple[str, str]]:
    """Use and serial number, of both versions: OCPP 1.6 answers for the one kind that it was asked for."""
    for one in _dicts(answer.get("certificateHashDataChain")):
        for told in _dicts([one.get("certificateHashData")]):
            yield str(one.get("certificateType", "")), _serial(told.get("serialNumber"))
    for one in _dicts(answer.get("certificateHashData")):
        yield str(asked or ""), _serial(one.get("serialNumber"))


def _dicts(value: Any) -> Iterable[Json]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _serial(value: Any) -> str:
    """Hexadecimal without leading zeros (OCPP 2.0.1, CertificateHashDataType)."""
    return str(value or "").lower().removeprefix("0x").lstrip("0")[:LONGEST_SERIAL]


def watch() -> None:
    """Opens and resolves the alerts of certificates that end soon, or have."""
    now = timezone.now()
    warn_before = now + timedelta(days=settings.CERTIFICATE_WARNING_DAYS)
    soon = ChargerCertificate.objects.filter(expires_at__lt=warn_before)
    held = [_finding(one, now) for one in soon.select_related("charger__location", "charger__connection")]
    alerts.settle(SOURCE, [*held, *_of_authority(now, warn_before)])


def _of_authority(now: datetime, warn_before: datetime) -> Iterator[Finding]:
    """Our own authority signs nothing after its end, and no proxy takes what it signed before."""
    if not certificates.has_authority():
        return
    try:
        ends = certificates.read_authority().certificate.not_valid_after_utc
    except ValueError as error:
        yield Finding("authority", "The charger authority cannot be used", str(error))
        return
    if ends < warn_before:
        verb = "ended" if ends < now else "ends"
        text = (
            "Make a new one, give it to the proxy beside this one and put it into CHARGER_CA_CERTIFICATE_FILE and "
            "CHARGER_CA_KEY_FILE; then renew the certificates of the chargers."
        )
        yield Finding("authority", f"The certificate of the charger authority {verb} on {ends:%Y-%m-%d}", text)


def _finding(certificate: ChargerCertificate, now: datetime) -> Finding:
    charger, ends = certificate.charger, certificate.expires_at
    assert ends is not None
    verb = "ended" if ends < now else "ends"
    page = reverse("admin:infrastructure_charger_change", args=[charger.pk])
    text = f"Send the charger a new {certificate.use} (InstallCertificate) before this one ends."
    connection = getattr(charger, "connection", None)
    if certificate.use == OWN and connection is not None:
        text = "Without a valid one it cannot connect any more. Ask it to renew the certificate on the linked page."
        operate = reverse("admin:chargers_chargerconnection_operate", args=[connection.pk])
        page = f"{operate}?do=renew-certificate"
    title = f"{certificate.use} of {charger.identity} {verb} on {ends.astimezone(UTC):%Y-%m-%d}"
    return Finding(str(certificate.pk), title, text, page, (charger.location.operator_id,))
