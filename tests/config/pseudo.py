"""A language in which every text of the catalogue stands in ⟦brackets⟧, and what a page says outside of them."""

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, replace
from html.parser import HTMLParser
from typing import Any

import pytest
from django.apps import apps
from django.db import models
from django.utils import translation

from tariffs.services.wording import WORDINGS, Wording

VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
OPEN, CLOSE = "⟦⟧"
WHOLE = re.compile(r"[A-Z][^%\n]*( [^%\n]+){2,}\.")
# What goes through the catalogue at once, and what only partners read.
NOT_STORED = {"_", "gettext", "MethodNotAllowed", "Unauthorized"}
LETTERS = re.compile(r"[^\W\d_]")
SPOKEN = ("placeholder", "title", "aria-label", "alt", "data-label")
# Between these a bracket may open in one text and close in another: a sentence with a link in it.
INLINE = {"a", "abbr", "b", "bdi", "br", "code", "em", "i", "img", "input", "small", "span", "strong", "time", "wbr"}
TEXTS = (models.CharField, models.TextField, models.JSONField, models.UUIDField)
SILENT = {"script", "style", "pre", "template"}


def speak(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on every text that is asked of the catalogue comes back in brackets."""

    def wrapped(text: str) -> str:
        return f"{OPEN}{text}{CLOSE}" if text else text

    def plural(singular: str, other: str, number: int) -> str:
        return wrapped(singular if number == 1 else other)

    monkeypatch.setattr(translation._trans, "gettext", wrapped)
    monkeypatch.setattr(translation._trans, "ngettext", plural)
    monkeypatch.setattr(translation._trans, "pgettext", lambda context, text: wrapped(text))
    monkeypatch.setattr(translation._trans, "npgettext", lambda context, *texts: plural(*texts))
    # Prices for drivers have texts of their own in each language.
    monkeypatch.setitem(WORDINGS, "en", _wrapped_words(WORDINGS["en"], wrapped))


def _wrapped_words(wording: Wording, wrapped: Callable[[str], str]) -> Wording:
    """Not the formats of its numbers, which have no letters."""

    def each(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(map(each, value))
        return wrapped(value) if isinstance(value, str) and LETTERS.search(re.sub(r"{\w*}", "", value)) else value

    parts = {
        name: replace(part, **{field.name: each(getattr(part, field.name)) for field in fields(part)})
        for name, part in ((name, getattr(wording, name)) for name in ("numbers", "prices", "times", "sentences"))
    }
    return replace(wording, **parts)


class Page(HTMLParser):
    """The texts of a page that somebody sees or hears, those in brackets left out."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.unwrapped: list[str] = []
        self._depth = 0
        self._path: list[tuple[str, bool]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        for name in SPOKEN:
            self._note(outside(values.get(name, ""))[0])
        if tag == "input" and values.get("type") in ("submit", "button"):
            self._note(outside(values.get("value", ""))[0])
        if tag not in INLINE:
            self._depth = 0
        if tag not in VOID:
            is_silent = tag in SILENT or "material-symbols-outlined" in values.get("class", "")
            self._path.append((tag, is_silent))

    def handle_endtag(self, tag: str) -> None:
        if tag not in INLINE:
            self._depth = 0
        while self._path and self._path.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        if not any(is_silent for _, is_silent in self._path):
            text, self._depth = outside(data, self._depth)
            self._note(text)

    def _note(self, text: str) -> None:
        if LETTERS.search(text):
            self.unwrapped.append(" ".join(text.split()))


def outside(text: str, depth: int = 0) -> tuple[str, int]:
    """What of `text` stands in no brackets, and how many of them are open at its end."""
    found = []
    for character in text:
        if character == CLOSE:
            depth = max(0, depth - 1)
            found.append(" ")
        elif character == OPEN:
            depth += 1
        elif not depth:
            found.append(character)
    return "".join(found), depth


def data(written_by_us: Iterable[str]) -> set[str]:
    """All texts in the rows of the database that are neither chosen from a list nor written by Plugtill."""
    ours = set(written_by_us)
    found: set[str] = set()
    for model in apps.get_models():
        fields = [field for field in model._meta.concrete_fields if str(field) not in ours and not field.choices]
        texts = [field.attname for field in fields if isinstance(field, TEXTS)]
        for row in model._base_manager.values_list(*texts) if texts else ():
            for value in row:
                found.update(leaves(value))
    # Django begins the names of rows with a capital letter in some places.
    return {spelling for text in found if LETTERS.search(text) for spelling in (text, text[:1].upper() + text[1:])}


def leaves(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for one in value.values():
            yield from leaves(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from leaves(one)
    elif value is not None:
        yield " ".join(str(value).split())


def whole_words(texts: Iterable[str]) -> re.Pattern[str]:
    """Finds any of `texts`, the longest first, but no part of a word."""
    ordered = sorted(texts, key=lambda text: (-len(text), text))
    return re.compile(r"(?<!\w)(?:" + "|".join(map(re.escape, ordered)) + r")(?!\w)")


def sentences(source: str) -> Iterator[str]:
    """The whole sentences in a module of Python, but those of docstrings; X for what is put into them."""
    tree = ast.parse(source)
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    silent = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    silent |= {id(text) for call in calls if call.func.id in NOT_STORED for text in call.args}
    for node in ast.walk(tree):
        if id(node) not in inside | silent and isinstance(node, ast.Constant | ast.JoinedStr):
            parts = node.values if isinstance(node, ast.JoinedStr) else [node]
            text = "".join(str(part.value) if isinstance(part, ast.Constant) else "X" for part in parts)
            if WHOLE.fullmatch(text):
                yield text
