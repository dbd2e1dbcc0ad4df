"""JSON as we can keep it."""

import io
from collections.abc import Mapping
from typing import IO, Any

from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import JSONParser

LARGEST_BODY = 1_000_000
# What no database text can hold: NUL, and halves of surrogate pairs.
_UNKEEPABLE = "Text must not contain NUL or lone surrogates."


class BodyTooLarge(APIException):
    status_code = 413
    default_detail = f"The body is larger than {LARGEST_BODY} bytes."
    default_code = "too_large"


class StrictJSONParser(JSONParser):
    """Refuses what is too large, too deep, or holds text that a database refuses."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        raw = stream.read(LARGEST_BODY + 1)
        if len(raw) > LARGEST_BODY:
            raise BodyTooLarge
        try:
            data = super().parse(io.BytesIO(raw), media_type, dict(parser_context or {}))
            _check(data)
        except RecursionError:
            raise ParseError("The JSON is nested too deeply.") from None
        return data


def _check(value: Any) -> None:
    match value:
        case str() if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
            raise ParseError(_UNKEEPABLE)
        case dict():
            for name, inner in value.items():
                _check(name)
                _check(inner)
        case list():
            for inner in value:
                _check(inner)
