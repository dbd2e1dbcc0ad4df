"""Checks of OCPI 2.2.1 objects against their tables, compiled once from `fields_2.2.1.json`.

Lenient on input where peers are known to deviate: unknown fields and null pass, numbers may be text, roles,
module ids and version numbers are open (a PTP has no role of its own in 2.2.1), and the payments objects
accept what the DirectPayment examples show (no last_updated, empty lists, both shapes of total_costs).
"""

import functools
import json
import re
from collections.abc import Callable
from decimal import Decimal
from importlib import resources
from typing import NamedTuple

from .errors import InvalidParameters
from .keepable import is_text, why_not_keepable
from .types import parse_datetime, parse_number

Check = Callable[[object, str, list[str]], None]

MAX_REPORTED = 50
# OCPI names no bound; a database column has one, and nothing in charging comes near.
LARGEST_NUMBER = 10**12
_OPEN_ENUMS = {"Role", "ModuleID", "VersionNumber"}
_TYPE = re.compile(r"(?P<name>\w+)(?:\((?:(?P<min>\d+)\.\.)?(?P<max>\d+)\))?")


class Field(NamedTuple):
    name: str
    check: Check
    is_required: bool


def validate(type_name: str, data: object, *, partial: bool = False) -> None:
    """InvalidParameters naming every violation as `field path: rule`.

    `partial` is for PATCH: required fields may be absent, but null does not erase one.
    """
    problems: list[str] = []
    _check_object(_compiled()[type_name], data, "", problems, partial=partial)
    if not problems and (rule := why_not_keepable(data)):
        problems.append(f"body: {rule}")
    if problems:
        shown = "; ".join(problems[:MAX_REPORTED])
        more = len(problems) - MAX_REPORTED
        raise InvalidParameters(f"{type_name}: {shown}" + (f"; and {more} more" if more > 0 else ""))


def _check_object(fields: list[Field], data: object, path: str, problems: list[str], *, partial: bool = False) -> None:
    if not isinstance(data, dict):
        problems.append(f"{path or 'body'}: must be an object")
        return
    prefix = f"{path}." if path else ""
    for name, check, is_required in fields:
        value = data.get(name)
        if value is not None:
            check(value, prefix + name, problems)
        elif is_required and (name in data or not partial):
            problems.append(f"{prefix}{name}: is required")


@functools.cache
def _compiled() -> dict[str, list[Field]]:
    text = resources.files(__package__).joinpath("fields_2.2.1.json").read_text("utf-8")
    description = json.loads(text)
    enums = {name: entry["values"] for name, entry in description.items() if entry["kind"] == "enum"}
    objects: dict[str, list[Field]] = {name: [] for name, entry in description.items() if entry["kind"] == "object"}
    for name, fields in objects.items():
        for field in description[name]["fields"]:
            check = _of_cardinality(field["card"], _of_type(field["type"], enums, objects))
            fields.append(Field(field["name"], check, field["card"] in "1+"))
    return objects


def _of_cardinality(card: str, check: Check) -> Check:
    """1 and ? one value, * any number, + at least one, *n at most n."""
    if card in "1?":
        return check
    most = int(card[1:] or 0)

    def check_list(value: object, path: str, problems: list[str]) -> None:
        if not isinstance(value, list):
            problems.append(f"{path}: must be a list")
            return
        if card == "+" and not value:
            problems.append(f"{path}: must have at least one entry")
        if most and len(value) > most:
            problems.append(f"{path}: must have at most {most} entries")
        for index, item in enumerate(value):
            check(item, f"{path}[{index}]", problems)

    return check_list


def _of_type(text: str, enums: dict[str, list[str]], objects: dict[str, list[Field]]) -> Check:
    if "|" in text:
        return _either([_of_type(part, enums, objects) for part in text.split("|")])
    match = _TYPE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no OCPI type")
    name, least, most = match["name"], int(match["min"] or 0), int(match["max"] or 0)
    if name in ("string", "CiString"):
        return _text(least, most, is_ascii=name == "CiString")
    if name == "int":
        return _integer(most)
    if name in _SIMPLE:
        return _SIMPLE[name]
    if name in enums:
        return _text(1, 255, is_ascii=True) if name in _OPEN_ENUMS else _enum(enums[name])
    return functools.partial(_check_object, objects[name])


def _either(checks: list[Check]) -> Check:
    def check_either(value: object, path: str, problems: list[str]) -> None:
        results: list[list[str]] = [[] for _ in checks]
        for check, result in zip(checks, results, strict=True):
            check(value, path, result)
        if all(results):
            problems.extend(results[0])

    return check_either


def _text(least: int, most: int, *, is_ascii: bool) -> Check:
    def check_text(value: object, path: str, problems: list[str]) -> None:
        if not isinstance(value, str):
            problems.append(f"{path}: must be a string")
        elif is_ascii and not (value.isascii() and value.isprintable()):
            problems.append(f"{path}: must be printable ASCII")
        elif not is_text(value):
            problems.append(f"{path}: must be printable text")
        elif most and len(value) > most:
            problems.append(f"{path}: must be at most {most} characters, has {len(value)}")
        elif len(value) < least:
            problems.append(f"{path}: must not be empty")

    return check_text


def _enum(values: list[str]) -> Check:
    known = frozenset(values)

    def check_enum(value: object, path: str, problems: list[str]) -> None:
        if not isinstance(value, str) or value not in known:
            problems.append(f"{path}: {_short(value)} is not one of {', '.join(values)}")

    return check_enum


def _integer(digits: int) -> Check:
    def check_integer(value: object, path: str, problems: list[str]) -> None:
        number = _number(value)
        if number is None or number != number.to_integral_value():
            problems.append(f"{path}: {_short(value)} is not a whole number")
        elif digits and len(str(abs(int(number)))) > digits:
            problems.append(f"{path}: must have at most {digits} digits")

    return check_integer


def _check_number(value: object, path: str, problems: list[str]) -> None:
    if _number(value) is None:
        problems.append(f"{path}: {_short(value)} is not a number below {LARGEST_NUMBER}")


def _number(value: object) -> Decimal | None:
    try:
        number = parse_number(value)
    except ValueError:
        return None
    return number if abs(number) < LARGEST_NUMBER else None


def _check_boolean(value: object, path: str, problems: list[str]) -> None:
    if not isinstance(value, bool):
        problems.append(f"{path}: must be true or false")


def _check_datetime(value: object, path: str, problems: list[str]) -> None:
    if not isinstance(value, str):
        problems.append(f"{path}: must be a DateTime string")
        return
    try:
        parse_datetime(value)
    except ValueError as error:
        problems.append(f"{path}: {error}")


def _short(value: object) -> str:
    text = repr(value) if isinstance(value, str | int | float) else type(value).__name__
    return text if len(text) <= 40 else f"{text[:40]}…"


_SIMPLE: dict[str, Check] = {
    "number": _check_number,
    "boolean": _check_boolean,
    "DateTime": _check_datetime,
    "URL": _text(1, 255, is_ascii=False),
}
