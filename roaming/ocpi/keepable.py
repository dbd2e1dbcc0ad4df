"""What is legal JSON, or nearly, and yet cannot be stored: no database keeps it, and unknown fields are stored too."""

import math

DEEPEST = 50


def why_not_keepable(data: object) -> str:
    """A rule that the data break somewhere, unknown fields included; "" for data that can be kept."""
    waiting: list[tuple[object, int]] = [(data, 0)]
    while waiting:  # not recursive: the depth is what is in question
        value, depth = waiting.pop()
        if depth > DEEPEST:
            return f"must not be nested more than {DEEPEST} levels deep"
        match value:
            case str() if not is_text(value):
                return "must be printable text"
            case float() if not math.isfinite(value):
                return "must not have numbers beyond all bounds"
            case dict():
                waiting += [(part, depth + 1) for pair in value.items() for part in pair]
            case list():
                waiting += [(part, depth + 1) for part in value]
    return ""


def is_text(value: str) -> bool:
    """Without NUL and lone surrogates."""
    if value.isascii():
        return "\0" not in value
    return not any(character == "\0" or "\ud800" <= character <= "\udfff" for character in value)
