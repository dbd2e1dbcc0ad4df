"""Lists as files: what goes out can come back, all rows or none, and only into what is one's own."""

from io import BytesIO
from zipfile import ZIP_DEFLATED, ZipFile

import openpyxl
import pytest
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from infrastructure.exchange import formats
from infrastructure.models import EVSE, Charger, Connector, Location
from tests.infrastructure.factories import (
    ChargerFactory,
    ConnectorFactory,
    LocationFactory,
    OperatorFactory,
    events,
    make_staff,
    make_superuser,
)

pytestmark = pytest.mark.django_db

CONNECTORS = "charger,EVSE,connector,EVSE id,roaming id,standard,format,power type,voltage (V),current (A),power (W)\n"


@pytest.fixture
def root(client, fresh_cache):
    client.force_login(make_superuser())
    return client


def address(model, page, *args):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def upload(client, model, text, name="file.csv"):
    content = text if isinstance(text, bytes) else text.encode()
    return client.post(address(model, "import"), {"import_file": SimpleUploadedFile(name, content), "resource": "0"})


def confirm(client, model, preview):
    form = preview.context["confirm_form"]
    return client.post(address(model, "process_import"), form.initial, follow=True)


def run(client, model, text, name="file.csv"):
    """Uploads and confirms; the preview must have found nothing wrong."""
    preview = upload(client, model, text, name)
    assert preview.context["problems"] == [], preview.context["problems"]
    return confirm(client, model, preview)


def problems(response):
    return [(problem.row, problem.column) for problem in response.context["problems"]]


def said(response):
    return " ".join(problem.text for problem in response.context["problems"])


def exported(client, model, query=""):
    response = client.get(address(model, "export", "csv") + query)
    assert response.status_code == 200
    return formats.CSVFile().create_dataset(response.content)


def bomb() -> bytes:
    """60 MB of nothing in a file of 60 kB."""
    content = BytesIO()
    with ZipFile(content, "w", ZIP_DEFLATED) as archive:
        archive.writestr("xl/sharedStrings.xml", b"\0" * 60_000_000)
    return content.getvalue()


def test_rows_are_read_no_wider_than_files_of_ours():
    book = openpyxl.Workbook()
    book.active.append(["name"])
    book.active.cell(2, 1, "Vienna")
    book.active.cell(2, 16_384, "as wide as a sheet may be")
    content = BytesIO()
    book.save(content)
    sizes = []
    kept = formats._text

    def counted(value):
        sizes.append(value)
        return kept(value)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(formats, "_text", counted)
        data = formats.XLSXFile().create_dataset(content.getvalue())
    assert (data.headers, data[0]) == (["name"], ("Vienna",))
    assert len(sizes) <= 2 * formats.MOST_COLUMNS


