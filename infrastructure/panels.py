"""Boxes that apps above add to the change pages of models below them, filled in their `AppConfig.ready`."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from django.db.models import Model
from django.http import HttpRequest

Panel = tuple[str, str]

_panels: dict[type[Model], list[Callable[[Any, HttpRequest], Iterable[Panel]]]] = defaultdict(list)


def register(
    model: type[Model], render: Callable[[Any, HttpRequest], Iterable[Panel]], *, is_first: bool = False
) -> None:
    """`render(obj, request)` gives (title, html) pairs; html that is not marked safe is escaped."""
    _panels[model].insert(0 if is_first else len(_panels[model]), render)


def panels_of(obj: Model, request: HttpRequest) -> list[Panel]:
    return [panel for render in _panels[type(obj)] for panel in render(obj, request)]
