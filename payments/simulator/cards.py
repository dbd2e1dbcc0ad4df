"""Cards drivers hold against the terminals, and the lines the terminal prints about them (EFT data)."""

import secrets
from datetime import datetime
from decimal import Decimal
from typing import Any

# Scheme, application identifier of the chip, first digits of the card number.
SCHEMES = (
    ("Visa", "A0000000031010", "4"),
    ("Mastercard", "A0000000041010", "5"),
    ("Maestro", "A0000000043060", "6"),
    ("V PAY", "A0000000032020", "4"),
)


def draw_card(scheme: str | None = None) -> dict[str, str]:
    """A card of the named scheme, or of any."""
    named = [known for known in SCHEMES if scheme and known[0].lower() == scheme.lower()]
    name, application, first = named[0] if named else secrets.choice(SCHEMES)
    last = f"{secrets.randbelow(10_000):04}"
    return {
        "scheme": name,
        "application_id": application,
        "masked_number": f"{first}*** **** **** {last}",
        "sequence": "00",
        "authorisation_code": f"{secrets.randbelow(1_000_000):06}",
        "cryptogram": secrets.token_hex(8).upper(),
    }


def eft_lines(hold: dict[str, Any], amount: Decimal) -> list[str]:
    """What goes on the receipt, line by line."""
    card = hold["card"]
    local = datetime.now().astimezone()
    return [
        card["scheme"],
        f"AID: {card['application_id']}",
        f"Crypto: {card['cryptogram']}",
        f"Nr: {card['masked_number']}",
        f"SEQ: {card['sequence']}",
        f"Terminal: {hold['terminal_id']}",
        f"Trace: {hold['trace']}",
        f"Auth code: {card['authorisation_code']}",
        f"Date: {local:%Y-%m-%d %H:%M:%S}",
        f"Amount: {hold['currency']} {amount:.2f}",
    ]
