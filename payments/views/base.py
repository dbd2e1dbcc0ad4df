from typing import Any

from rest_framework.request import Request

from roaming.choices import Module, PlatformType
from roaming.ocpi.errors import InvalidParameters, NotFound
from roaming.ocpi.objects import validate
from roaming.ocpi.types import ci_equal
from roaming.views.base import OcpiView


class PaymentsView(OcpiView):
    """The payments module is there for payment terminal providers only."""

    module = Module.PAYMENTS
    # A terminal or advice tells by itself, or by what is known of it, whose it is; else it waits in the pool.
    needs_addressee = False

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if self.platform.type != PlatformType.PTP:
            raise NotFound("There is nothing at this address.")

    def named_body(self, type_name: str, id_field: str, object_id: str, *, partial: bool = False) -> dict[str, Any]:
        """The body of a PUT or PATCH, which may leave out the id that stands in the address already."""
        data = self.json()
        if isinstance(data, dict):
            data.setdefault(id_field, object_id)
        validate(type_name, data, partial=partial)
        if not ci_equal(data[id_field], object_id):
            raise InvalidParameters(f"{id_field}: differs from the address")
        return dict(data)
