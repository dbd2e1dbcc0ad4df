"""VAT per rate of many invoices, added up by the database from the rates that stand on each."""

from dataclasses import dataclass
from decimal import Decimal

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import QuerySet

from payments.models import Invoice
from payments.services.book_entries import decimal_of

# One entry of `vat_totals` per line; its amounts are texts, summed as whole ten-thousandths.
_EXPANDED = {
    "postgresql": (
        "jsonb_array_elements(invoices.vat_totals) AS entry(value)",
        "SUM(ROUND((value->>'{0}')::numeric * 10000)::bigint)",
        "value->>'vat'",
    ),
    "sqlite": (
        "json_each(invoices.vat_totals) AS entry",
        "SUM(CAST(ROUND(json_extract(entry.value, '$.{0}') * 10000) AS INTEGER))",
        "json_extract(entry.value, '$.vat')",
    ),
}


@dataclass(frozen=True, slots=True)
class VatRow:
    """`rate` in percent; None: no VAT applies."""

    currency: str
    rate: Decimal | None
    net: Decimal
    vat_amount: Decimal
    gross: Decimal


def vat_sums(invoices: QuerySet[Invoice]) -> list[VatRow]:
    try:
        sql, params = invoices.order_by().values("currency", "vat_totals").query.sql_with_params()
    except EmptyResultSet:
        return []
    source, add, rate = _EXPANDED[connection.vendor]
    sums = ", ".join(add.format(name) for name in ("net", "vat_amount", "gross"))
    with connection.cursor() as cursor:
        # Only names of columns are put together here; all values are parameters.
        cursor.execute(
            f"SELECT invoices.currency, {rate} AS rate, {sums} FROM ({sql}) AS invoices, {source} "
            "GROUP BY 1, 2 ORDER BY 1, 2",
            params,
        )
        rows = cursor.fetchall()
    return _merged(rows)


def _merged(rows: list[tuple[str, str | None, int, int, int]]) -> list[VatRow]:
    """20 and 20.0 are one rate."""
    sums: dict[tuple[str, Decimal | None], list[int]] = {}
    for currency, rate, *amounts in rows:
        key = (currency, None if rate is None else Decimal(str(rate)))
        sums[key] = [old + new for old, new in zip(sums.get(key, [0, 0, 0]), amounts, strict=True)]
    return [
        VatRow(currency, rate, *(decimal_of(amount) for amount in sums[currency, rate]))
        for currency, rate in sorted(sums, key=lambda key: (key[0], -1 if key[1] is None else key[1]))
    ]
