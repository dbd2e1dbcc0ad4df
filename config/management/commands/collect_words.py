"""`manage.py collect_words`: writes down the words that Django makes out of names, for the translators."""

from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand

from config.words import plain_names

HEAD = '''"""Written by `manage.py collect_words`: labels that Django makes out of names, for makemessages to find."""

from django.utils.translation import gettext_noop as _

WORDS = (
'''


class Command(BaseCommand):
    help = "Writes config/collected_words.py; then: makemessages, translate, compilemessages (CONTRIBUTING.md)."

    def handle(self, *args: object, **options: object) -> None:
        path().write_text(text())


def path() -> Path:
    return Path(settings.BASE_DIR) / "config" / "collected_words.py"


def text() -> str:
    return HEAD + "".join(f"    _({_quoted(word)}),\n" for word in sorted(plain_names())) + ")\n"


def _quoted(word: str) -> str:
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'
