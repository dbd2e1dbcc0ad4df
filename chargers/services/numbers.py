"""Numbers of EVSEs and connectors, as far as one can be."""

# What 31 bits hold: OCPP's integers, without the sign.
LARGEST_NUMBER = 2**31 - 1


def is_number(number: int) -> bool:
    """Whether an EVSE or a connector can have it (0: the whole charger)."""
    return 0 <= number <= LARGEST_NUMBER
