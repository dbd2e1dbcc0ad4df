"""Who of the staff changed what from what to what; programs leave no trace, secrets none at all."""

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from chargers.models import ApiToken, IdToken
from infrastructure.choices import EVSEStatus
from infrastructure.models import Act, Charger
from infrastructure.services import audit, masterdata, status
from tests.api.caller import make_caller
from tests.infrastructure.factories import (
    ChargerFactory,
    ConnectorFactory,
    LocationFactory,
    OperatorFactory,
    make_staff,
    make_superuser,
)
from tests.infrastructure.test_admin import submit, url
from tests.roaming.factories import PlatformFactory, ProfileFactory
from tests.tariffs.factories import SettingsFactory, TariffFactory

pytestmark = pytest.mark.django_db
SECRET_WORDS = ("password", "hash", "encrypted", "secret", "key_start")


@pytest.fixture
def root(client):
    client.force_login(make_superuser())
    return client


def with_role(role, operator):
    user = make_staff("one", operator)
    user.user_permissions.clear()
    user.groups.add(Group.objects.get(name=role))
    return user


def lines(obj=None):
    request = RequestFactory().get("/")
    request.user = User.objects.get(is_superuser=True)
    found = audit.trail(request) if obj is None else audit.trail_of(obj, (), request.user)
    return [audit.Line(*row) for row in found]


def test_an_edit_names_the_person_and_both_values(root):
    location = LocationFactory(city="Wien")
    assert submit(root, url(location), city="Graz").status_code == 302
    (line,) = lines(location)
    assert (line.actor, line.kind, line.changes) == ("root", "~", [["city", "Wien", "Graz"]])
    assert location.history.get().city == "Graz"


def test_a_page_saved_as_it_was_is_no_change(root):
    location = LocationFactory()
    assert submit(root, url(location)).status_code == 302
    assert lines() == []


def test_what_is_added_and_deleted_is_told(root):
    operator = OperatorFactory(name="Gone Ltd")
    root.post(url(operator, "delete"), {"post": "yes"})
    (line,) = lines()
    assert (line.kind, line.object_text) == ("-", "Gone Ltd")
    assert ["name", "Gone Ltd", ""] in line.changes


def test_the_history_of_a_page_holds_the_rows_edited_on_it(root):
    connector = ConnectorFactory(max_amperage=32)
    submit(root, url(connector.evse), **{"connectors-0-max_amperage": "16"})
    page = root.get(url(connector.evse, "change").replace("/change/", "/history/"))
    assert [one["line"].changes for one in page.context["lines"]] == [[["max amperage", "32", "16"]]]


def test_who_may_see_what_is_told_with_its_names(root):
    user, operator = make_staff(), OperatorFactory(name="Acme")
    address = reverse("admin:auth_user_change", args=[user.pk])
    data = {"operator_memberships-0-operator": operator.pk, "operator_memberships-TOTAL_FORMS": "1"}
    group = Group.objects.get(name="Viewer")
    submit(root, address, **data, groups=[group.pk], is_staff="on")
    told = [change for line in lines() for change in line.changes]
    assert ["groups", "", "Viewer"] in told
    assert ["operator", "", "Acme"] in told


def test_a_program_leaves_no_history(django_assert_num_queries):
    location = LocationFactory()
    with CaptureQueriesContext(connection) as queries:
        location.save(update_fields=["city"])
    assert len(queries) == 1
    masterdata.save(location)
    assert not location.history.exists()


def test_a_status_change_writes_no_history_even_when_staff_cause_it(root):
    evse = ConnectorFactory().evse
    status.set_evse_status(evse.pk, EVSEStatus.CHARGING)
    submit(root, url(evse))
    assert lines() == []


def test_no_history_has_a_secret():
    for table in audit.histories().values():
        names = [field.name for field in table._meta.get_fields()]
        assert not [name for name in names for word in SECRET_WORDS if word in name], table


def test_a_new_password_is_on_record_without_a_trace_of_it(root):
    user = make_staff()
    address = reverse("admin:auth_user_password_change", args=[user.pk])
    root.post(address, {"password1": "correct-horse-9", "password2": "correct-horse-9", "usable_password": "true"})
    (line,) = lines()
    assert (line.actor, line.label, line.object_text) == ("root", "auth.user", user.username)
    assert "horse" not in str(line) and "pbkdf2" not in str(line)


