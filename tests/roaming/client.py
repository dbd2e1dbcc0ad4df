import json
from typing import Any

from django.test import Client

from roaming.ocpi.headers import encode_token


class OcpiTestClient(Client):
    """Django's test client with a credentials token and JSON bodies; paths are below /ocpi/."""

    token: str = ""

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        if self.token:
            headers.setdefault("Authorization", f"Token {encode_token(self.token)}")
        if not isinstance(body, bytes):
            body = b"" if body is None else json.dumps(body).encode()
        return self.generic(method, f"/ocpi/{path}", body, content_type="application/json", headers=headers)


def client_with(token: str) -> OcpiTestClient:
    client = OcpiTestClient(raise_request_exception=False)
    client.token = token
    return client