class TestPreview:
    def test_nothing_is_written_before_the_confirmation(self, root):
        area = LocationFactory(name="Garage")
        events()
        preview = upload(root, Charger, "identity,area\nCP-1,Garage\n")
        assert "1 new" in preview.content.decode()
        assert not Charger.objects.exists()
        assert events() == []
        confirm(root, Charger, preview)
        assert Charger.objects.get().location == area

    def test_what_changes_is_marked(self, root):
        ChargerFactory(identity="CP-1", name="left", location__name="Garage")
        page = upload(root, Charger, "identity,name\nCP-1,right\n").content.decode()
        assert "<ins" in page
        assert "1 changed" in page

    def test_a_row_that_changes_nothing_is_left_alone(self, root):
        ChargerFactory(identity="CP-1", name="left")
        events()
        run(root, Charger, "identity,name\nCP-1,left\n")
        assert events() == []

    def test_one_wrong_row_keeps_all_out_and_is_named_as_the_spreadsheet_counts(self, root):
        LocationFactory(name="Garage")
        response = upload(root, Charger, "identity,area\nCP-1,Garage\nCP-2,Nowhere\nCP 3,Garage\n")
        assert problems(response) == [(3, "area"), (4, "identity")]
        assert "You have no area “Nowhere”" in said(response)
        assert "confirm_form" not in response.context
        assert not Charger.objects.exists()

    def test_what_became_wrong_since_the_preview_imports_nothing(self, root):
        LocationFactory(name="Garage")
        preview = upload(root, Charger, "identity,area\nCP-1,Garage\nCP-2,Garage\n")
        Location.objects.update(name="Renamed")
        page = confirm(root, Charger, preview).content.decode()
        assert "Nothing was imported" in page
        assert not Charger.objects.exists()

    def test_a_file_is_imported_once(self, root):
        LocationFactory(name="Garage")
        preview = upload(root, Charger, "identity,area\nCP-1,Garage\n")
        confirm(root, Charger, preview)
        assert "has waited too long" in confirm(root, Charger, preview).content.decode()

    @pytest.mark.parametrize(
        ("content", "name", "words"),
        [
            (b"identity,area\n", "file.ods", "Choose a .csv or an .xlsx file."),
            (b"no zip", "file.xlsx", "This is no Excel workbook."),
            (b"PK\x03\x04\x00\x00", "file.csv", "This is no CSV file."),
            (b"\n", "file.csv", "The file is empty."),
            (b"identity,area\nCP-1,Garage,left,over\n", "file.csv", "Row 2 has more cells than"),
            (b"identity\n" + b"CP\n" * 2001, "file.csv", "more than 2000 rows"),
            (bomb(), "file.xlsx", "too large when unpacked"),
        ],
    )
    def test_a_file_that_cannot_be_read_is_refused_in_words(self, root, content, name, words):
        assert words in upload(root, Charger, content, name).content.decode()

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("identity,colour\nCP-1,red\n", "Unknown columns: colour. Known are: identity, area"),
            ("area,name\nGarage,left\n", "Columns that are missing: identity."),
            ("identity,identity\nCP-1,CP-1\n", "Columns that are there twice: identity."),
            ("identity,area\nCP-1,Garage\n,\nCP-2,Garage\n", "This row is empty. Delete it."),
            ("identity,area\nCP-1,Garage\nCP-1,Garage\n", "The same as row 2."),
        ],
    )
    def test_columns_and_rows_that_cannot_be_told_apart_are_refused(self, root, text, words):
        LocationFactory(name="Garage")
        assert words in said(upload(root, Charger, text))
        assert not Charger.objects.exists()

    def test_a_spreadsheet_of_windows_with_semicolons_is_read(self, root):
        LocationFactory(name="Gründ")
        run(root, Charger, "Identity;Area;Name\r\nCP-1;Gründ;Über\r\n".encode("cp1252"))
        assert Charger.objects.get().name == "Über"

    def test_a_workbook_is_read_with_its_numbers(self, root):
        LocationFactory(name="Garage")
        book = openpyxl.Workbook()
        for row in (["identity", "area", "roaming enabled"], [1001, "Garage", True]):
            book.active.append(row)
        content = BytesIO()
        book.save(content)
        run(root, Charger, content.getvalue(), "file.xlsx")
        charger = Charger.objects.get()
        assert (charger.identity, charger.roaming) == ("1001", True)


