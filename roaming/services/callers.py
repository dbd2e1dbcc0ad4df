"""From the hash of a token to its platform, in one query that may answer something else besides.

Every request of a partner asks this. It is written out because Django takes longer to put it together than the
database to answer it.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from django.db import connection
from django.utils import timezone

from roaming.models import RoamingPlatform

_FIND = """
    WITH caller AS (
        SELECT * FROM roaming_roamingplatform
        WHERE server_token_hash IN (%(first)s, %(second)s)
           OR registration_token_hash IN (%(first)s, %(second)s)
           OR (next_server_token_hash IN (%(first)s, %(second)s) AND next_server_token_until > %(now)s)
           OR (previous_server_token_hash IN (%(first)s, %(second)s) AND previous_server_token_until > %(now)s)
        ORDER BY name
        LIMIT 1
    )
    SELECT {columns} FROM caller
"""


class Besides(NamedTuple):
    """Columns of a query in which `caller` is the platform, and the values of their placeholders."""

    columns: tuple[str, ...] = ()
    values: Mapping[str, Any] = {}


class _Reading(NamedTuple):
    """How a row becomes a RoamingPlatform; `converters` by column, for databases without times and booleans."""

    columns: tuple[str, ...]
    names: tuple[str, ...]
    converters: dict[int, list[tuple[Any, Any]]]


def find(hashes: list[str], besides: Besides) -> tuple[RoamingPlatform | None, tuple[Any, ...]]:
    """`hashes` are one or two: what a header may mean (`decode_tokens`). The second part is what `besides` asks."""
    reading = _reading(connection.vendor)
    sql = _FIND.format(columns=", ".join((*reading.columns, *besides.columns)))
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    with connection.cursor() as cursor:
        cursor.execute(sql, {"first": hashes[0], "second": hashes[-1], "now": now, **besides.values})
        row = cursor.fetchone()
    if row is None:
        return None, ()
    width = len(reading.columns)
    values = list(row[:width])
    for index, converters in reading.converters.items():
        for convert, column in converters:
            values[index] = convert(values[index], column, connection)
    return RoamingPlatform.from_db(connection.alias, reading.names, values), row[width:]


@cache
def _reading(vendor: str) -> _Reading:
    fields = RoamingPlatform._meta.concrete_fields
    converters = {}
    for index, field in enumerate(fields):
        own = [*connection.ops.get_db_converters(field.cached_col), *field.get_db_converters(connection)]
        if own:
            converters[index] = [(convert, field.cached_col) for convert in own]
    columns = tuple(f"caller.{connection.ops.quote_name(str(field.column))}" for field in fields)
    return _Reading(columns, tuple(field.attname for field in fields), converters)