@pytest.mark.parametrize("verb", ["register", "update", "invalidate", "generate-token"])
def test_credentials_actions_are_on_record_with_person_and_outcome(root, verb):
    platform = PlatformFactory(url="")
    page = root.post(url(platform).replace("/change/", f"/{verb}/"))
    (act,) = Act.objects.all()
    assert (act.actor, act.model, act.object_id) == ("root", "roaming.roamingplatform", str(platform.pk))
    assert act.what.lower().startswith(verb.split("-")[0]) and act.outcome
    token = page.context.get("token")
    assert not token or token not in act.outcome


def test_a_refused_act_is_on_record_and_tells_nothing_of_foreign_rows(client):
    platform = PlatformFactory(name="Foreign")
    client.force_login(with_role("Administrator", OperatorFactory()))
    assert client.post(url(platform).replace("/change/", "/invalidate/")).status_code >= 400
    act = Act.objects.get()
    assert "Foreign" not in act.object_text and "HTTP 404" in act.outcome


def test_the_answer_of_an_act_is_on_record_and_still_shown(root):
    token = IdToken.objects.create(operator=OperatorFactory(), id_tag="TAG")
    data = {"action": "delete_selected", "_selected_action": [token.pk], "post": "yes"}
    page = root.post(url(IdToken, "changelist"), data, follow=True)
    act = Act.objects.get()
    assert (act.object_text, act.what) == ("TAG", "Delete selected")
    assert act.outcome in [str(message) for message in page.context["messages"]]


@pytest.mark.parametrize("pk", ["9" * 23, "a\0b", "x", "", "-1"])
def test_what_cannot_be_a_row_is_not_looked_for(root, pk):
    token = IdToken.objects.create(operator=OperatorFactory(), id_tag="TAG")
    data = {"action": "delete_selected", "_selected_action": [pk], "post": "yes"}
    assert root.post(url(IdToken, "changelist"), data).status_code == 200
    assert IdToken.objects.exists() and not Act.objects.exists()
    assert root.post(url(IdToken, "changelist"), data | {"_selected_action": [pk, token.pk]}).status_code == 302
    assert not IdToken.objects.exists() and Act.objects.get().object_id == str(token.pk)


def test_what_cannot_be_an_action_or_a_row_of_a_button_is_refused(root):
    token = IdToken.objects.create(operator=OperatorFactory(), id_tag="TAG")
    page = root.post(url(IdToken, "changelist"), {"action": "a\0b", "_selected_action": [token.pk]})
    assert page.status_code == 302 and not Act.objects.exists()
    for pk in ("9" * 23, "a%00b"):
        address = url(PlatformFactory()).rsplit("/", 3)[0]
        assert root.post(f"{address}/{pk}/invalidate/").status_code in (302, 400, 404)


def test_looking_is_no_act(root):
    platform = PlatformFactory()
    root.get(url(platform).replace("/change/", "/invalidate/"))
    assert not Act.objects.exists()


def test_an_api_token_is_named_for_what_it_changes():
    token = IdToken.objects.create(operator=OperatorFactory(), id_tag="TAG")
    answer = make_caller(token.operator).send("patch", f"id-tokens/{token.pk}", {"note": "Van"})
    assert answer.status_code == 200
    row = token.history.get()
    assert row.actor.startswith("API token") and row.history_user is None


def test_the_audit_trail_is_filtered_by_person_kind_and_day(root):
    submit(root, url(LocationFactory()), city="Graz")
    submit(root, url(OperatorFactory()), name="Night Ltd")
    address = reverse("admin:infrastructure_act_changelist")

    def found(**query):
        return len(root.get(address, query).context["lines"])

    assert found() == 2
    assert found(model="infrastructure.location") == 1
    assert found(person="nobody") == 0
    assert found(person="root", end="2020-01-01") == 0
    assert found(person="ROOT", start="2020-01-01") == 2


@pytest.mark.parametrize("query", [{"end": "9999-12-31"}, {"start": "0001-01-01"}])
def test_a_day_at_the_end_of_the_calendar_is_refused_in_words(root, query):
    page = root.get(reverse("admin:infrastructure_act_changelist"), query)
    assert page.status_code == 200 and not page.context["form"].is_valid()
    assert root.get(reverse("admin:infrastructure_act_csv"), query).status_code == 400