class TestThroughTheServices:
    def test_each_area_is_told_once_however_many_rows_it_has(self, root):
        charger = ChargerFactory(identity="CP-1")
        events()
        rows = "".join(f"CP-1,{number},1,,1,,,,,,\n" for number in range(1, 6))
        run(root, Connector, CONNECTORS + rows)
        assert Connector.objects.count() == 5
        assert events() == [("location", charger.location.pk)]

    def test_the_pages_checks_hold(self, root):
        charger = ChargerFactory(identity="CP-1", roaming_id="CH-1", first_exposed_at="2026-01-01T00:00Z")
        response = upload(root, Charger, "identity,roaming id\nCP-1,CH-2\n")
        assert problems(response) == [(2, "roaming id")]
        assert "Partners know this charger as CH-1" in said(response)
        charger.refresh_from_db()
        assert charger.roaming_id == "CH-1"

    def test_watts_that_no_connector_has_are_refused(self, root):
        ChargerFactory(identity="CP-1")
        rows = "CP-1,1,1,,1,,,,,,22000000\nCP-1,2,1,,1,,,,,,22\n"
        response = upload(root, Connector, CONNECTORS + rows)
        assert problems(response) == [(2, "power (W)"), (3, "power (W)")]
        assert "22000000 is more than 5000000. Give watts, for example 22000." in said(response)

    def test_a_connector_brings_its_evse_and_keeps_what_the_file_does_not_say(self, root):
        ChargerFactory(identity="CP-1")
        run(root, Connector, CONNECTORS + "CP-1,1,1,AT*PLG*E1*1,1,IEC_62196_T2,,,400,,\nCP-1,1,2,,2,,,,,,\n")
        first, second = Connector.objects.order_by("number")
        assert first.evse == second.evse
        assert (first.evse.evse_id, first.max_voltage, second.max_voltage) == ("AT*PLG*E1*1", 400, 230)
        run(root, Connector, "charger,EVSE,connector,current (A)\nCP-1,1,1,16\n")
        first.refresh_from_db()
        assert (first.max_amperage, first.max_voltage, first.evse.evse_id) == (16, 400, "AT*PLG*E1*1")

    def test_rows_that_say_different_things_of_one_evse_are_refused(self, root):
        ChargerFactory(identity="CP-1")
        response = upload(root, Connector, CONNECTORS + "CP-1,1,1,AT*PLG*E1,1,,,,,,\nCP-1,1,2,AT*PLG*E2,2,,,,,,\n")
        assert problems(response) == [(3, "EVSE id")]
        assert "Row 2 says “AT*PLG*E1” of the same" in said(response)
        assert not EVSE.objects.exists()

    def test_text_where_a_number_belongs_is_said_at_the_column(self, root):
        ChargerFactory(identity="CP-1")
        rows = "CP-1,one,1,,,,,,,,\nCP-1,2,1,,,round,,,230V,,\n"
        assert problems(upload(root, Connector, CONNECTORS + rows)) == [
            (2, "EVSE"),
            (3, "standard"),
            (3, "voltage (V)"),
        ]


class TestScope:
    @pytest.fixture
    def mine(self, client, fresh_cache):
        mine = OperatorFactory(name="Mine")
        client.force_login(make_staff("ada", mine))
        return mine

    def test_nothing_is_imported_into_another_operator(self, client, mine):
        other = LocationFactory(name="Theirs", roaming_id="THEIRS")
        ChargerFactory(identity="CP-9", location=other, name="as it was")
        refused = {
            Location: f"area,operator,address,city,latitude,longitude\nNew,{other.operator.name},Ring 1,Wien,48,16\n",
            Charger: "identity,area\nCP-1,THEIRS\n",
            Connector: CONNECTORS + "CP-9,1,1,,1,,,,,,\n",
        }
        for model, text in refused.items():
            assert "You have no" in said(upload(client, model, text))
        assert "already exists" in said(upload(client, Charger, "identity,name,area\nCP-9,taken,\n"))
        assert Charger.objects.get().name == "as it was"
        assert Location.objects.count() == 1

    def test_an_area_of_another_operator_with_this_roaming_id_is_not_touched(self, client, mine):
        other = LocationFactory(name="Theirs", roaming_id="THEIRS", city="Linz")
        response = upload(
            client, Location, "area,roaming id,address,city,latitude,longitude\nTheirs,THEIRS,Ring 1,Wien,48,16\n"
        )
        assert problems(response)
        other.refresh_from_db()
        assert other.city == "Linz"

    def test_who_has_one_operator_needs_not_name_it(self, client, mine):
        run(client, Location, "area,address,city,latitude,longitude\nGarage,Ring 1,Wien,48.2,16.3\n")
        assert Location.objects.get().operator == mine

    def test_the_export_holds_ones_own_rows_as_the_list_is_filtered(self, client, mine):
        ChargerFactory(identity="CP-1", location=LocationFactory(operator=mine), roaming=True)
        ChargerFactory(identity="CP-2", location=LocationFactory(operator=mine), roaming=False)
        ChargerFactory(identity="CP-9")
        assert exported(client, Charger)["identity"] == ["CP-1", "CP-2"]
        assert exported(client, Charger, "?roaming__exact=1")["identity"] == ["CP-1"]
        assert exported(client, Charger, "?q=CP-2")["identity"] == ["CP-2"]

    def test_who_may_not_change_may_not_import(self, client, mine):
        user = make_staff("eve", mine)
        user.user_permissions.set(Permission.objects.filter(codename="view_charger"))
        client.force_login(user)
        assert client.get(address(Charger, "export", "csv")).status_code == 200
        assert client.get(address(Charger, "import")).status_code == 403
        assert client.get(address(Charger, "import_example", "csv")).status_code == 403
        assert client.post(address(Charger, "process_import"), {}).status_code == 403
        assert client.get(address(Location, "export", "csv")).status_code == 403


