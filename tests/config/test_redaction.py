"""What is secret or personal reaches no log, no history and no sentence for staff, whoever wrote it."""

import json
import logging
import re
import sys
from typing import Any

import pytest
import responses
from django.conf import settings as django_settings
from django.db import DatabaseError, connection, transaction
from django.utils import timezone
from django.utils.log import AdminEmailHandler

from chargers.models import Token
from config.celery import app
from config.logs import Correlation, LineFormatter, json_formatter
from infrastructure.secrets import encrypt
from infrastructure.services import audit
from roaming.choices import Module
from roaming.models import PlatformEndpoint, Push, PushAttempt
from roaming.ocpi.headers import encode_token
from roaming.services import push
from tests.roaming.factories import DocumentFactory, RegisteredPlatformFactory

TOKEN = "pLaNtEd-token_0123456789"
PASSWORD = "planted password 1"
KEY = "plugtill_9dkeUdk3-kdjf8_dkfj39"
CARD = "4111 1111 1111 1111"
UID = "04A1B2C3D4E5F6"
PLANTED = (TOKEN, encode_token(TOKEN), PASSWORD, KEY, KEY[9:], CARD, CARD.replace(" ", ""), UID)

LINES = [
    f"GET /ocpi/versions Authorization: Token {encode_token(TOKEN)}",
    f"{{'Authorization': 'Token {TOKEN}'}}",
    f"Authorization: Basic {encode_token('CP-1:' + PASSWORD)}",
    f"Bearer {KEY} is revoked",
    f"the key {KEY}",
    f'{{"token": "{TOKEN}", "password": "{PASSWORD}", "uid": "{UID}"}}',
    f"{{'token': '{TOKEN}', 'password': '{PASSWORD}', 'uid': '{UID}'}}",
    rf'the peer said "{{\"token\": \"{TOKEN}\"}}"',
    f"https://user:{TOKEN}@ptp.example/results",
    f"https://ptp.example/results?access_token={TOKEN}",
    f"paid with {CARD} and {CARD.replace(' ', '')}",
    f"DETAIL:  Failing row contains (1, NL, {UID}, {TOKEN}).",
    f"DETAIL:  Key (platform_id, uid)=(1, {UID}) already exists.",
    f"sessionid={TOKEN}; csrftoken={TOKEN}",
]


def formatted(line: str, formatter: logging.Formatter, error: Any = None) -> str:
    record = logging.LogRecord("any", logging.ERROR, __file__, 1, "%s", (line,), error)
    Correlation().filter(record)
    return formatter.format(record)


def formatters() -> list[logging.Formatter]:
    return [LineFormatter("{asctime} {levelname} {name}:{correlation} {message}", style="{"), json_formatter()]


def planted_in(text: str) -> list[str]:
    return [secret for secret in PLANTED if secret in text]


@pytest.mark.parametrize("line", LINES)
def test_no_line_has_a_secret(line: str):
    for formatter in formatters():
        assert planted_in(formatted(line, formatter)) == []


@pytest.mark.parametrize("line", LINES)
def test_no_traceback_has_one(line: str):
    try:
        raise ValueError(line)
    except ValueError:
        error = sys.exc_info()
    for formatter in formatters():
        text = formatted("it failed", formatter, error)
        assert "ValueError" in text and planted_in(text) == []


def test_what_is_no_secret_stays():
    line = (
        "push 7 to Terminals failed: HTTP 503 of https://ptp.example/cdrs, session 0190a6f0-1c5e-7000-8000-000000000001"
    )
    plain, as_json = formatters()
    assert formatted(line, plain).endswith(line)
    assert json.loads(formatted(line, as_json))["message"] == line


def test_the_installation_logs_through_these_formatters():
    made = {name: one["()"] for name, one in django_settings.LOGGING["formatters"].items()}
    assert made == {"line": "config.logs.LineFormatter", "json": "config.logs.json_formatter"}
    handlers = [handler for name in ("", "django", "django.request") for handler in logging.getLogger(name).handlers]
    assert not any(isinstance(handler, AdminEmailHandler) for handler in handlers), "its mails show the whole request"


@pytest.mark.django_db
def test_a_row_that_the_database_refuses_is_not_logged():
    with pytest.raises(DatabaseError) as refused, transaction.atomic():
        Token.objects.create(peer_id="1", uid=UID, is_valid=None, body={}, last_updated=timezone.now())
    text = formatted("it failed", formatters()[0], (refused.type, refused.value, refused.tb))
    assert UID not in text
    if connection.vendor == "postgresql":
        assert "Failing row" in text


def test_tasks_keep_no_results_and_take_ids_alone():
    assert django_settings.CELERY_TASK_IGNORE_RESULT and not getattr(django_settings, "CELERY_RESULT_BACKEND", None)
    app.loader.import_default_modules()
    ours = [task for name, task in app.tasks.items() if not name.startswith("celery.")]
    assert ours
    for task in ours:
        names = {name for name in task.run.__annotations__ if name != "return"}
        assert all(re.fullmatch(r"\w*_id|id|\w*_ids|force|everything|full", name) for name in names), (task.name, names)


@pytest.mark.django_db
@responses.activate
@pytest.mark.parametrize("said", ["Unknown token {}", 'You sent {{"token": "{}"}}', "x" * 190 + " {}"])
def test_a_partner_that_repeats_our_token_tells_it_nobody(said: str):
    platform = RegisteredPlatformFactory(client_token_encrypted=encrypt(TOKEN))
    url = "http://127.0.0.1:9/2.2.1/sessions"
    PlatformEndpoint.objects.create(platform=platform, identifier=Module.SESSIONS, role="RECEIVER", url=url)
    DocumentFactory(platform=platform, module=Module.SESSIONS, object_id="S1")
    with transaction.atomic():
        push.enqueue_state(platform, Module.SESSIONS, "AT/PLG/S1")
    body = {"status_code": 2001, "status_message": said.format(TOKEN), "timestamp": "2026-01-01T00:00:00Z"}
    responses.add(responses.PATCH, re.compile(".*"), json=body, status=400)
    responses.add(responses.PUT, re.compile(".*"), json=body, status=400)
    push.deliver_next(Push.objects.get().platform_id)
    error = Push.objects.get().last_error
    assert "400" in error and PushAttempt.objects.get().error == error
    assert TOKEN[:10] not in error


@pytest.mark.django_db
def test_no_history_copies_a_secret():
    """Hashes and encrypted tokens are no more for every reader of a history than the secrets themselves."""
    names = re.compile(r"token|password|secret|hash|encrypted|key_", re.IGNORECASE)
    harmless = {"token_prefix", "encode_token", "tokens", "token_type"}
    kept = {
        f"{model.__name__}.{field.name}"
        for model in audit.histories().values()
        for field in model._meta.fields
        if names.search(field.name) and field.name not in harmless
    }
    assert kept == set()
