"""Checks objects against the field lists in objects.txt."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z?")
COORDINATE = {"latitude": re.compile(r"-?\d{1,2}\.\d{5,7}"), "longitude": re.compile(r"-?\d{1,3}\.\d{5,7}")}
DECIMALS = 4


@dataclass(frozen=True)
class Field:
    name: str
    type: str
    length: int | None
    cardinality: str
    direct_payment: bool

    @property
    def many(self) -> bool:
        return self.cardinality in "*+"

    def required(self, lenient: bool) -> bool:
        return self.cardinality in "1+" and not (lenient and self.direct_payment)


def _read(path: Path) -> tuple[dict[str, dict[str, Field]], dict[str, list[str]]]:
    objects: dict[str, dict[str, Field]] = {}
    enums: dict[str, list[str]] = {}
    into: Any = None
    for line in path.read_text().splitlines():
        words = line.split()
        if line.startswith("#"):
            continue
        if "=" in words:
            into = enums[words[0]] = words[2:]
        elif not line.startswith(" "):
            into = objects[words[0]] = {}
        elif isinstance(into, list):
            into.extend(words)
        else:
            into[words[0]] = _field(words)
    return objects, enums


def _field(words: list[str]) -> Field:
    kind, length = re.fullmatch(r"(\w+)(?:\((\d+)\))?", words[1]).groups()  # type: ignore[union-attr]
    return Field(words[0], kind, int(length) if length else None, words[2], "dp" in words[3:])


OBJECTS, ENUMS = _read(Path(__file__).with_name("objects.txt"))


def problems(kind: str, value: Any, *, partial: bool = False) -> list[str]:
    """What is wrong with an object of this kind; `partial` for PATCH, where only given fields count."""
    return list(_object(kind, value, kind, partial=partial))


def _object(kind: str, value: Any, path: str, *, partial: bool = False) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{path} is not an object"
        return
    # An EVSE that is gone need not offer anything any more.
    lenient = kind == "EVSE" and value.get("status") == "REMOVED"
    for field in OBJECTS[kind].values():
        given = value.get(field.name)
        if given is None or (field.many and given == []):
            if field.required(lenient) and (not partial or field.name in value):
                yield f"{path}.{field.name} is missing"
        elif field.many:
            yield from _many(field, given, f"{path}.{field.name}", lenient)
        else:
            yield from _one(field, given, f"{path}.{field.name}")


def _many(field: Field, value: Any, path: str, lenient: bool) -> Iterator[str]:
    if not isinstance(value, list):
        yield f"{path} is not a list"
        return
    for index, entry in enumerate(value):
        found = list(_one(field, entry, f"{path}[{index}]"))
        yield from (text for text in found if not (lenient and text.endswith("tariff_ids is missing")))


def _one(field: Field, value: Any, path: str) -> Iterator[str]:
    if field.type in OBJECTS:
        yield from _object(field.type, value, path)
    elif field.type in ENUMS:
        if value not in ENUMS[field.type]:
            yield f"{path} {value!r} is no {field.type}"
    elif fault := _scalar(field, value):
        yield f"{path} {value!r} {fault}"


def _scalar(field: Field, value: Any) -> str | None:
    if field.type == "boolean":
        return None if isinstance(value, bool) else "is not true or false"
    if field.type in {"int", "number"}:
        return _number(field.type, value)
    if not isinstance(value, str):
        return "is not a string"
    if field.type == "DateTime":
        return None if parse_time(value) and len(value) <= 25 else "is no OCPI DateTime (UTC, at most 25)"
    if field.type == "URL":
        return None if urlsplit(value).scheme in {"http", "https"} and len(value) <= 255 else "is no URL"
    return _text(field, value)


def _number(kind: str, value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return "is not a number"
    if kind == "int":
        return None if value == int(value) else "is not a whole number"
    exponent = Decimal(value).normalize().as_tuple().exponent
    return f"has more than {DECIMALS} decimals" if isinstance(exponent, int) and -exponent > DECIMALS else None


def _text(field: Field, value: str) -> str | None:
    if field.length and len(value) > field.length:
        return f"is longer than {field.length}"
    if field.type == "CiString" and not (value.isascii() and value.isprintable() and value):
        return "is not printable ASCII"
    pattern = COORDINATE.get(field.name)
    return "is no coordinate" if pattern and not pattern.fullmatch(value) else None


def parse_time(value: Any) -> datetime | None:
    """An OCPI DateTime, which is UTC with or without Z; None when it is malformed."""
    if not isinstance(value, str) or not DATE_TIME.fullmatch(value):
        return None
    try:
        return datetime.fromisoformat(value.removesuffix("Z")).replace(tzinfo=UTC)
    except ValueError:
        return None
