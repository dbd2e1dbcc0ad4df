"""Everything a driver reads on an invoice, per language; a language without a text does not start."""

from payments.texts import de, en, fr, nl, sl
from payments.texts.base import Texts

__all__ = ["DEFAULT", "LANGUAGES", "Texts", "known"]

DEFAULT = "en"
LANGUAGES: dict[str, Texts] = {
    "en": en.TEXTS,
    "de": de.TEXTS,
    "fr": fr.TEXTS,
    "nl": nl.TEXTS,
    "sl": sl.TEXTS,
}


def known(*wanted: str) -> str:
    """The first of `wanted` (language tags, e.g. "de-AT") that we speak, else English."""
    for tag in wanted:
        language = tag.lower().replace("_", "-").partition("-")[0]
        if language in LANGUAGES:
            return language
    return DEFAULT
