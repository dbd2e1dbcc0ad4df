"""What a charger has to show when it connects."""

from chargers.models import ChargerConnection


def set_profile(connection: ChargerConnection, *, security_profile: int, certificate_name: str) -> None:
    """Holds from the next handshake on; a socket that is open stays open."""
    ChargerConnection.objects.filter(pk=connection.pk).update(
        security_profile=security_profile, certificate_name=certificate_name
    )
