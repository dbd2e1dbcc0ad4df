"""Encrypts every stored secret anew with the first of FIELD_ENCRYPTION_KEYS."""

from typing import Any

from cryptography.fernet import InvalidToken
from django.apps import apps
from django.core.management.base import BaseCommand, CommandError
from django.db.models import Model

from infrastructure import secrets

SUFFIX = "_encrypted"


class Command(BaseCommand):
    help = (
        "Encrypts every stored secret anew with the first of FIELD_ENCRYPTION_KEYS. To change the key: put the new "
        "one in front of the old one, restart all processes, run this, then remove the old one and restart again."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        renewed = lost = 0
        for model in apps.get_models():
            for field in model._meta.concrete_fields:
                if field.attname.endswith(SUFFIX):
                    done, unreadable = _renew(model, field.attname)
                    renewed, lost = renewed + done, lost + unreadable
        self.stdout.write(f"{renewed} secrets are now encrypted with the first key.")
        if lost:
            raise CommandError(
                f"{lost} secrets were made with a key that FIELD_ENCRYPTION_KEYS no longer has: add that key and "
                "run this again, or register those platforms anew."
            )


def _renew(model: type[Model], column: str) -> tuple[int, int]:
    """How many secrets of a column were encrypted anew, and how many none of our keys can read."""
    done = unreadable = 0
    rows = model._base_manager.exclude(**{column: ""}).values_list("pk", column)
    for pk, stored in rows.iterator():
        try:
            fresh = secrets.renew(stored)
        except InvalidToken:
            unreadable += 1
            continue
        # Only if it is still the same: a registration may have written a new secret meanwhile.
        done += model._base_manager.filter(pk=pk, **{column: stored}).update(**{column: fresh})
    return done, unreadable
