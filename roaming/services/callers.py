"""From the hash of a token to its platform, in one query that may answer something else besides.

Every request of a partner asks this. It is written out because Django takes longer to put it together than the
database to answer it.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from django.db import connection
from django.utils import timezone

from infrastructure.prepared import prepared_cursor
from roaming.models import RoamingPlatform

_FIND = """
    WITH caller AS (
        SELECT * FROM roaming_roamingplatform
        WHERE server_token_hash IN ({hashes})
           OR registration_token_hash IN ({hashes})
           OR (next_server_token_hash IN ({hashes}) AND next_server_token_until > %(now)s)
           OR (previous_server_token_hash IN ({hashes}) AND previous_server_token_until > %(now)s)
        ORDER BY name
        LIMIT 1
    ){tables}
    SELECT {columns},
        (SELECT count(*) FROM roaming_roamingplatform_profiles WHERE roamingplatform_id = caller.id){besides}
    FROM caller{joined}
"""


class Besides(NamedTuple):
    """Columns and tables of a query in which `caller` is the platform, and the values of their placeholders.

    `joined` are tables of one row. `has_one_plan`: the best plan does not depend on the values.
    """

    columns: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    joined: tuple[str, ...] = ()
    values: Mapping[str, Any] = {}
    has_one_plan: bool = True


class _Reading(NamedTuple):
    """How a row becomes a RoamingPlatform; `converters` by column, for databases without times and booleans."""

    columns: tuple[str, ...]
    names: tuple[str, ...]
    converters: dict[int, list[tuple[Any, Any]]]


class Found(NamedTuple):
    """`parties`: how many of ours the platform knows. `besides`: what else was asked."""

    platform: RoamingPlatform
    parties: int
    besides: tuple[Any, ...]


def find(hashes: list[str], besides: Besides) -> Found | None:
    """`hashes`: of what a header may mean (`decode_tokens`), with each key."""
    reading = _reading(connection.vendor)
    names = {f"hash{number}": hashed for number, hashed in enumerate(hashes)}
    sql = _FIND.format(
        columns=", ".join(reading.columns),
        besides="".join(f", {column}" for column in besides.columns),
        tables="".join(f", {table}" for table in besides.tables),
        joined="".join(f", {table}" for table in besides.joined),
        hashes=", ".join(f"%({name})s" for name in names),
    )
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    with prepared_cursor() if besides.has_one_plan else connection.cursor() as cursor:
        cursor.execute(sql, {**names, "now": now, **besides.values})
        row = cursor.fetchone()
    if row is None:
        return None
    width = len(reading.columns)
    values = list(row[:width])
    for index, converters in reading.converters.items():
        for convert, column in converters:
            values[index] = convert(values[index], column, connection)
    platform = RoamingPlatform.from_db(connection.alias, reading.names, values)
    return Found(platform, row[width], row[width + 1 :])


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
