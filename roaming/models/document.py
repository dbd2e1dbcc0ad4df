from django.db import models
from django.db.models import Q
from django.db.models.functions import Cast, Upper
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from infrastructure.choices import as_choices
from roaming.choices import Module
from roaming.models.platform import RoamingPlatform

LISTED = Q(is_deleted=False)


class Document(models.Model):
    """One of our objects as one platform sees it: what it may pull, and what is pushed to it.

    Tariffs and visibility differ per platform, so each has a rendering and a `last_updated` of its own.
    `acknowledged` is the body that the platform last confirmed; the difference tells what to push.
    """

    platform = models.ForeignKey(RoamingPlatform, on_delete=models.CASCADE, related_name="documents")
    module = models.CharField(max_length=20, choices=as_choices(Module))
    object_id = models.CharField(max_length=39)
    source_id = models.BigIntegerField(help_text=_("Primary key of what it renders; outlives a deleted row."))
    country_code = models.CharField(max_length=2)
    party_id = models.CharField(max_length=3)
    body = models.JSONField()
    # Lists are made of these texts: to turn each body of a page into text again would take as long as all the rest.
    text = models.GeneratedField(
        expression=Cast("body", models.TextField()), output_field=models.TextField(), db_persist=True, editable=False
    )
    problem = models.TextField(
        blank=True, help_text=_("Why the newest rendering cannot be sent: the partner keeps what it had.")
    )
    is_deleted = models.BooleanField(
        default=False, help_text=_("Withdrawn (tariffs only): not listed, DELETE is pushed.")
    )
    last_updated = models.DateTimeField()
    created_at = models.DateTimeField(default=timezone.now)
    acknowledged = models.JSONField(null=True, blank=True)
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    peer_url = models.CharField(max_length=255, blank=True, help_text=_("Where the platform keeps its copy (CDRs)."))

    operator_path = "platform__profiles__operators"
    owned_through = "platform"

    class Meta:
        ordering = ["created_at", "pk"]
        constraints = [
            models.UniqueConstraint(
                "platform", "module", "country_code", "party_id", Upper("object_id"), name="document_unique"
            ),
        ]
        indexes = [
            # Of what is listed, and whole, so that counting it and finding a page's place need no row.
            models.Index("platform", "module", "created_at", "id", condition=LISTED, name="document_listed"),
            models.Index(
                "platform", "module", "last_updated", "created_at", "id", condition=LISTED, name="document_changed"
            ),
            # Small, as its entries are all alike: what is listed is counted for every page.
            models.Index("platform", "module", condition=LISTED, name="document_counted"),
            models.Index("module", "source_id", name="document_source"),
        ]

    def __str__(self) -> str:
        return f"{self.module} {self.object_id}"

    @property
    def path(self) -> str:
        """Names the object among all of its module: country code, party id and id."""
        return f"{self.country_code}/{self.party_id}/{self.object_id}"
