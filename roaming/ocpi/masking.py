"""Takes secrets and personal data out of what is kept of a message.

Works on text rather than on parsed JSON: what a peer sends wrongly, cut off or wrapped in an error page is
masked as well, and a page of a list costs a fraction of a millisecond.
"""

import re
from collections.abc import Iterable, Sequence

HIDDEN = "***"
_SHORTEST_SECRET = 4
# Shorter ones would be found inside innocent words.
_SHORTEST_IDENTITY = 6

_SECRETS = {"token", "password", "secret", "api_key", "apikey", "access_token"}
_IDENTITIES = {"uid", "contract_id", "visual_number", "group_id", "auth_id"}
# Spelled out, because a pattern that ignores case takes seven times as long.
_KEYS = "|".join(form for key in sorted(_SECRETS | _IDENTITIES) for form in (key, key.upper(), key.capitalize()))
_STRING = r'"(?P<text>(?:[^"\\]|\\.)*+)(?:"|\\?\Z)'
_FIELD = re.compile(rf'(?P<before>"(?P<key>{_KEYS})"\s*+:\s*+)(?:{_STRING}|(?P<number>[-+]?\w[\w.+-]*+))', re.DOTALL)
# JSON inside a JSON string, as in the error message of a peer that repeats what it was sent.
_QUOTED_FIELD = re.compile(rf'(?P<before>\\"(?P<key>{_KEYS})\\+"\s*+:\s*+\\+")(?P<text>[^"\\]*+)')
_REFERENCE = re.compile(r'"(?:authorization_reference|invoice_reference_id)"\s*+:\s*+"(?P<text>[^"]*+)')
_LITERALS = {"null", "true", "false"}

_EFT_DATA = re.compile(r'"eft_data"\s*+:\s*+\[(?:"(?:[^"\\]|\\.)*+"?|[^\]"])*+', re.DOTALL)
_LONG_NUMBER = re.compile(r"\d(?:[ .\-/\u00a0]?\d){11,18}")
# "541333******0016": what stands before the provider's own mask.
_BEFORE_MASK = re.compile(r"\d(?=[\d ]{0,19}[*xX•#][*xX•# ]{1,19}\d{2})")
_CARD_NUMBER = re.compile(
    r"(?<![\w.*-])(?:\d{13,19}|\d{4}([ -])\d{4}\1\d{4}\1\d{1,7}|\d{4}([ -])\d{6}\2\d{5})(?![\w-]|\.\d)", re.ASCII
)

_USER_IN_URL = re.compile(r"(?<=://)[^/?#\s\"'@]++@")
_PARAMETER = re.compile(r"(?P<before>[?&;](?P<name>[\w.\-\[\]%]++)=)(?P<value>[^&;\s\"'<>#\\]++)")
_OPEN_PARAMETERS = {
    "date_from",
    "date_to",
    "offset",
    "limit",
    "type",
    "country_code",
    "party_id",
    "authorization_reference",
}
_SECRET_PARAMETER = re.compile(r"token|key|secret|sig|auth|pass|pwd|code|jwt", re.IGNORECASE)
_LONGEST_OPEN_VALUE = 15

_ESCAPED_WORD = re.compile(r"(?<!\\)\\u00(3[0-9]|[46][1-9a-f]|[57][0-9a]|5f)", re.IGNORECASE)


def plain_text(raw: bytes) -> str:
    """Readable text of a body, whatever it is: UTF-16 loses its zero bytes, escaped letters become letters."""
    text = raw.decode("utf-8", "replace").replace("\0", "")
    if "\\u00" in text:
        text = _ESCAPED_WORD.sub(lambda match: chr(int(match[1], 16)), text)
    return text


def mask(texts: Sequence[str], *, secrets: Iterable[str] = (), has_identities: bool = True) -> list[str]:
    """The texts of one message without `secrets`, tokens, identities of drivers and card numbers.

    What is found under its name in one text is hidden wherever else it stands. Of an identity the last four
    characters stay; authorization references stay whole. `has_identities` False where `uid` names an EVSE.
    """
    found = {secret: HIDDEN for secret in secrets if len(secret) >= _SHORTEST_SECRET}

    def hide(match: re.Match[str]) -> str:
        hidden = _hidden(match, found, has_identities)
        return match[0] if hidden is None else match["before"] + hidden

    masked = [_FIELD.sub(hide, text) for text in texts]
    masked = [_QUOTED_FIELD.sub(hide, text) if '\\"' in text else text for text in masked]
    references = {match["text"] for text in texts for match in _REFERENCE.finditer(text)}
    for value in sorted(found.keys() - references, key=len, reverse=True):
        masked = [text.replace(value, found[value]) for text in masked]
    return [_without_cards(_without_secret_parameters(text), references) for text in masked]


def _hidden(match: re.Match[str], found: dict[str, str], has_identities: bool) -> str | None:
    """What stands for the value of a field from now on; None leaves it."""
    parts = match.groupdict()
    number = parts.get("number")
    value = number or parts["text"] or ""
    is_secret = parts["key"].lower() in _SECRETS
    if not value or number in _LITERALS or not (is_secret or has_identities):
        return None
    hidden = HIDDEN if is_secret else mask_identity(value)
    if len(value) >= (_SHORTEST_SECRET if is_secret else _SHORTEST_IDENTITY):
        found.setdefault(value, hidden)
    # The quoted form keeps its closing quote, which the pattern left where it is.
    return f'"{hidden}"' if "number" in parts else hidden


def mask_identity(value: str) -> str:
    """A token uid as it may be kept: its last four characters, nothing of one with fewer than eight."""
    # With an escape in it, four characters could be half of one.
    return HIDDEN + value[-4:] if len(value) >= 8 and "\\" not in value else HIDDEN


def _without_secret_parameters(text: str) -> str:
    if "://" in text:
        text = _USER_IN_URL.sub(f"{HIDDEN}@", text)
    return _PARAMETER.sub(_parameter, text) if "?" in text else text


def _parameter(match: re.Match[str]) -> str:
    name, value = match["name"], match["value"]
    is_open = name.lower() in _OPEN_PARAMETERS
    if is_open or (len(value) <= _LONGEST_OPEN_VALUE and not _SECRET_PARAMETER.search(name)):
        return match[0]
    return match["before"] + HIDDEN


def _without_cards(text: str, references: set[str]) -> str:
    text = _EFT_DATA.sub(_receipt_lines, text)

    def card(match: re.Match[str]) -> str:
        digits = re.sub(r"\D", "", match[0])
        if match[0] in references or not _has_check_digit(digits):
            return match[0]
        return HIDDEN + digits[-4:]

    return _CARD_NUMBER.sub(card, text)


def _receipt_lines(match: re.Match[str]) -> str:
    """Nothing tells in which line a provider prints the card: every long number loses all but its end."""
    lines = _LONG_NUMBER.sub(lambda number: HIDDEN + number[0][-4:], match[0])
    return _BEFORE_MASK.sub("*", lines)


def _has_check_digit(digits: str) -> bool:
    """Luhn (ISO/IEC 7812-1, annex B): tells card numbers from most other long numbers."""
    total = 0
    for position, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + position % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0
