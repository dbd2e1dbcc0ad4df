"""What areas and EVSEs may say to partners: their free fields must fit the OCPI types (2.2.1 mod_locations)."""

import re
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy

from infrastructure.models import EVSE, Location
from roaming.ocpi.errors import InvalidParameters
from roaming.ocpi.objects import validate

OF_LOCATION = (
    "directions",
    "opening_times",
    "images",
    "related_locations",
    "energy_mix",
    "publish_allowed_to",
    "facilities",
)
OF_EVSE = ("capabilities", "parking_restrictions", "directions", "images")
EXAMPLES = {
    "directions": '[{"language": "en", "text": "Behind the hotel"}]',
    "opening_times": '{"twentyfourseven": false, "regular_hours": '
    '[{"weekday": 1, "period_begin": "08:00", "period_end": "20:00"}]}',
    "images": '[{"url": "https://example.com/a.png", "category": "CHARGER", "type": "png"}]',
    "related_locations": '[{"latitude": "48.208490", "longitude": "16.372080"}]',
    "energy_mix": '{"is_green_energy": true}',
    "publish_allowed_to": '[{"issuer": "Acme", "visual_number": "123"}]',
}
WITHOUT_EXAMPLE = gettext_lazy("This does not fit what partners expect: %(problems)s.")
WITH_EXAMPLE = gettext_lazy("This does not fit what partners expect: %(problems)s. Example: %(example)s")
_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


def check_location(area: Location) -> None:
    """ValidationError with sentences at the fields."""
    _check("Location", area, OF_LOCATION)


def check_evse(outlet: EVSE) -> None:
    """ValidationError with sentences at the fields."""
    _check("EVSE", outlet, OF_EVSE)


def _check(type_name: str, obj: Any, names: tuple[str, ...]) -> None:
    errors = {}
    for name in names:
        problems = _problems(type_name, name, getattr(obj, name))
        if problems:
            named = {"problems": "; ".join(problems), "example": EXAMPLES.get(name, "")}
            text = WITH_EXAMPLE if name in EXAMPLES else WITHOUT_EXAMPLE
            errors[name] = text % named
    if errors:
        raise ValidationError(errors)


def _problems(type_name: str, name: str, value: Any) -> list[str]:
    if value in (None, [], ""):
        return []
    try:
        # Only this field is there: the others are not looked at.
        validate(type_name, {name: value}, partial=True)
    except InvalidParameters as error:
        return [str(error).removeprefix(f"{type_name}: ")]
    return _hours_problems(value) if name == "opening_times" else []


def _hours_problems(hours: dict[str, Any]) -> list[str]:
    regular = hours.get("regular_hours") or []
    problems = []
    if not hours["twentyfourseven"] and not regular and not hours.get("exceptional_openings"):
        problems.append("opening_times: not open around the clock, so regular_hours are needed")
    for index, span in enumerate(regular):
        path = f"opening_times.regular_hours[{index}]"
        if not 1 <= int(span["weekday"]) <= 7:
            problems.append(f"{path}.weekday: 1 is Monday, 7 is Sunday")
        if not all(_TIME.fullmatch(span[edge]) for edge in ("period_begin", "period_end")):
            problems.append(f"{path}: times are written as 08:00")
    return problems
