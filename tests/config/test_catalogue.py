"""The German catalogue: complete, built, and asked for nothing that it lacks."""

import re
from collections.abc import Iterable

import polib
import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.urls import reverse
from django.utils import translation
from django.utils.translation import trans_real

from config.demo import data
from config.management.commands import collect_words
from tests.config.test_admin_pages import pages

pytestmark = pytest.mark.any_database

FOLDER = settings.BASE_DIR / "locale" / "de" / "LC_MESSAGES"
PLACEHOLDER = re.compile(r"%\(\w+\)[a-z]|%[sd]|\{\w*\}")


@pytest.fixture(scope="module")
def catalogue():
    return polib.pofile(str(FOLDER / "django.po"))


def test_every_text_has_its_german(catalogue):
    lacking = [entry.msgid for entry in catalogue if not entry.translated() or entry.obsolete]
    assert not lacking, "make words, then translate in locale/de/LC_MESSAGES/django.po"


def test_placeholders_are_those_of_the_english(catalogue):
    def of(texts: Iterable[str]) -> set[str]:
        return {found for text in texts for found in PLACEHOLDER.findall(text)}

    wrong = [
        entry.msgid
        for entry in catalogue
        if of([entry.msgid, entry.msgid_plural]) != of([entry.msgstr, *entry.msgstr_plural.values()])
    ]
    assert not wrong


def test_what_is_built_is_what_was_translated(catalogue):
    built = {
        (entry.msgctxt, entry.msgid): (entry.msgstr, entry.msgstr_plural)
        for entry in polib.mofile(str(FOLDER / "django.mo"))
    }
    written = {(entry.msgctxt, entry.msgid): (entry.msgstr, entry.msgstr_plural) for entry in catalogue}
    assert built == written, "make words"


def test_the_words_for_the_translators_are_written_down():
    assert collect_words.path().read_text() == collect_words.text(), "make words"


@pytest.mark.django_db
def test_no_page_asks_for_a_text_that_has_no_german(client, monkeypatch):
    data.create()
    client.force_login(get_user_model().objects.get(username=data.ADMIN_USER))
    request = client.get(reverse("admin:index")).wsgi_request
    german = trans_real.translation("de")._catalog
    lacking: set[str] = set()

    def recording(asked):
        def one(message: str) -> str:
            if translation.get_language() == "de" and message and german.get(message) is None:
                lacking.add(message)
            return asked(message)

        return one

    monkeypatch.setattr(translation._trans, "gettext", recording(trans_real.gettext))
    for address in [reverse("admin:index"), *pages(request)]:
        client.get(address, follow=True, headers={"Accept-Language": "de"})
    assert not lacking, "\n".join(sorted(lacking))