def test_the_file_holds_no_formula(root):
    submit(root, url(LocationFactory()), city='=HYPERLINK("x")')
    text = root.get(reverse("admin:infrastructure_act_csv")).getvalue().decode()
    assert "'=HYPERLINK" in text and ",=HYPERLINK" not in text


def test_administrators_read_of_their_operators_only(client, root):
    mine, other = LocationFactory(), LocationFactory()
    submit(root, url(mine), city="Graz")
    submit(root, url(other), city="Linz")
    staff = with_role("Administrator", mine.operator)
    client.force_login(staff)
    page = client.get(reverse("admin:infrastructure_act_changelist"))
    assert [one["line"].object_id for one in page.context["lines"]] == [str(mine.pk)]


def trail_as(client, user):
    client.force_login(user)
    return client.get(reverse("admin:infrastructure_act_changelist")).context["lines"]


def history_as(client, user, obj):
    client.force_login(user)
    return client.get(url(obj).replace("/change/", "/history/")).context["lines"]


def test_of_what_operators_share_each_reads_the_fields_and_all_together_the_lists_and_buttons(client, root):
    ours, theirs = OperatorFactory(), OperatorFactory()
    profiles = [ProfileFactory(name=name, operators=[one]) for name, one in (("Ours", ours), ("Theirs", theirs))]
    platform = PlatformFactory(url="", profiles=profiles[:1])
    submit(root, url(platform), profiles=[one.pk for one in profiles], country="AUT")
    root.post(url(platform).replace("/change/", "/invalidate/"))
    partial, whole = make_staff("partial", ours), make_staff("whole", ours, theirs)
    for found in (trail_as(client, partial), history_as(client, partial, platform)):
        assert [one["changes"] for one in found] == [[("country", "NLD", "AUT")]]
    for found in (trail_as(client, whole), history_as(client, whole, platform)):
        assert len(found) == 3 and "Theirs" in str(found)


def test_of_a_key_to_several_operators_only_who_works_for_all_reads(client, root):
    ours, theirs = OperatorFactory(), OperatorFactory()
    token = ApiToken.objects.create(name="Fleet", scopes=[])
    token.operators.set([ours, theirs])
    submit(root, url(token), name="Fleet 2", operators=[ours.pk, theirs.pk])
    assert len(trail_as(client, make_staff("partial", ours))) == 0
    assert len(trail_as(client, make_staff("whole", ours, theirs))) == 1


def test_settings_are_read_of_where_their_page_shows_them(client, root):
    mine, other, tariff = OperatorFactory(), OperatorFactory(), TariffFactory()
    for operator in (mine, other):
        submit(root, url(SettingsFactory(operator=operator)), tariffs=[tariff.pk])
    submit(root, url(SettingsFactory(site=mine.site)), tariffs=[tariff.pk])
    (line,) = trail_as(client, make_staff("ada", mine))
    assert mine.name in line["line"].object_text


def test_what_is_deleted_is_still_read_by_who_works_for_its_operator(client, root):
    mine, other = OperatorFactory(), OperatorFactory()
    for operator in (mine, other):
        charger = ChargerFactory(location__operator=operator)
        submit(root, url(charger), name="Renamed")
        root.post(url(charger, "delete"), {"post": "yes"})
        assert not type(charger).objects.filter(pk=charger.pk).exists()
    found = trail_as(client, make_staff("ada", mine))
    ours = mine.locations.get()
    assert [one["line"].kind for one in found] == ["-", "~"]
    assert {one["line"].object_id for one in found} == {str(row.id) for row in Charger.history.filter(location=ours)}


@pytest.mark.parametrize("role", ["Viewer", "Dispatcher", "Tariff manager", "Finance"])
def test_others_do_not_read_the_audit_trail(client, role):
    client.force_login(with_role(role, OperatorFactory()))
    assert client.get(reverse("admin:infrastructure_act_changelist")).status_code == 403
    assert client.get(reverse("admin:infrastructure_act_csv")).status_code == 403


def test_who_was_deleted_is_still_named(root):
    location = LocationFactory()
    submit(root, url(location), city="Graz")
    User.objects.filter(username="root").delete()
    assert location.history.get().actor == "root"