class TestRoundTrip:
    def test_what_was_exported_comes_back_as_it_is(self, root):
        connector = ConnectorFactory(max_electric_power=22000)
        location = connector.evse.charger.location
        location.facilities = ["HOTEL", "WIFI"]
        location.save()
        for model in (Location, Charger, Connector):
            for kind in ("csv", "xlsx"):
                content = root.get(address(model, "export", kind)).content
                preview = upload(root, model, content, f"file.{kind}")
                assert preview.context["problems"] == []
                assert preview.context["result"].totals["skip"] == 1

    @pytest.mark.parametrize("kind", ["csv", "xlsx"])
    def test_the_examples_are_files_that_can_be_imported_one_after_the_other(self, root, kind):
        OperatorFactory()
        for model in (Location, Charger, Connector):
            run(root, model, root.get(address(model, "import_example", kind)).content, f"example.{kind}")
        assert Connector.objects.filter(evse__charger__location__name="Vienna HQ").count() == 2

    @pytest.mark.parametrize("text", ["=1+1", "+43", "-2", "@SUM(A1)", "\t=1", "=cmd|'/c calc'!A0", "＝1+1"])
    def test_no_text_becomes_a_formula(self, root, text):
        ChargerFactory(identity="CP-1", name=text)
        cells = root.get(address(Charger, "export", "csv")).content.decode("utf-8-sig").splitlines()[1].split(",")
        assert f"'{text}" in [cell.strip('"') for cell in cells]
        book = openpyxl.load_workbook(BytesIO(root.get(address(Charger, "export", "xlsx")).content))
        cell = book.active["C2"]
        assert (cell.value, cell.data_type) == (text, "s")

    def test_names_that_several_areas_have_give_way_to_ids(self, root):
        for roaming_id in ("A-1", "A-2"):
            ChargerFactory(location=LocationFactory(name="Same", roaming_id=roaming_id))
        assert exported(root, Charger)["area"] == ["A-1", "A-2"]
        assert "Several areas are named “Same”" in said(upload(root, Charger, "identity,area\nCP-X,Same\n"))


def test_what_is_wrong_with_a_cell_is_said_with_what_belongs_there(root):
    LocationFactory(name="City")
    empty = said(upload(root, Charger, "identity,name\nNEW-1,Left\n"))
    assert "This cell must not be empty. Its name or its roaming id." in empty
    unit = said(upload(root, Location, "area,latitude,longitude\nCity,48.2 N,16.3\n"))
    assert "Write it without unit" in unit
    wide = upload(root, Location, "area,latitude,longitude\nCity,48,2,16,3\n")
    assert "hold a comma in quotes" in wide.content.decode()
