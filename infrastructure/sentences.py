"""Sentences that were written down, said again in the language of whoever reads them.

Why an issue is open or what went wrong with a partner is stored once and read in admin, in files, in mails and in logs.
It is stored in English. A page looks for the pattern that a sentence was made from, and says it in its own language;
what fits none, such as a partner's own words, stays as it is.
"""

import re
from collections.abc import Iterable

from django.utils.translation import gettext

_PLACE = re.compile(r"%\((\w+)\)s")
_REST = "rest_"
_known: dict[str, re.Pattern[str]] = {}


def know(patterns: Iterable[str]) -> None:
    """Registers texts of the catalogue, with places such as %(amount)s. Called once, when an app is ready."""
    for pattern in patterns:
        _known[pattern] = _expression(pattern)
    # What says more goes before what would fit as well.
    ordered = sorted(_known.items(), key=lambda item: -len(_PLACE.sub("", item[0])))
    _known.clear()
    _known.update(ordered)


def said(text: str) -> str:
    """`text`, which may be several sentences one after the other; what stands in their places is said, too."""
    for pattern, expression in _known.items():
        if found := expression.fullmatch(text):
            values = {name: said(value) for name, value in found.groupdict().items() if value}
            rest = values.pop(_REST, "")
            sentence = gettext(pattern) % values
            return f"{sentence} {rest}" if rest else sentence
    return text


def _expression(pattern: str) -> re.Pattern[str]:
    literals = _PLACE.split(pattern)
    parts = [re.escape(part) if index % 2 == 0 else f"(?P<{part}>.+?)" for index, part in enumerate(literals)]
    return re.compile(f"{''.join(parts)}(?: (?P<{_REST}>.+))?", re.DOTALL)
