"""Staff of operator A: what each role may do with each kind of row, and that nothing of operator B is in any page,
and nothing of B is changed by any address, whatever the role."""

import os
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import transaction
from django.test import RequestFactory
from django.urls import URLPattern, reverse
from django.utils import timezone

from config.desk.search import search
from config.roles import ROLES
from infrastructure import acts
from infrastructure.admin_base import SECRET_FIELDS
from infrastructure.models import Charger, Operator, OperatorMembership, OutboxEvent
from infrastructure.services import audit
from tests.infrastructure.factories import make_staff
from tests.isolation.matrix import DOCS
from tests.isolation.staff_rows import MARKS, Rows, path_of

pytestmark = pytest.mark.django_db
BEGIN, END = "<!-- staff matrix: begin -->", "<!-- staff matrix: end -->"
VERBS = ("view", "add", "change", "delete")
MODELS = [model for model in admin.site._registry if model._meta.model_name != "site"]
OWNED = [model for model in MODELS if path_of(model)]
SEARCH = "find"
PAGES = [
    "admin:index",
    SEARCH,
    "admin:infrastructure_act_changelist",
    "admin:infrastructure_act_csv",
    "admin:payments_coverage",
    "admin:payments_prices_csv",
    "admin:payments_prices_xlsx",
    "admin:payments_reconciliation",
    "admin:payments_reconciliation_months",
    "admin:payments_reconciliation_csv",
    "admin:payments_reconciliation_xlsx",
    "admin:roaming_price",
]


@pytest.fixture
def rows() -> Rows:
    rows = Rows()
    for letter in MARKS:
        for model in OWNED:
            rows.of(letter, model)
    return rows


@pytest.fixture
def ada(rows: Rows, client: Any) -> Any:
    """With every permission there is, so that nothing but the operator stands in the way."""
    user = make_staff("ada", rows.of("A", Operator))
    client.force_login(user)
    client.raise_request_exception = True
    return user


def name_of(model: Any) -> str:
    return f"admin:{model._meta.app_label}_{model._meta.model_name}"


def has_nothing_of_b(answer: Any) -> bool:
    content = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return MARKS["B"].encode() not in content


def pages_of(page: Any) -> tuple[list[str], list[str]]:
    """Names of the addresses of an admin page: of one row, and of none."""
    found: tuple[list[str], list[str]] = ([], [])
    for pattern in page.get_urls():
        if isinstance(pattern, URLPattern) and pattern.name:
            keys = set(pattern.pattern.regex.groupindex)
            if keys <= {"object_id"}:
                found[0 if keys else 1].append(f"admin:{pattern.name}")
    return found


def stored(rows: Rows) -> dict[str, Any]:
    """Everything that is B's as it stands in the database."""
    return {model._meta.label: list(model._base_manager.filter(pk=rows.of("B", model).pk).values()) for model in OWNED}


def test_nothing_of_b_is_in_lists_forms_and_choices(rows: Rows, ada: Any, client: Any) -> None:
    for model in OWNED:
        check_lists_and_forms(rows, ada, client, model)


def check_lists_and_forms(rows: Rows, ada: Any, client: Any, model: Any) -> None:
    mine, others = rows.of("A", model), rows.of("B", model)
    answer = client.get(reverse(f"{name_of(model)}_changelist"), {"all": ""})
    page = admin.site._registry[model]
    seen = set(page.get_queryset(request_by(ada)).values_list("pk", flat=True))
    assert mine.pk in seen and others.pk not in seen, model
    assert answer.status_code in (200, 302) and has_nothing_of_b(answer), model
    for address in (reverse(f"{name_of(model)}_change", args=[mine.pk]), f"{reverse(f'{name_of(model)}_add')}"):
        answer = client.get(address)
        assert answer.status_code in (200, 302, 403) and has_nothing_of_b(answer), address


def test_no_address_of_a_row_of_b_tells_or_changes_anything(rows: Rows, ada: Any, client: Any) -> None:
    before = stored(rows)
    for model in OWNED:
        try_addresses(rows, client, model)
    assert stored(rows) == before


def try_addresses(rows: Rows, client: Any, model: Any) -> None:
    page, others = admin.site._registry[model], rows.of("B", model)
    for name in sorted(set(pages_of(page)[0])):
        for send in (client.get, client.post):
            with transaction.atomic():
                answer = send(reverse(name, args=[others.pk]))
            assert answer.status_code in (302, 403, 404, 405), name
            assert has_nothing_of_b(answer), name
    chosen = {"_selected_action": [others.pk], "post": "yes"}
    for action in [*(page.actions or ()), "delete_selected"]:
        answer = client.post(reverse(f"{name_of(model)}_changelist"), chosen | {"action": action})
        assert answer.status_code in (200, 302, 403) and has_nothing_of_b(answer), action


