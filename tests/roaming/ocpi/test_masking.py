"""What is kept of a message holds no secret, no driver's identity and no card number."""

import json

import pytest

from roaming.ocpi.masking import mask, plain_text

CARD = "4111111111111111"
UID = "04A1B2C3D4E5F6"


def masked(body, **options) -> str:
    text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
    return mask([text], **options)[0]


@pytest.mark.parametrize("name", ["uid", "contract_id", "visual_number", "group_id", "auth_id"])
def test_of_an_identity_the_last_four_characters_stay(name):
    assert json.loads(masked({"token": {name: UID}})) == {"token": {name: "***E5F6"}}


def test_a_short_identity_is_hidden_altogether():
    assert json.loads(masked({"uid": "1234567"})) == {"uid": "***"}


def test_the_uid_of_an_evse_is_no_identity():
    body = {"evses": [{"uid": "CHARGER-0001-1"}]}
    assert json.loads(masked(body, has_identities=False)) == body


def test_a_credentials_token_is_hidden_altogether():
    body = {"token": "c2VjcmV0LXRva2Vu", "url": "https://ptp.example/versions", "roles": []}
    assert json.loads(masked(body)) == body | {"token": "***"}


@pytest.mark.parametrize(
    "text",
    [
        f'{{"uid": "{UID}',
        f'{{"uid":"{UID}\\',
        f'{{ "UID" :\n"{UID}"}}',
        f'{{"\\u0075id": "{UID}"}}',
        json.dumps({"status_message": f"Bad body: {json.dumps({'uid': UID})}"}),
        f"<p>refused https://ptp.example/tokens?uid={UID}12&limit=5</p>",
    ],
    ids=["cut", "cut in an escape", "spaced", "escaped key", "quoted", "in a URL"],
)
def test_what_is_no_proper_json_is_masked_all_the_same(text):
    assert UID not in masked(plain_text(text.encode()))


def test_an_answer_in_utf_16_is_masked():
    assert UID not in masked(plain_text(json.dumps({"uid": UID}).encode("utf-16")))


def test_what_is_hidden_in_one_text_is_hidden_in_the_others():
    texts = mask([json.dumps({"uid": UID}), f"Unknown token {UID}", f"/tokens/NL/EMS/{UID}"])
    assert not [text for text in texts if UID in text]


def test_numbers_are_hidden_like_texts():
    assert json.loads(masked('{"uid": 123456789, "token": null}')) == {"uid": "***6789", "token": None}


def test_authorization_references_stay_even_where_a_token_has_the_same_value():
    body = {"token": {"uid": CARD}, "authorization_reference": CARD}
    assert json.loads(masked(body)) == {"token": {"uid": "***1111"}, "authorization_reference": CARD}


@pytest.mark.parametrize(
    "line",
    [
        f"PAN {CARD}",
        "4111 1111 1111 1111",
        "Card: 4111-1111-1111-1111 VISA",
        "541333******1111",
        "KARTE 5413 33XX XXXX 1111",
        "Nr. 1234567890121111",
    ],
)
def test_a_receipt_shows_four_digits_of_the_card(line):
    [shown] = json.loads(masked({"eft_data": [line]}))["eft_data"]
    assert shown.endswith(("1111", "1111 VISA"))
    assert sum(character.isdigit() for character in shown) == 4


def test_the_other_lines_of_a_receipt_stay():
    lines = ["Terminal 12345678", "2025-01-31 12:30:15", "EUR 12.50", 'said "thanks" [ok]']
    assert json.loads(masked({"eft_data": lines}))["eft_data"] == lines


@pytest.mark.parametrize("text", [CARD, f"card {CARD}!", "4111 1111 1111 1111", "378282246310005"])
def test_a_card_number_is_found_anywhere(text):
    assert masked({"capture_status_message": text}) != json.dumps({"capture_status_message": text})


@pytest.mark.parametrize(
    "text",
    [
        "4111111111111112",
        "01234567-1234-4234-8234-123456789012",
        "0.4111111111111111",
        "2025-01-31T12:30:15Z",
        "DE*PLG*E123456789012",
    ],
)
def test_other_numbers_stay(text):
    assert json.loads(masked({"remark": text})) == {"remark": text}


def test_the_token_of_the_request_is_hidden_in_whatever_form_it_comes_back():
    assert masked("Invalid token s3cr3t (czNjcjN0)", secrets=["s3cr3t", "czNjcjN0"]) == "Invalid token *** (***)"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://ptp.example/r/7?token=abc", "https://ptp.example/r/7?token=***"),
        ("https://ptp.example/r/7?x=0123456789abcdef", "https://ptp.example/r/7?x=***"),
        ("https://ptp.example/r/7?session=7&limit=5", "https://ptp.example/r/7?session=7&limit=5"),
        ("https://me:secret@ptp.example/r", "https://***@ptp.example/r"),
        ("/ocpi/2.2.1/cdrs?date_from=2025-01-01T00:00:00Z", "/ocpi/2.2.1/cdrs?date_from=2025-01-01T00:00:00Z"),
    ],
)
def test_parameters_that_look_like_secrets_are_hidden(url, expected):
    assert masked(url) == expected
