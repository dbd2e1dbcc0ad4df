from django.db import models
from django.db.models.functions import Upper
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from chargers.choices import TokenType, WhitelistType
from infrastructure.choices import as_choices


class TokenQuerySet(models.QuerySet["Token"]):
    def with_uid(self, uid: str) -> "TokenQuerySet":
        """Regardless of case. Spelled so that both databases use the index, unlike `iexact`."""
        return self.alias(upper_uid=Upper("uid")).filter(upper_uid=uid.upper())


class Token(models.Model):
    """What a partner's driver identifies with: a card, mostly (OCPI 2.2.1 mod_tokens, 12.3.2).

    `peer_id` is opaque here: roaming writes tokens and interprets it. `body` is the object as the partner sent it,
    unknown fields included; the columns repeat what is looked up. Partners delete no tokens, they make them invalid;
    `received_at` is when that or anything else was last heard, and long after it an invalid one is forgotten.
    """

    peer_id = models.CharField(max_length=36)
    country_code = models.CharField(max_length=2)
    party_id = models.CharField(max_length=3)
    uid = models.CharField(max_length=36)
    type = models.CharField(max_length=11, choices=as_choices(TokenType))
    whitelist = models.CharField(max_length=15, choices=as_choices(WhitelistType))
    is_valid = models.BooleanField()
    body = models.JSONField()
    last_updated = models.DateTimeField(help_text=_("By the partner's clock."))
    received_at = models.DateTimeField(default=timezone.now)
    created_at = models.DateTimeField(default=timezone.now)

    objects = TokenQuerySet.as_manager()
    operator_path = None

    class Meta:
        ordering = ["-received_at"]
        constraints = [
            models.UniqueConstraint(
                Upper("uid"), Upper("country_code"), Upper("party_id"), "type", "peer_id", name="token_unique_per_peer"
            ),
        ]
        indexes = [models.Index("peer_id", "received_at", name="token_peer")]

    def __str__(self) -> str:
        party = f"{self.country_code}-{self.party_id}"
        return gettext("%(token)s of %(party)s") % {"token": f"{self.type} {self.masked_uid}", "party": party}

    @property
    def masked_uid(self) -> str:
        """Enough to find a card by, not enough to copy it."""
        return f"…{self.uid[-4:]}" if len(self.uid) > 4 else "…"
