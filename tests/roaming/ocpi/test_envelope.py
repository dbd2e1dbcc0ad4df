import pytest

from roaming.ocpi import errors
from roaming.ocpi.envelope import Envelope, failure, read, success
from roaming.ocpi.types import parse_datetime


def test_success_carries_data_only_where_there_is_some() -> None:
    assert "data" not in success()
    assert success([])["data"] == []
    assert success(None)["data"] is None
    body = success({"a": 1}, 1900)
    assert (body["status_code"], body["data"]) == (1900, {"a": 1})
    assert str(body["timestamp"]).endswith("Z") and parse_datetime(str(body["timestamp"]))


def test_failure_carries_code_message_and_the_data_of_the_error() -> None:
    body = failure(errors.UnknownLocation("No such location", data={"result": "REJECTED"}))
    assert body["status_code"] == 2003
    assert body["status_message"] == "No such location"
    assert body["data"] == {"result": "REJECTED"}
    assert "data" not in failure(errors.NotFound("gone"))


@pytest.mark.parametrize(
    ("kind", "status_code", "http_status"),
    [
        (errors.GenericClientError, 2000, 200),
        (errors.InvalidParameters, 2001, 200),
        (errors.NotEnoughInformation, 2002, 200),
        (errors.UnknownLocation, 2003, 200),
        (errors.UnknownToken, 2004, 404),
        (errors.Unauthorized, 2001, 401),
        (errors.InvalidJson, 2001, 400),
        (errors.NotFound, 2000, 404),
        (errors.MethodNotAllowed, 2000, 405),
        (errors.ServerError, 3000, 500),
        (errors.UnableToUseApi, 3001, 200),
        (errors.UnsupportedVersion, 3002, 200),
        (errors.NoMatchingEndpoints, 3003, 200),
    ],
)
def test_every_outcome_has_its_codes(kind: type[errors.OcpiError], status_code: int, http_status: int) -> None:
    assert (kind.status_code, kind.http_status) == (status_code, http_status)


def test_an_envelope_is_read_leniently() -> None:
    assert read(b'{"status_code": 1000, "data": [1]}') == Envelope(1000, "", [1])
    assert read('{"status_code": "2001", "status_message": "no", "extra": 1}') == Envelope(2001, "no", None)
    assert read(b'\xef\xbb\xbf{"status_code": 1000}').status_code == 1000


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b'"OK"',
        b"{}",
        b'{"status_code": true}',
        b'{"status_code": 200}',
        b'{"status_code": 1000.5}',
        b'{"status_code": 1000, "data": NaN}',
        b'{"status_code": null}',
        b"\xff\xfe\x00",
        b"[" * 200_000,
    ],
)
def test_what_is_no_envelope_is_garbage(body: bytes) -> None:
    with pytest.raises(errors.PeerGarbage) as caught:
        read(body)
    assert not caught.value.permanent
