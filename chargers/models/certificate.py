from django.db import models
from django.utils import timezone

from infrastructure.models import Charger


class ChargerCertificate(models.Model):
    """A certificate that a charger holds, as far as we know of it.

    `use` is OCPP's word (CertificateSigningUseEnumType, InstallCertificateUseEnumType); `serial_number` is hexadecimal,
    "" where it was not told; `expires_at` None: OCPP tells hashes only, so that nobody knows.
    """

    charger = models.ForeignKey(Charger, on_delete=models.CASCADE, related_name="certificates")
    use = models.CharField(max_length=32)
    serial_number = models.CharField(max_length=40, blank=True)
    subject = models.CharField(max_length=300, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True, db_index=True)
    told_at = models.DateTimeField(default=timezone.now)

    operator_path = "charger__location__operator"

    class Meta:
        ordering = ["charger", "use", "expires_at"]
        constraints = [models.UniqueConstraint("charger", "use", "serial_number", name="charger_certificate_unique")]

    def __str__(self) -> str:
        return f"{self.use} {self.subject or self.serial_number}".strip()
