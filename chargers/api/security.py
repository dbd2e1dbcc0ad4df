"""Who calls the operator API, what they may do, and how often."""

import logging
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed, Throttled
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle

from chargers.models import ApiToken
from chargers.services import api_tokens
from infrastructure.guesses import WINDOW_S, Limit, network_of

logger = logging.getLogger(__name__)

SCHEMES = (b"bearer", b"token")
GUESSES = Limit("api")


class ApiTokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer <key>`, or `Token <key>`."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, ApiToken] | None:
        scheme, _, key = get_authorization_header(request).partition(b" ")
        if scheme.lower() not in SCHEMES:
            return None
        address, shown = network_of(request.META.get("REMOTE_ADDR", "")), key.strip().decode("latin-1")
        if GUESSES.is_reached(address, shown):
            raise Throttled(WINDOW_S, "Too many wrong keys came from this address.")
        token = api_tokens.find_token(shown)
        if token is None:
            GUESSES.note_wrong(address, shown)
            # One answer for all: a stranger learns nothing of which keys there were.
            raise AuthenticationFailed("This key is not known, has expired or was revoked.")
        GUESSES.note_right(address, shown)
        return AnonymousUser(), token

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="Plugtill API"'


class HasScope(BasePermission):
    """The token has the permission that the view names for this action."""

    def has_permission(self, request: Request, view: Any) -> bool:
        # A method that the view does not have is refused as such, not for the want of a permission.
        wanted = view.scope_of(view.action) if view.action else None
        self.message = f"This token lacks the permission {wanted}."
        return isinstance(request.auth, ApiToken) and (wanted is None or wanted in request.auth.scopes)


class TokenThrottle(SimpleRateThrottle):
    """`settings.API_RATE` requests per token; as many as they like while the cache is away."""

    scope = "api"

    def allow_request(self, request: Request, view: Any) -> bool:
        try:
            return bool(super().allow_request(request, view))
        except Exception as error:  # each cache has errors of its own
            logger.warning("the limit of the operator API is off, the cache does not answer: %s", error)
            return True

    def get_rate(self) -> str | None:
        rate: str | None = settings.API_RATE or None
        return rate

    def get_cache_key(self, request: Request, view: Any) -> str | None:
        return f"api-rate-{request.auth.pk}" if isinstance(request.auth, ApiToken) else None
