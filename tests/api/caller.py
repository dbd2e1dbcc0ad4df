"""A program that uses the operator API."""

from rest_framework.test import APIClient

from chargers.choices import ApiScope
from chargers.models import ApiToken
from chargers.services import api_tokens

EVERYTHING = [scope.value for scope in ApiScope]


class Caller(APIClient):
    """Calls the API with a key, as a program would."""

    def __init__(self, key: str, token: ApiToken) -> None:
        super().__init__()
        self.key, self.token = key, token
        self.credentials(HTTP_AUTHORIZATION=f"Bearer {key}")

    def send(self, method: str, path: str, body: object = None):
        data = {} if body is None else {"data": body, "format": "json"}
        return getattr(self, method)(f"/api/v1/{path}", **data)


def make_caller(*operators, scopes=EVERYTHING, **fields) -> Caller:
    token = ApiToken.objects.create(name="Fleet", scopes=list(scopes), **fields)
    token.operators.set(operators)
    return Caller(api_tokens.generate_key(token), token)
