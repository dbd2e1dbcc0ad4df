"""`manage.py price`: files in, JSON out, one answer per line of a batch."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

pytestmark = pytest.mark.any_database

ROOT = Path(__file__).parents[2]
CASES = Path(__file__).parent / "cases"


def case(name):
    (path,) = CASES.glob(f"{name}_*.json")
    return json.loads(path.read_text())


def line(name, *keys):
    raw = case(name)
    return json.dumps({key: raw[key] for key in ("cdr", "time_zone", *keys)})


@pytest.fixture
def price(tmp_path):
    """Runs the command; a dict or bytes given as an argument becomes a file."""

    def run(**options):
        for name, value in options.items():
            if not isinstance(value, str):
                content = value if isinstance(value, bytes) else json.dumps(value).encode()
                (tmp_path / name).write_bytes(content)
                options[name] = str(tmp_path / name)
        output = io.StringIO()
        call_command("price", stdout=output, **options)
        return output.getvalue()

    return run


def answers(price, *lines):
    content = b"".join(one.encode() + b"\n" for one in lines)
    return [json.loads(one) for one in price(batch=content).splitlines()]


def test_one_cdr_with_its_parts_and_periods(price):
    raw = case("h02")
    report = json.loads(price(tariff=raw["tariff"], cdr=raw["cdr"], time_zone=raw["time_zone"]))
    periods = report.pop("periods")
    assert report == {
        "currency": "EUR",
        "total_cost": {"excl_vat": 4.35, "incl_vat": 5.22},
        "total_fixed_cost": {"excl_vat": 0.5, "incl_vat": 0.6},
        "total_energy_cost": {"excl_vat": 3.25, "incl_vat": 3.9},
        "total_time_cost": {"excl_vat": 0.6, "incl_vat": 0.72},
        "total_parking_cost": {"excl_vat": 0.0, "incl_vat": 0.0},
        "total_reservation_cost": {"excl_vat": 0.0, "incl_vat": 0.0},
    }
    assert [(one["start_date_time"], one["end_date_time"]) for one in periods] == [
        ("2026-02-02T10:30:00Z", "2026-02-02T11:00:00Z"),
        ("2026-02-02T11:00:00Z", "2026-02-02T11:30:00Z"),
    ]
    assert periods[1]["local_start"] == "2026-02-02T12:00:00+01:00"
    assert [(cost["dimension"], cost["excl_vat"]) for one in periods for cost in one["costs"]] == [
        ("FLAT", 0.5),
        ("ENERGY", 2.0),
        ("TIME", 0.6),
        ("ENERGY", 1.25),
        ("TIME", 0.0),
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"time_zone": "Europe/Wien"}, "time_zone: is no IANA time zone: 'Europe/Wien'"),
        ({"cdr": b"[]"}, "cdr: must be an object"),
        ({"cdr": b""}, "cdr: is empty"),
        ({"tariff": b"{"}, "tariff: is no JSON"),
        ({"tariff": {"id": "T", "currency": "EUR", "elements": []}}, "tariff.elements: must hold at least one"),
        ({"cdr": "/nowhere/cdr.json"}, "/nowhere/cdr.json: No such file or directory"),
    ],
)
def test_one_cdr_that_cannot_be_priced_ends_with_the_reason(price, options, message):
    raw = case("h01")
    with pytest.raises(CommandError) as refused:
        price(**{"tariff": raw["tariff"], "cdr": raw["cdr"], "time_zone": "UTC", **options})
    assert str(refused.value).startswith(message)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "--tariff, --cdr, --time-zone: missing"),
        ({"tariff": "t", "cdr": "c"}, "--time-zone: missing"),
        ({"batch": "b", "tariff": "t"}, "Give either --batch, or"),
        ({"batch": "/nowhere"}, "/nowhere: No such file"),
    ],
)
def test_arguments_that_do_not_fit_together(price, options, message):
    with pytest.raises(CommandError, match=message):
        price(**options)


def test_batch_answers_each_line_in_order_and_goes_on_after_errors(price):
    found = answers(price, line("h01", "tariff"), "", "{", "null", line("h01"), line("h14", "tariff"), line("h04"))
    assert [one.get("error") or one["total_cost"]["excl_vat"] for one in found] == [
        8.0,
        "line: is empty",
        "line: is no JSON: Expecting property name enclosed in double quotes: line 2 column 1 (char 2)",
        "line: is missing",
        "tariff: is missing",
        20.0,
        "tariff: is missing",
    ]


def test_batch_line_in_another_encoding_is_refused_alone(price):
    content = line("h01", "tariff").encode() + b"\r\n\xff\xfe{}\n" + b"\xef\xbb\xbf" + line("h01", "tariff").encode()
    found = [json.loads(one) for one in price(batch=content).splitlines()]
    assert [one.get("field") for one in found] == [None, "line", None]


def test_deeply_nested_line_is_refused(price):
    (found,) = answers(price, "[" * 100_000)
    assert found["field"] == "line"


def test_details_are_priced_and_their_elements_printed(price):
    names = sorted(path.name.split("_")[0] for path in CASES.glob("h*.json"))
    for name, found in zip(names, answers(price, *(line(name, "details") for name in names)), strict=True):
        raw = case(name)
        assert found["elements"] == raw["tariff"]["elements"]
        if name != "h14":  # its maximum price belongs to the tariff, see below
            assert found["total_cost"] == raw["expected"]


def test_standard_input_is_answered_line_by_line():
    command = [sys.executable, "manage.py", "price", "--batch", "-"]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
    with process:
        for _ in range(2):
            process.stdin.write(line("h01", "tariff") + "\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["total_cost"] == {"excl_vat": 8.0, "incl_vat": 9.6}
        process.stdin.close()
        assert process.stdout.read() == ""
    assert process.returncode == 0


def test_reader_that_stops_early_ends_the_batch_quietly(tmp_path):
    (tmp_path / "batch").write_text((line("h01", "tariff") + "\n") * 500)
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "manage.py", "price", "--batch", tmp_path / "batch"]
    process = subprocess.run(command, cwd=ROOT, stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert (process.returncode, process.stderr) == (0, "")
