from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from infrastructure.services import masterdata
from roaming.choices import Initiation, PlatformType
from roaming.models import RoamingPlatform, RoamingProfile
from roaming.services import credentials, tokens


class Command(BaseCommand):
    help = (
        "Adds a roaming platform. Without --token it prints the registration token and our versions URL for the "
        "partner; with --token it registers at the partner at once and says how that went."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add = parser.add_argument
        add("--profile", required=True, action="append", help="code of a roaming profile; may be repeated")
        add("--type", required=True, choices=[kind.value for kind in PlatformType])
        add("--code", required=True, help="short name in addresses, for example nayax")
        add("--name", required=True)
        add("--country", required=True, help="country of the partner, two letters, for example NL")
        add("--party", default="", help="party id that we expect, for example PTP")
        add("--url", default="", help="the partner's versions URL; needed with --token")
        add("--token", default="", help="registration token that the partner gave us")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["token"] and not options["url"]:
            raise CommandError("--token needs --url: the partner's versions URL.")
        try:
            with transaction.atomic():
                platform = _create(options)
        except (ValidationError, tokens.TokenRefused) as error:
            raise CommandError(_in_words(error)) from None
        if options["token"]:
            self._register(platform)
        else:
            self.stdout.write(f"Registration token: {tokens.generate_registration_token(platform)}")
            self.stdout.write(f"Our versions URL:   {settings.PUBLIC_URL}/ocpi/versions")
            self.stdout.write("Give both to the partner. The token is shown only now.")

    def _register(self, platform: RoamingPlatform) -> None:
        report = credentials.register(platform)
        for step in report.steps:
            self.stdout.write(f"{'ok    ' if step.is_done else 'FAILED'} {step.text}")
        if not report.is_ok:
            raise CommandError("The platform was added but is not registered. Mend the cause, then use the admin.")


def _create(options: dict[str, Any]) -> RoamingPlatform:
    """Raises ValidationError and TokenRefused; then nothing is written."""
    profiles = [_profile(code) for code in options["profile"]]
    platform = RoamingPlatform(
        name=options["name"],
        code=options["code"],
        type=options["type"],
        url=options["url"],
        expected_country_code=options["country"].upper(),
        expected_party_id=options["party"].upper(),
        initiation=Initiation.CPO if options["token"] else Initiation.PARTNER,
    )
    platform.full_clean()
    masterdata.save(platform)
    platform.profiles.set(profiles)
    masterdata.note(platform)
    if options["token"]:
        tokens.check_token(options["token"])
        tokens.store_partner_token(platform, options["token"])
    return platform


def _profile(code: str) -> RoamingProfile:
    profile = RoamingProfile.objects.filter(code=code).first()
    if profile is None:
        known = ", ".join(RoamingProfile.objects.values_list("code", flat=True)) or "none yet"
        raise CommandError(f"There is no roaming profile with the code {code!r}. Known: {known}.")
    return profile


def _in_words(error: Exception) -> str:
    if isinstance(error, ValidationError) and hasattr(error, "error_dict"):
        return "; ".join(f"--{name}: {' '.join(texts)}" for name, texts in error.message_dict.items())
    return str(error)
