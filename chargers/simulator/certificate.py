"""The key and the certificate of the charge point (OCPP 1.6 security whitepaper, 2.3; OCPP 2.0.1, A02)."""

from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class OwnCertificate:
    """A new key for each request; a chain counts only for the key that was asked for last."""

    def __init__(self) -> None:
        self._key: ec.EllipticCurvePrivateKey | None = None
        self.chain = ""

    def request(self, common_name: str, organization: str) -> str:
        """A certificate signing request in PEM."""
        self._key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
                x509.NameAttribute(NameOID.COMMON_NAME, common_name),
            ]
        )
        request = x509.CertificateSigningRequestBuilder(subject).sign(self._key, hashes.SHA256())
        return request.public_bytes(serialization.Encoding.PEM).decode()

    def take(self, chain: str) -> bool:
        """Keeps the chain if its first certificate is for our key; else it is refused."""
        try:
            certificate = x509.load_pem_x509_certificates(chain.encode())[0]
        except ValueError:
            return False
        if self._key is None or certificate.public_key() != self._key.public_key():
            return False
        self.chain = chain
        return True

    @property
    def described(self) -> dict[str, Any] | None:
        """Subject and end, for whoever watches; None without a certificate."""
        if not self.chain:
            return None
        certificate = x509.load_pem_x509_certificates(self.chain.encode())[0]
        return {
            "subject": certificate.subject.rfc4514_string(),
            "valid_until": certificate.not_valid_after_utc.isoformat(),
        }
