"""Publishing a tariff: what staff edit becomes an immutable version, and everyone concerned is told."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from infrastructure import outbox
from infrastructure.models import Site
from infrastructure.services import masterdata
from tariffs.choices import TariffStatus
from tariffs.models import RoamingTariff, SessionSettings, TariffDetail, TariffText, TariffVersion
from tariffs.pricing import Detail, RetailTerms, emit_elements, max_limit, min_limit
from tariffs.services import alt_texts, validation
from tariffs.services.details import prices_of, to_pricing
from tariffs.services.versions import format_instant


def current_version(tariff: RoamingTariff) -> TariffVersion | None:
    """What was published last, whether or not the tariff is still active."""
    return TariffVersion.objects.filter(tariff=tariff).order_by("-number").first()


def publish_tariff(tariff: RoamingTariff, author: User | None = None) -> TariffVersion:
    """The version with the tariff's content as it is now, a new one only if something changed.

    Raises ValidationError for a tariff that is not active, and for one without details: nothing in OCPI would
    say that it has no price yet.
    """
    with transaction.atomic():
        # Two publications at once would take the same number.
        tariff = RoamingTariff.objects.select_for_update().get(pk=tariff.pk)
        if tariff.status != TariffStatus.ACTIVE:
            raise ValidationError(
                _("%(tariff)s is not active: partners see active tariffs only. Set it active first.")
                % {"tariff": tariff}
            )
        content = build_content(tariff)
        version = current_version(tariff)
        if version is None or version.content != content:
            version = TariffVersion.objects.create(
                tariff=tariff, number=version.number + 1 if version else 1, content=content, author=author
            )
        outbox.record("tariff", tariff.pk)
    return version


def build_content(tariff: RoamingTariff) -> dict[str, Any]:
    """`TariffVersion.content` of the tariff as it is now; raises ValidationError without details."""
    rows = list(tariff.details.order_by("-priority", "pk"))
    if not rows:
        raise ValidationError(_("Add at least one tariff detail: a tariff without prices cannot be published."))
    details = [to_pricing(row) for row in rows]
    elements = emit_elements(details)
    # From the elements, as everyone who only has the published tariff must do it.
    prices = prices_of(elements)
    limits = {
        name: None if gross is None else as_price(gross, prices).to_ocpi()
        for name, gross, as_price in (
            ("min_price", tariff.min_price, min_limit),
            ("max_price", tariff.max_price, max_limit),
        )
    }
    return {
        "id": tariff.code,
        "currency": tariff.currency,
        "type": tariff.type or None,
        "elements": [element.to_ocpi() for element in elements],
        **limits,
        "preauthorisation": None if tariff.preauthorisation is None else str(tariff.preauthorisation),
        **_texts(tariff, details),
        "start_date_time": format_instant(tariff.valid_from),
        "end_date_time": format_instant(tariff.valid_until),
    }


def retail_texts(tariff: RoamingTariff, terms: RetailTerms) -> list[alt_texts.DisplayText]:
    """What drivers read who pay the tariff by `terms`. Always generated: the texts of staff name other prices."""
    details = [to_pricing(row) for row in tariff.details.order_by("-priority", "pk")]
    return alt_texts.texts(tariff, details, _languages(), past=_past_everywhere(), terms=terms)


def follow_tariff(tariff: RoamingTariff) -> None:
    """After a change (or deletion) of a tariff: an active one is published as it is now."""
    RoamingTariff.objects.filter(pk=tariff.pk).update(last_updated=timezone.now())
    current = RoamingTariff.objects.filter(pk=tariff.pk, status=TariffStatus.ACTIVE).first()
    details = current.details.count() if current else 0
    if current is None or not details:
        if current is not None:
            validation.check_has_details(current, details)
        outbox.record("tariff", tariff.pk)
        return
    publish_tariff(current, outbox.current_author())


def follow_part(part: TariffDetail | TariffText) -> None:
    masterdata.note(part.tariff)


def follow_settings(settings: SessionSettings) -> None:
    outbox.record("settings", settings.pk)


def _texts(tariff: RoamingTariff, details: Sequence[Detail]) -> dict[str, list[alt_texts.DisplayText]]:
    """For terminals, and for other partners where it differs: on their drivers' cards nothing is blocked."""
    languages, past = _languages(), _past_everywhere()
    terminals, others = (
        alt_texts.texts(tariff, details, languages, for_terminals=for_terminals, past=past)
        for for_terminals in (True, False)
    )
    return {"tariff_alt_text": terminals} | ({} if others == terminals else {"roaming_alt_text": others})


def _past_everywhere() -> datetime:
    """The local time of the zone that is furthest behind, UTC-12: an earlier one has passed in every area."""
    return (timezone.now().astimezone(UTC) - timedelta(hours=12)).replace(tzinfo=None)


def _languages() -> list[str]:
    site = Site.objects.first()
    wanted = [language.strip().lower() for language in site.languages.split(",")] if site else []
    return list(dict.fromkeys([*wanted, *alt_texts.LANGUAGES]))
