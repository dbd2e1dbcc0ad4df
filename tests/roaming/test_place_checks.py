import pytest
from django.core.exceptions import ValidationError

from infrastructure.services import masterdata
from tests.infrastructure.factories import EVSEFactory, LocationFactory

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("directions", {"en": "Behind"}, "directions: must be a list"),
        ("directions", [{"language": "en"}], "directions[0].text: is required"),
        ("opening_times", "always", "opening_times: must be an object"),
        ("opening_times", {"twentyfourseven": False}, "regular_hours are needed"),
        (
            "opening_times",
            {"twentyfourseven": False, "regular_hours": [{"weekday": 8, "period_begin": "8", "period_end": "20:00"}]},
            "1 is Monday, 7 is Sunday",
        ),
        ("images", [{"url": "https://example.com/a.png", "category": "PHOTO", "type": "png"}], "is not one of CHARGER"),
        ("energy_mix", {"energy_sources": []}, "energy_mix.is_green_energy: is required"),
        ("related_locations", [{"latitude": "48.2"}], "related_locations[0].longitude: is required"),
        ("publish_allowed_to", ["everybody"], "publish_allowed_to[0]: must be an object"),
        ("facilities", ["SAUNA"], "is not one of HOTEL"),
    ],
)
def test_what_partners_would_refuse_is_refused_at_the_field(field, value, says):
    area = LocationFactory()
    setattr(area, field, value)
    with pytest.raises(ValidationError) as refused:
        masterdata.save(area)
    assert says in refused.value.message_dict[field][0]


def test_an_evse_is_checked_too():
    evse = EVSEFactory()
    evse.capabilities = ["TELEPATHY"]
    with pytest.raises(ValidationError) as refused:
        masterdata.save(evse)
    assert "is not one of" in refused.value.message_dict["capabilities"][0]


def test_what_fits_is_saved():
    area = LocationFactory()
    area.opening_times = {
        "twentyfourseven": False,
        "regular_hours": [{"weekday": 1, "period_begin": "08:00", "period_end": "20:00"}],
    }
    area.directions = [{"language": "de", "text": "Hinter dem Hotel"}]
    area.energy_mix = {"is_green_energy": True}
    masterdata.save(area)
    area.refresh_from_db()
    assert area.opening_times["regular_hours"][0]["weekday"] == 1
