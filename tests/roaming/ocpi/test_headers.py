import base64

import pytest

from roaming.ocpi.headers import Routing, decode_tokens, encode_token, new_id


def test_a_token_is_sent_in_base64_with_padding_and_without_newline() -> None:
    assert encode_token("example-token") == "ZXhhbXBsZS10b2tlbg=="


@pytest.mark.parametrize(
    "header",
    [
        "Token ZXhhbXBsZS10b2tlbg==",
        "Token ZXhhbXBsZS10b2tlbgo=",  # as printed in the specification: with a newline inside
        "Token ZXhhbXBsZS10b2tlbg0K",
        "Token ZXhhbXBsZS10b2tlbg",
        "token   ZXhhbXBsZS10b2tlbg== ",
    ],
)
def test_the_decoded_token_is_the_first_candidate(header: str) -> None:
    assert decode_tokens(header)[0] == "example-token"


def test_the_raw_value_is_the_second_candidate() -> None:
    assert decode_tokens("Token ZXhhbXBsZS10b2tlbg==") == ["example-token", "ZXhhbXBsZS10b2tlbg=="]


def test_a_raw_token_that_is_no_base64_is_the_only_candidate() -> None:
    assert decode_tokens("Token my-raw_token!") == ["my-raw_token!"]


def test_a_raw_token_that_decodes_to_bytes_nobody_can_type_stays_the_only_candidate() -> None:
    raw = base64.b64encode(b"\x00\xff\x10binary").decode()
    assert decode_tokens(f"Token {raw}") == [raw]


@pytest.mark.parametrize("header", [None, "", "Token", "Token ", "Basic ZXhhbXBsZQ==", "Bearer x", "ZXhhbXBsZQ=="])
def test_no_token_gives_no_candidate(header: str | None) -> None:
    assert decode_tokens(header) == []


def test_routing_is_read_in_any_case_and_written_back_swapped() -> None:
    routing = Routing.from_headers(
        {
            "ocpi-FROM-country-code": "BE",
            "OCPI-from-party-id": " PTP ",
            "Ocpi-To-Country-Code": "NL",
            "OCPI-to-party-id": "CPO",
        }
    )
    assert routing == Routing("BE", "PTP", "NL", "CPO")
    assert routing.swapped().to_headers() == {
        "OCPI-from-country-code": "NL",
        "OCPI-from-party-id": "CPO",
        "OCPI-to-country-code": "BE",
        "OCPI-to-party-id": "PTP",
    }


def test_absent_routing_stays_absent() -> None:
    routing = Routing.from_headers({"OCPI-from-country-code": "BE", "OCPI-from-party-id": "PTP"})
    assert routing.to_party == ""
    assert set(routing.to_headers()) == {"OCPI-from-country-code", "OCPI-from-party-id"}


def test_ids_are_unique() -> None:
    assert new_id() != new_id()
