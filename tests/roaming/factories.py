"""Rows of the roaming app for tests."""

from datetime import UTC, datetime
from typing import Any

import factory
from django.utils import timezone
from factory.django import DjangoModelFactory

from infrastructure.models import Operator, Site
from infrastructure.secrets import encrypt
from roaming.choices import Direction, Module, PlatformState, PlatformType
from roaming.models import Document, Message, PlatformRole, RoamingPlatform, RoamingProfile
from roaming.services.tokens import hash_token


def make_operator(name: str = "Acme Charging", **fields: Any) -> Operator:
    site, _ = Site.objects.get_or_create(pk=1, defaults={"name": "Plugtill"})
    return Operator.objects.create(site=site, name=name, **fields)


class ProfileFactory(DjangoModelFactory):
    class Meta:
        model = RoamingProfile
        skip_postgeneration_save = True

    name = "Acme Roaming"
    code = factory.Sequence(lambda n: f"profile-{n}")
    country_code = "AT"
    party_id = factory.Sequence(lambda n: f"P{n % 100:02}")

    @factory.post_generation
    def operators(self, create: bool, extracted: Any, **kwargs: Any) -> None:
        if extracted:
            self.operators.set(extracted)


class PlatformFactory(DjangoModelFactory):
    """A platform that is not yet registered; `profiles` as a list."""

    class Meta:
        model = RoamingPlatform
        skip_postgeneration_save = True

    name = factory.Sequence(lambda n: f"Partner {n}")
    code = factory.Sequence(lambda n: f"partner-{n}")
    type = PlatformType.PTP
    country = "NLD"

    @factory.post_generation
    def profiles(self, create: bool, extracted: Any, **kwargs: Any) -> None:
        if extracted:
            self.profiles.set(extracted)


class RegisteredPlatformFactory(PlatformFactory):
    """A platform after its handshake; `server_token` is what it sends us."""

    class Params:
        server_token = factory.Sequence(lambda n: f"server-token-{n}")

    state = PlatformState.REGISTERED
    ocpi_version = "2.2.1"
    server_token_hash = factory.LazyAttribute(lambda row: hash_token(row.server_token))
    client_token_encrypted = factory.LazyFunction(lambda: encrypt("client-token"))
    registered_at = datetime(2025, 1, 1, tzinfo=UTC)


def make_role(platform: RoamingPlatform, party_id: str = "PTP", country_code: str = "NL") -> PlatformRole:
    return PlatformRole.objects.create(
        platform=platform, role="OTHER", country_code=country_code, party_id=party_id, business_name="Terminals"
    )


class DocumentFactory(DjangoModelFactory):
    class Meta:
        model = Document

    platform = factory.SubFactory(RegisteredPlatformFactory)
    module = Module.LOCATIONS
    object_id = factory.Sequence(lambda n: f"OBJECT-{n}")
    source_id = factory.Sequence(lambda n: n)
    country_code = "AT"
    party_id = "PLG"
    body = factory.LazyAttribute(lambda row: {"id": row.object_id})
    last_updated = datetime(2025, 1, 1, 12, tzinfo=UTC)


def message_row(**fields: Any) -> Message:
    values = {
        "direction": Direction.IN,
        "started_at": timezone.now(),
        "duration_ms": 1,
        "method": "GET",
        "url": "/ocpi/2.2.1/sessions/S1",
        "module": Module.SESSIONS,
        "object_id": "S1",
        "http_status": 200,
        "is_ok": True,
        "request_size": 0,
        "response_size": 0,
    }
    return Message.objects.create(**values | fields)
