"""The one exception of the pricing engine."""

from collections.abc import Iterator
from contextlib import contextmanager


class PricingError(ValueError):
    """Input that cannot be priced: `field` is the OCPI path at fault, `message` says why in plain words."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


@contextmanager
def errors_inside(name: str) -> Iterator[None]:
    """Prefix the fields of errors with the object that they belong to."""
    try:
        yield
    except PricingError as error:
        field = error.field if error.field == name else f"{name}.{error.field}"
        raise PricingError(field, error.message) from None
