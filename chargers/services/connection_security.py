"""What a charger has to show when it connects."""

from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils.translation import gettext as _

from chargers.models import ChargerConnection
from infrastructure.models import Charger


def set_profile(connection: ChargerConnection, *, security_profile: int, certificate_name: str) -> None:
    """Holds from the next handshake on; a socket that is open stays open. Raises ValidationError."""
    if certificate_name:
        check_name(connection.charger_id, certificate_name)
    ChargerConnection.objects.filter(pk=connection.pk).update(
        security_profile=security_profile, certificate_name=certificate_name
    )


def check_identity(charger: Charger) -> None:
    """Raises ValidationError when the certificate of another charger opens this one, too."""
    try:
        check_name(charger.pk, charger.identity)
    except ValidationError as error:
        raise ValidationError({"identity": error}) from error


def check_name(charger_id: int | None, name: str) -> None:
    """A common name proves one charger only: raises ValidationError when another one goes by it, be it of whomever.

    An identity is kept for its charger also while a name of its own is set: it counts again once that is emptied.
    """
    known = Charger.objects.filter(Q(identity=name) | Q(connection__certificate_name=name))
    if any(pk != charger_id for pk in known.values_list("pk", flat=True)):
        text = _(
            "Another charger has the identity %(name)s or this name in its certificate: each needs one of its own."
        )
        raise ValidationError(text % {"name": name})
