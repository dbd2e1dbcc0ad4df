"""The roles of staff: groups that every installation has. Which operators a member of staff sees is set on the user.

The permissions below are added at each migration; what a superuser adds to a group by hand stays, and nothing is
ever taken out of a group here. A right that a new version takes out of a role needs a migration that takes it out of
the group, once.
"""

from typing import Any

from django.contrib.auth.models import Group, Permission
from django.db.models import Q

OUR_APPS = ("infrastructure", "tariffs", "chargers", "roaming", "payments")
CHANGE = ("add", "change", "delete")

# Role -> (verbs, models) it may use beside seeing everything of its operators; no models: all of the app.
ROLES: dict[str, list[tuple[tuple[str, ...], str]]] = {
    "Viewer": [],
    "Dispatcher": [
        (("change",), "chargers.chargingsession"),
        (("change",), "chargers.chargerconnection"),
        (("change",), "chargers.reservation"),
        (("change",), "infrastructure.evse"),
        (("change",), "roaming.push"),
    ],
    "Tariff manager": [(CHANGE, "tariffs")],
    "Finance": [
        (("change",), "chargers.cdr"),
        (CHANGE, "payments"),
        # The work list: sending a CDR again, asking a partner for its advices. Stopping a charger is the dispatcher's.
        (("change",), "roaming.push"),
        (("change",), "roaming.pull"),
    ],
    "Administrator": [(CHANGE, app) for app in OUR_APPS],
}
# Rows of partners' people or of the machine room: not for every pair of eyes.
HIDDEN_FROM_MOST = ("outboxevent", "apitoken", "act")


def create_roles(using: str = "default", **kwargs: Any) -> None:
    """Receiver of `post_migrate`, once the permissions of all apps exist."""
    seen = Permission.objects.using(using).filter(content_type__app_label__in=OUR_APPS, codename__startswith="view_")
    # The audit trail shows them; they have no pages of their own.
    seen = seen.exclude(content_type__model__startswith="historical")
    common = seen.exclude(content_type__model__in=HIDDEN_FROM_MOST)
    for role, rights in ROLES.items():
        group, _ = Group.objects.using(using).get_or_create(name=role)
        wanted = seen if role == "Administrator" else common
        group.permissions.add(*wanted, *_allowed(rights, using))


def _allowed(rights: list[tuple[tuple[str, ...], str]], using: str) -> list[Permission]:
    wanted = Q(pk=None)
    for verbs, place in rights:
        app, _, model = place.partition(".")
        where = Q(content_type__app_label=app)
        if model:
            where &= Q(content_type__model=model)
        starts = Q()
        for verb in verbs:
            starts |= Q(codename__startswith=f"{verb}_")
        wanted |= where & starts
    found = Permission.objects.using(using).filter(wanted).exclude(content_type__model__startswith="historical")
    return list(found)