def test_nothing_of_b_is_offered_as_a_choice_while_typing(rows: Rows, ada: Any, client: Any) -> None:
    fields = [(owned, field) for owned in OWNED for field in admin.site._registry[owned].autocomplete_fields]
    for model, field in fields:
        source = {"app_label": model._meta.app_label, "model_name": model._meta.model_name, "field_name": field}
        answer = client.get(reverse("admin:autocomplete"), source | {"term": ""})
        assert answer.status_code in (200, 403) and has_nothing_of_b(answer), field


def test_no_filter_tells_how_a_hash_or_an_encrypted_token_begins(rows: Rows, ada: Any, client: Any) -> None:
    fields = [
        (model, field.name) for model in OWNED for field in model._meta.fields if field.name.endswith(SECRET_FIELDS)
    ]
    assert len(fields) > 5
    for model, name in fields:
        for lookup in (name, f"{name}__startswith", f"{name}__isnull"):
            assert client.get(reverse(f"{name_of(model)}_changelist"), {lookup: ""}).status_code == 400, lookup


def test_no_page_that_spans_the_apps_shows_anything_of_b(rows: Rows, ada: Any, client: Any) -> None:
    for name in PAGES:
        answer = client.get(reverse(name), {"s": MARKS["A"]} if name == SEARCH else {})
        assert answer.status_code == 200 and has_nothing_of_b(answer), name


def test_the_search_finds_as_and_not_bs(rows: Rows, ada: Any) -> None:
    request = request_by(ada)
    found = {letter: [str(one.link) for one in search(request, f"{mark}{letter}")] for letter, mark in MARKS.items()}
    assert reverse("admin:infrastructure_charger_change", args=[rows.of("A", Charger).pk]) in found["A"]
    assert found["B"] == []


def test_the_audit_trail_tells_of_as_rows_and_of_no_others(rows: Rows, ada: Any, client: Any) -> None:
    for letter in MARKS:
        for model in OWNED:
            tell_of(rows.of(letter, model))
    event = OutboxEvent.objects.create(topic="evse", object_id=1)
    acts.note(event, "root", "Try now", "")
    told = {(line.label, line.object_id) for line in (audit.Line(*row) for row in audit.trail(request_by(ada)))}
    assert told == {(model._meta.label_lower, str(rows.of("A", model).pk)) for model in OWNED}


def tell_of(row: Any) -> None:
    """As if somebody had pressed a button of each row, and changed those that have a history."""
    acts.note(row, "root", "Press", "")
    if hasattr(row, "history"):
        fields = {field.attname: getattr(row, field.attname) for field in row.history.model.tracked_fields}
        row.history.model.objects.create(
            **fields, history_date=timezone.now(), history_type="+", object_text=str(row), changes=[["name", "", "x"]]
        )


def request_by(user: Any) -> Any:
    request = RequestFactory().get("/")
    request.user = user
    return request


def request_of(role: str, operator: Any) -> Any:
    user = get_user_model().objects.create_user(role, is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    OperatorMembership.objects.create(user=user, operator=operator)
    return request_by(user)


def rights(page: Any, request: Any) -> str:
    held = [verb for verb in VERBS if getattr(page, f"has_{verb}_permission")(request)]
    actions = [name for name in page.get_actions(request) if name != "delete_selected"] if held else []
    return ", ".join([*held, *(f"*{name}*" for name in actions)]) or "–"


def table(rows: Rows, client: Any) -> str:
    requests = {role: request_of(role, rows.of("A", Operator)) for role in ROLES}
    lines = [BEGIN, f"| rows | of whom | {' | '.join(ROLES)} |", "|---|---|" + "---|" * len(ROLES)]
    for model, page in sorted(admin.site._registry.items(), key=lambda item: item[0]._meta.label):
        cells = [rights(page, request) for request in requests.values()]
        whose = "operator" if model in OWNED else "installation"
        lines.append(f"| {model._meta.label} | {whose} | {' | '.join(cells)} |")
    for name in PAGES:
        cells = []
        for request in requests.values():
            client.force_login(request.user)
            answer = client.get(reverse(name))
            assert has_nothing_of_b(answer), name
            cells.append("view" if answer.status_code == 200 else "–")
        lines.append(f"| `{reverse(name)}` | operator | {' | '.join(cells)} |")
    return "\n".join([*lines, END])


def test_the_table_in_the_documentation_is_current(rows: Rows, client: Any) -> None:
    text = DOCS.read_text()
    before, _, rest = text.partition(BEGIN)
    current = before + table(rows, client) + rest.partition(END)[2]
    if os.environ.get("WRITE_MATRIX"):
        DOCS.write_text(current)
    assert BEGIN in text and DOCS.read_text() == current, "run WRITE_MATRIX=1 make test ARGS=tests/isolation"
