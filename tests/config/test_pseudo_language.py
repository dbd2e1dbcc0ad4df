"""Whatever admin says goes through the catalogue: a walk over all its pages finds no text of its own in English."""

import re
from collections.abc import Iterator
from dataclasses import asdict
from itertools import filterfalse
from typing import Any

import pytest
from django.conf import settings
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.urls import URLPattern, reverse
from django.utils import translation

from chargers.admin_records import ACTIONS, FROM_CHARGERS
from config.demo import data
from config.words import OUR_APPS
from infrastructure import sentences
from infrastructure.models import Act
from payments.texts import LANGUAGES
from roaming.choices import Module
from tests.config import pseudo
from tests.isolation.staff_rows import Rows
from tests.payments.paid_sessions import charged, make_partner

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

# Sentences that Plugtill stores: on a page they are said in the language of the reader.
WRITTEN_BY_US = {"payments.PaymentIssue.reason", "infrastructure.Alert.title", "infrastructure.Alert.text"}
# What looks like this is the same in every language.
NAMES = re.compile(
    "|".join(
        (
            r"\bPlugtill\b|\bAxes\b|^Admin\b",
            r"\bmd5\b|\S+\*{6,}",  # what Django shows of a password
            r"\bCtrl \+ K\b|\besc\b",  # keys
            r"\bEnglish\b|\bDeutsch\b",  # languages call themselves
            r"\b(EUR|UTC|CES?T|kWh|kW|Wh|W|V|A|h|min|s)\b",  # currencies, zones, units
            r"\bCSV\b|\bXLSX\b|\bEVSE\b",
            r"\b(http|ws)://[^ ]+",
            r"\b[a-z-]+:(read|write|send|close)\b",  # scopes of the operator API
            r"\b("
            + "|".join(sorted({*FROM_CHARGERS, *frozenset().union(*ACTIONS.values())}))
            + r")\b",  # messages of OCPP
            r"\bCALL(RESULT|ERROR)?\b",
            r"\b(" + "|".join(Module) + r")\b",  # modules of OCPI
            r"^(" + "|".join(name.capitalize() for name in Module) + r")\b|\bversions\b",
            r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]+\b",
        )
    )
)
# What Django says of the joins between its own tables.
NOT_OURS = re.compile("/admin/auth/group/[0-9]+/delete/")


@pytest.fixture
def filled(client: Any) -> None:
    """A row of everything that admin shows, and sessions that were really paid."""
    charged(make_partner())
    rows = Rows()
    for model in admin.site._registry:
        if model._meta.app_label in OUR_APPS and not model._base_manager.exists():
            rows.of("A", model)
    Act.objects.update(model="infrastructure.charger")
    client.force_login(get_user_model().objects.get(username=data.ADMIN_USER))


def addresses() -> Iterator[str]:
    """Of every list, form, and page of one row."""
    yield reverse("admin:index")
    for model, page in admin.site._registry.items():
        newest = list(model._base_manager.order_by("pk").values_list("pk", flat=True))
        for pattern in page.get_urls():
            if not (isinstance(pattern, URLPattern) and pattern.name):
                continue
            keys = set(pattern.pattern.regex.groupindex)
            if not keys:
                yield reverse(f"admin:{pattern.name}")
            elif keys == {"object_id"}:
                chosen = {newest[0], newest[-1]} if newest and pattern.name.endswith("_change") else {*newest[-1:]}
                yield from (reverse(f"admin:{pattern.name}", args=[pk]) for pk in sorted(chosen, key=str))


def test_no_page_says_anything_past_the_catalogue(client: Any, filled: None, monkeypatch: Any) -> None:
    pseudo.speak(monkeypatch)
    own_words = set(pseudo.leaves(asdict(LANGUAGES["en"])))  # invoices have texts of their own in each language
    known = pseudo.whole_words(pseudo.data(WRITTEN_BY_US) | own_words)
    said: dict[str, str] = {}
    opened = 0
    for address in filterfalse(NOT_OURS.match, addresses()):
        answer = client.get(address, follow=True)
        if answer.status_code == 200 and answer.headers["Content-Type"].startswith("text/html"):
            opened += 1
            columns = {one.column_name for one in answer.context["columns"]} if "/import/" in address else set()
            said |= {text: address for text in pseudo.Page(answer.content.decode()).unwrapped if text not in columns}
    english = [
        text
        for text in said
        if pseudo.LETTERS.search(known.sub(" ", NAMES.sub(" ", text)))
        and pseudo.LETTERS.search(NAMES.sub(" ", known.sub(" ", text)))
    ]
    assert opened > 200
    assert not english, "\n".join(f"{said[text]}: {text}" for text in english)


SAY = {  # what is stored, by the modules that write it
    "payments/services/findings.py",
    "payments/services/drift.py",
    "payments/services/worklist.py",
    "roaming/services/credentials.py",
    "roaming/services/connections.py",
    "roaming/services/peers.py",
    "roaming/services/tokens.py",
    "roaming/services/watch.py",
    "roaming/ocpi/client.py",
    "roaming/ocpi/deadline.py",
    "roaming/ocpi/guard.py",
    "roaming/ocpi/transport.py",
    "roaming/ocpi/versions.py",
    "chargers/ocpp/auth.py",
    "chargers/services/calls.py",
    "chargers/services/commands.py",
    "chargers/services/settling.py",
}


@pytest.mark.parametrize("path", sorted(SAY))
def test_a_sentence_that_is_stored_can_be_said_in_other_languages(path: str, monkeypatch: Any) -> None:
    pseudo.speak(monkeypatch)
    written = list(pseudo.sentences((settings.BASE_DIR / path).read_text()))
    assert written
    assert [text for text in written if not sentences.said(text).startswith(pseudo.OPEN)] == []


def test_what_stands_in_a_sentence_is_said_too_and_the_words_of_others_stay() -> None:
    stored = "The card could not be charged: 9.80 EUR are unpaid. The partner says: Declined"
    with translation.override("de"):
        told = sentences.said(stored)
        assert told == "Die Karte konnte nicht belastet werden: 9.80 EUR sind unbezahlt. Der Partner sagt: Declined"
        assert sentences.said("Something else entirely.") == "Something else entirely."
    assert sentences.said(stored) == stored
