"""Who calls the operator API, what they may do, and how often."""

from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle

from chargers.models import ApiToken
from chargers.services import api_tokens

SCHEMES = (b"bearer", b"token")


class ApiTokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer <key>`, or `Token <key>`."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, ApiToken] | None:
        scheme, _, key = get_authorization_header(request).partition(b" ")
        if scheme.lower() not in SCHEMES:
            return None
        token = api_tokens.find_token(key.strip().decode("latin-1"))
        if token is None:
            # One answer for all: a stranger learns nothing of which keys there were.
            raise AuthenticationFailed("This key is not known, has expired or was revoked.")
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
    """`settings.API_RATE` requests per token."""

    scope = "api"

    def get_rate(self) -> str | None:
        rate: str | None = settings.API_RATE or None
        return rate

    def get_cache_key(self, request: Request, view: Any) -> str | None:
        return f"api-rate-{request.auth.pk}" if isinstance(request.auth, ApiToken) else None
