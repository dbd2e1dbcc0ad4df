"""The OpenAPI document: our paths only, each with the errors that it can answer with."""

from typing import Any, Literal

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema

ROOT = "/api/v1/"
_PAGES = (f"{ROOT}schema", f"{ROOT}docs")

_ERRORS = {
    "400": ("The request is not valid: texts by field.", "FieldErrors"),
    "401": ("No key, or one that is not known, has expired or was revoked.", "Error"),
    "403": ("The token lacks the permission for this.", "Error"),
    "404": ("Not there, or another operator's.", "Error"),
    "405": ("Not a method of this address.", "Error"),
    "406": ("Answers are JSON.", "Error"),
    "409": ("Not now: the charger is offline, or the state has changed.", "Error"),
    "413": ("The body is too large.", "Error"),
    "415": ("Requests are JSON.", "Error"),
    "429": ("Too many requests with this token; see Retry-After.", "Error"),
}
_SUMMARIES = {
    "list": "List",
    "create": "Create",
    "retrieve": "Read one of",
    "partial_update": "Change one of",
    "destroy": "Delete one of",
}
_WRITES_ONLY = ("409", "413", "415")
COMPONENTS = {
    "Error": {"type": "object", "properties": {"detail": {"type": "string"}}, "required": ["detail"]},
    "FieldErrors": {
        "type": "object",
        "description": "Texts by field, or one text under `detail`.",
        "additionalProperties": {},
    },
}


class ApiSchema(AutoSchema):
    """Adds the permission that an operation needs, and its errors."""

    view: Any

    def get_description(self) -> str:  # type: ignore[override]
        text = super().get_description()
        scope = self.view.scope_of(self.view.action)
        return f"{text}\n\nPermission: `{scope}`".strip()

    def get_summary(self) -> str:
        if self.view.action in _SUMMARIES:
            return f"{_SUMMARIES[self.view.action]} {self.get_tags()[0].replace('-', ' ')}"
        first, *_ = str(getattr(self.view, self.view.action).__doc__).splitlines()
        return first.rstrip(".")

    def get_tags(self) -> list[str]:
        return [self.path.removeprefix(ROOT).partition("/")[0]]

    def _get_response_bodies(self, direction: Literal["request", "response"] = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        for status, (text, component) in _ERRORS.items():
            if self.method != "GET" or status not in _WRITES_ONLY:
                content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{component}"}}}
                bodies.setdefault(status, {"description": text, "content": content})
        return bodies


def only_ours(endpoints: list[Any]) -> list[Any]:
    """OCPI has its own documents."""
    return [one for one in endpoints if one[0].startswith(ROOT) and one[0] not in _PAGES]


def add_errors(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    result["components"].setdefault("schemas", {}).update(COMPONENTS)
    return result


class BearerKey(OpenApiAuthenticationExtension):
    target_class = "chargers.api.security.ApiTokenAuthentication"
    name = "key"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "description": "An API token's key, from the admin."}
