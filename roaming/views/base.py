"""What all OCPI views share: who calls, for whom, and every answer in an envelope."""

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NoReturn, TypeVar

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.db.models import Model, QuerySet
from django.http import Http404
from rest_framework import exceptions
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from infrastructure.guesses import WINDOW_S, Limit, network_of
from roaming.choices import PlatformType
from roaming.models import RoamingPlatform
from roaming.ocpi import envelope
from roaming.ocpi.errors import (
    InvalidJson,
    InvalidParameters,
    MethodNotAllowed,
    NotFound,
    OcpiError,
    ServerError,
    TooManyGuesses,
    Unauthorized,
)
from roaming.ocpi.headers import Routing, new_id
from roaming.ocpi.objects import validate
from roaming.ocpi.pagination import PageRequest, page_headers
from roaming.services.messages import PLATFORM
from roaming.services.tokens import Caller, TokenKind, platform_for

logger = logging.getLogger(__name__)

MAX_BODY = 1_000_000
GUESSES = Limit("ocpi")
Row = TypeVar("Row", bound=Model)


class BodyTooLarge(OcpiError):
    status_code = 2000
    http_status = 413


class OcpiView(APIView):
    """An OCPI endpoint: token, routing and ids are checked before the method runs.

    `is_configuration` modules (versions, credentials) carry no OCPI-to/from headers. Raise an OcpiError to
    answer with it.
    """

    authentication_classes = ()
    permission_classes = ()
    renderer_classes = (JSONRenderer,)
    http_method_names = ["get", "post", "put", "patch", "delete"]

    module: ClassVar[str] = ""
    is_configuration: ClassVar[bool] = False
    accepts_registration_token: ClassVar[bool] = False
    # Whether a partner who knows several parties of ours must say which one it means.
    needs_addressee: ClassVar[bool] = True

    caller: Caller
    routing = Routing()

    @property
    def platform(self) -> RoamingPlatform:
        return self.caller.platform

    # Answers

    def ok(self, data: object = ..., *, http_status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
        return Response(envelope.success(data), status=http_status, headers=dict(headers or {}))

    def page(self, queryset: QuerySet[Row], render: Callable[[Row], object]) -> Response:
        """A page of the list, oldest first by creation, so that new objects only touch the last page."""
        params = self.request.query_params.dict()
        page = PageRequest.from_query(params)
        if page.date_from is not None:
            queryset = queryset.filter(last_updated__gte=page.date_from)
        if page.date_to is not None:
            queryset = queryset.filter(last_updated__lt=page.date_to)
        total = queryset.count()
        rows = queryset.order_by("created_at", "pk")[page.offset : page.offset + page.limit]
        return self.ok([render(row) for row in rows], headers=page_headers(self.address(), params, page, total))

    def address(self) -> str:
        """Of this request, absolute and without query."""
        return f"{settings.PUBLIC_URL}{self.request.path}"

    # Requests

    def body(self, type_name: str, *, partial: bool = False) -> dict[str, Any]:
        """The request's JSON object, checked as that OCPI type. InvalidJson (HTTP 400) or InvalidParameters."""
        data: dict[str, Any] = self.json()
        validate(type_name, data, partial=partial)
        return data

    def json(self) -> Any:
        """The request's body, not checked further. InvalidJson (HTTP 400)."""
        try:
            return json.loads(self._raw_body(), parse_constant=_refuse_constant)
        # RecursionError: brackets nested a hundred thousand deep.
        except (ValueError, RecursionError):
            raise InvalidJson("The body is not valid JSON.") from None

    def _raw_body(self) -> bytes:
        too_large = BodyTooLarge(f"The body is larger than {MAX_BODY} bytes.")
        try:
            if int(self.request.META.get("CONTENT_LENGTH") or 0) > MAX_BODY:
                raise too_large
            body: bytes = self.request._request.body
        except (RequestDataTooBig, ValueError):
            raise too_large from None
        if len(body) > MAX_BODY:
            raise too_large
        return body

    # Around every request

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        if not self.is_configuration:
            self.routing = Routing.from_headers(request.headers)
        self.caller = self._identify_once(request)
        request.META[PLATFORM] = self.caller.platform.pk
        if self.caller.kind == TokenKind.REGISTRATION and not self.accepts_registration_token:
            raise Unauthorized("A registration token is good for versions and credentials only.")
        if self.routing.to_country or self.routing.to_party:
            self._check_addressee()
        elif self.caller.parties > 1 and self.needs_addressee and not self.is_configuration:
            raise InvalidParameters("OCPI-to-country-code and OCPI-to-party-id: you know several parties of ours.")
        if self.routing.from_country or self.routing.from_party:
            self._check_sender()

    def _identify_once(self, request: Request) -> Caller:
        """As `identify`, for who does not try one token after the other. Raises TooManyGuesses before looking."""
        address, shown = network_of(request.META.get("REMOTE_ADDR", "")), request.headers.get("Authorization", "")
        if GUESSES.is_reached(address, shown):
            raise TooManyGuesses("Too many wrong tokens came from this address. Try again later.")
        try:
            caller = self.identify(request)
        except Unauthorized:
            if shown:
                GUESSES.note_wrong(address, shown)
            raise
        GUESSES.note_right(address, shown)
        return caller

    def identify(self, request: Request) -> Caller:
        """Raises Unauthorized."""
        return platform_for(request.headers.get("Authorization"))

    def sender(self) -> tuple[str, str]:
        """Country code and party id of who sends, "" where the headers do not tell or make no sense."""
        country, party = self.routing.from_country, self.routing.from_party
        return (country, party) if len(country) == 2 and len(party) == 3 else ("", "")

    def _check_addressee(self) -> None:
        country, party = self.routing.to_country, self.routing.to_party
        is_ours = self.platform.profiles.filter(country_code__iexact=country, party_id__iexact=party).exists()
        if not is_ours:
            raise InvalidParameters(f"OCPI-to: {country[:2]}-{party[:3]} is no party of ours on this connection.")

    def _check_sender(self) -> None:
        """Who is behind a hub may be known to us only later: the hub answers for it."""
        if self.platform.type == PlatformType.HUB:
            return
        country, party = self.routing.from_country, self.routing.from_party
        if not self.platform.roles.filter(country_code__iexact=country, party_id__iexact=party).exists():
            raise InvalidParameters(f"OCPI-from: {country[:2]}-{party[:3]} is none of your parties.")

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """There is one format; peers with an odd Accept header get it too."""
        return JSONRenderer(), JSONRenderer.media_type

    def handle_exception(self, exc: Exception) -> Response:
        error = _as_ocpi_error(exc)
        if isinstance(error, ServerError):
            logger.error("%s %s failed", self.request.method, self.request.path, exc_info=exc)
        response = Response(envelope.failure(error), status=error.http_status, exception=True)
        if error.http_status == 405:
            response["Allow"] = ", ".join(self.allowed_methods)
        if error.http_status == 401:
            response["WWW-Authenticate"] = "Token"
        if error.http_status == 429:
            response["Retry-After"] = str(WINDOW_S)
        return response

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Any:
        for name in ("X-Request-ID", "X-Correlation-ID"):
            response[name] = request.headers.get(name) or new_id()
        if not self.is_configuration:
            for name, value in self.routing.swapped().to_headers().items():
                response[name] = value
        return super().finalize_response(request, response, *args, **kwargs)


def _as_ocpi_error(exc: Exception) -> OcpiError:
    if isinstance(exc, OcpiError):
        return exc
    if isinstance(exc, Http404):
        return NotFound("Not found.")
    if isinstance(exc, exceptions.MethodNotAllowed):
        return MethodNotAllowed(str(exc.detail))
    return ServerError("Plugtill failed to handle this request.")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
