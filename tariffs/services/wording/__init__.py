"""The languages in which a tariff is described to drivers, one module each."""

from collections.abc import Mapping

from tariffs.services.wording.base import Wording
from tariffs.services.wording.de import GERMAN
from tariffs.services.wording.en import ENGLISH
from tariffs.services.wording.fr import FRENCH
from tariffs.services.wording.nl import DUTCH
from tariffs.services.wording.sl import SLOVENE

# By ISO 639-1.
WORDINGS: Mapping[str, Wording] = {"en": ENGLISH, "de": GERMAN, "fr": FRENCH, "nl": DUTCH, "sl": SLOVENE}

__all__ = ["WORDINGS", "Wording"]
