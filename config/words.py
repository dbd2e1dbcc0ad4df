"""The words of the interface that Django makes out of names: labels of fields, kinds of things, choices.

Written in `gettext_lazy` they would repeat each name; so they are looked up in the catalogue as they come, and
`manage.py collect_words` writes them down for the translators (`config/collected_words.py`).
"""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from django.apps import apps
from django.db.models import Field, Model
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy, gettext_noop

from infrastructure.choices import Capability, Facility, ParkingRestriction, as_choices
from tariffs.pricing import DayOfWeek

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

# Enumerations whose values stand in JSON lists.
LISTED = (Capability, DayOfWeek, Facility, ParkingRestriction)
OUR_APPS = ("infrastructure", "tariffs", "chargers", "roaming", "payments")

# Names in Python are in small letters, as these are not.
ABBREVIATIONS = {name.lower(): name for name in ("CDR", "EFT", "EVSE", "kWh", "OCPI", "OCPP", "URL", "VAT")}
_ABBREVIATION = re.compile(rf"\b({'|'.join(ABBREVIATIONS)})\b", re.IGNORECASE)

# Texts of the packages that admin is built with and that have no German of their own, or another word than ours.
OTHERS = (
    gettext_noop("After you've created a user, you’ll be able to edit more user options."),
    gettext_noop("Apply Filters"),
    gettext_noop("Click to cancel"),
    gettext_noop("Dark"),
    gettext_noop("Date"),
    gettext_noop("Date from"),
    gettext_noop("Date to"),
    gettext_noop("Deutsch"),
    gettext_noop("Disabled"),
    gettext_noop("Go back"),
    gettext_noop("Light"),
    gettext_noop("More actions"),
    gettext_noop("Password-based authentication"),
    gettext_noop(
        "Raw passwords are not stored, so there is no way to see this user’s password, but you can change "
        'the password using <a href="{}" class="text-primary-600 dark:text-primary-500">this form</a>.'
    ),
    gettext_noop("Run"),
    gettext_noop("Save"),
    gettext_noop("Save and add another"),
    gettext_noop("Save and continue editing"),
    gettext_noop("Save and view"),
    gettext_noop("Search apps and models..."),
    gettext_noop("Select action"),
    gettext_noop("Select action to run"),
    gettext_noop("Select all rows"),
    gettext_noop("Select record"),
    gettext_noop("Select value"),
    gettext_noop("This item will be deleted."),
    gettext_noop("True"),
    gettext_noop("Type to search"),
    gettext_noop(
        "Whether the user will be able to authenticate using a password or not. If disabled, they may "
        "still be able to authenticate using other backends, such as Single Sign-On or LDAP."
    ),
    gettext_noop("access attempt expiration"),
    gettext_noop("periodic task track"),
)


def translate_names() -> None:
    """Makes each plain label of our models one in the language of the page. Migrations don't see it."""
    for app in OUR_APPS:
        config = apps.get_app_config(app)
        config.verbose_name = _lazy(config.verbose_name)
    for model in _models():
        options = model._meta
        # Those of histories are made out of a promise and an English word: both are looked up as one.
        is_history = hasattr(model, "history_object")
        options.verbose_name = _name(str(options.verbose_name) if is_history else options.verbose_name)
        # Django hangs an s on the singular, as a promise: what it comes to is the name to look up.
        options.verbose_name_plural = _name(str(options.verbose_name_plural))
        for field in _fields(model):
            field.verbose_name = _name(field.verbose_name)
            if field.choices:
                field.choices = [(value, _lazy(label)) for value, label in field.flatchoices]


def plain_names() -> set[str]:
    """The labels that `translate_names` found, in English."""
    found = {str(apps.get_app_config(app).verbose_name) for app in OUR_APPS}
    for model in _models():
        found |= {str(model._meta.verbose_name), str(model._meta.verbose_name_plural)}
        for field in _fields(model):
            found.add(str(field.verbose_name))
            found |= {str(label) for _, label in field.flatchoices}
    for enum in LISTED:
        found |= {label for _, label in as_choices(enum)}
    return {name for name in found if any(letter.isalpha() for letter in name)}


def _models() -> Iterator[type[Model]]:
    for app in OUR_APPS:
        yield from apps.get_app_config(app).get_models()


def _fields(model: type[Model]) -> Iterator["Field[object, object]"]:
    return (field for field in model._meta.get_fields() if isinstance(field, Field))


def _name(label: object) -> "_StrPromise":
    return _lazy(label if isinstance(label, Promise) else _ABBREVIATION.sub(_spelled, str(label)))


def _spelled(found: re.Match[str]) -> str:
    return ABBREVIATIONS[found[0].lower()]


def _lazy(label: object) -> "_StrPromise":
    return cast("_StrPromise", label) if isinstance(label, Promise) else gettext_lazy(str(label))
