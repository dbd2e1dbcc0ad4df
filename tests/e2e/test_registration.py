"""Two strangers become partners by an exchange of credentials, whoever begins."""

import re

from tests.e2e.admin_site import text_of
from tests.e2e.cast import Cast, Provider

PLATFORMS = "roaming/roamingplatform"


def add_platform(cast: Cast, code: str, **fields: str) -> str:
    """Staff enters a partner in admin; the path of its row."""
    profile = cast.admin.rows("roaming/roamingprofile", "volt")
    tariffs = cast.admin.rows("tariffs/roamingtariff")
    cast.admin.save(f"{PLATFORMS}/add/", name=f"Partner {code}", code=code, profiles=profile, tariffs=tariffs, **fields)
    return cast.admin.row(PLATFORMS, code)


def press(cast: Cast, platform: str, action: str) -> str:
    """Confirms an action of the connection; the page that answers."""
    answer = cast.admin.submit(f"{platform}{action}/")
    assert answer.status_code == 200
    return answer.text


def check_both_can_call(cast: Cast, partner: Provider) -> None:
    """Areas and tariffs come by our token there, terminals by the partner's here."""
    cast.wait("areas and tariffs", lambda: len(partner.state["locations"]) == len(partner.state["tariffs"]) == 2)
    assert all(pushed["ok"] for pushed in partner.post("/control/push-terminals"))
    assert partner.complaints == []


def test_the_partner_registers_with_the_token_that_we_generated(cast: Cast) -> None:
    platform = add_platform(cast, "they-begin", initiation="PARTNER")
    token, versions_url = re.findall(r"<code[^>]*>([^<]+)</code>", press(cast, platform, "generate-token"))
    partner = cast.start_provider("they-begin", "--party", "ONE")
    cast.wait("the partner", lambda: partner.state)
    partner.post("/control/register", versions_url=versions_url, token=token)
    check_both_can_call(cast, partner)
    assert "Registered" in text_of(cast.admin.page(f"{platform}change/"))


def test_we_register_with_the_token_that_the_partner_offers(cast: Cast) -> None:
    partner = cast.start_provider("we-begin", "--party", "TWO", "--offer-token", "offered-by-the-partner")
    versions_url = f"{partner.base}/ocpi/versions"
    platform = add_platform(
        cast, "we-begin", initiation="CPO", url=versions_url, partner_token="offered-by-the-partner"
    )
    cast.wait("the partner", lambda: partner.state)
    assert "Registered: " in text_of(press(cast, platform, "register"))
    check_both_can_call(cast, partner)

    assert "failed" not in text_of(press(cast, platform, "update")).lower()
    area = cast.admin.row("infrastructure/location", "VIE-CITY")
    cast.admin.save(f"{area}change/", name="After new tokens")
    cast.wait("the edit", lambda: partner.state["locations"]["VIE-CITY"]["name"] == "After new tokens")
    check_both_can_call(cast, partner)

    press(cast, platform, "invalidate")
    assert partner.state["registered"] is False


def test_a_refused_registration_says_why_and_can_be_repeated(cast: Cast) -> None:
    partner = cast.start_provider("refuses", "--party", "SIX", "--offer-token", "the-right-token")
    platform = add_platform(
        cast, "refuses", initiation="CPO", url=f"{partner.base}/ocpi/versions", partner_token="a-wrong-token"
    )
    cast.wait("the partner", lambda: partner.state)
    text = text_of(press(cast, platform, "register"))
    assert "Registered: " not in text
    assert "token" in text
    cast.admin.save(f"{platform}change/", partner_token="the-right-token")
    assert "Registered: " in text_of(press(cast, platform, "register"))
    cast.wait("areas", lambda: len(partner.state["locations"]) == 2)
