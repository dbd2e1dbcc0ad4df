from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from chargers.choices import TokenType
from roaming.choices import Module
from roaming.ocpi.errors import InvalidParameters
from roaming.services import driver_tokens
from roaming.services.driver_tokens import Key
from roaming.views.base import OcpiView


class TokenView(OcpiView):
    """A driver's token at its owner's address (2.2.1 mod_tokens, 12.2.1). Tokens are never deleted."""

    module = Module.TOKENS
    key: Key

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        token_type = request.query_params.get("type", "")
        if token_type and token_type not in set(TokenType):
            raise InvalidParameters(f"type: {token_type[:20]!r} is not one of {', '.join(TokenType)}")
        self.key = Key(kwargs["country_code"], kwargs["party_id"], kwargs["uid"], token_type)

    def get(self, request: Request, **names: str) -> Response:
        return self.ok(driver_tokens.find_token(self.platform, self.key).body)

    def put(self, request: Request, **names: str) -> Response:
        created = driver_tokens.receive_token(self.platform, self.key, self.body("Token"))
        return self.ok(http_status=201 if created else 200)

    def patch(self, request: Request, **names: str) -> Response:
        driver_tokens.patch_token(self.platform, self.key, self.body("Token", partial=True))
        return self.ok()
