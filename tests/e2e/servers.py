"""Throw-away data on the PostgreSQL and Redis servers that DATABASE_URL and REDIS_URL name."""

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

import redis

from tests import migrated

CLAIM = "plugtill-e2e-owner"


@contextmanager
def own_servers(database_url: str, redis_url: str, *, empty: bool) -> Iterator[dict[str, str]]:
    """Environment variables of a fresh database (`empty`: not even migrated) and an empty Redis database, removed
    afterwards."""
    with ExitStack() as stack:
        yield {
            "DATABASE_URL": stack.enter_context(_database(database_url, empty)),
            "REDIS_URL": stack.enter_context(_redis_database(redis_url)),
        }


@contextmanager
def _database(server_url: str, empty: bool) -> Iterator[str]:
    name = f"plugtill_e2e_{secrets.token_hex(6)}"
    migrated.create(server_url, name, like="" if empty else migrated.template())
    try:
        yield urlsplit(server_url)._replace(path=f"/{name}").geturl()
    finally:
        migrated.drop(server_url, name)


@contextmanager
def _redis_database(server_url: str) -> Iterator[str]:
    """Databases are numbered; parallel tests take different ones, and never one that holds anything."""
    for number in range(1, 16):
        url = urlsplit(server_url)._replace(path=f"/{number}").geturl()
        with redis.Redis.from_url(url) as client:
            if url == server_url or not client.set(CLAIM, "1", nx=True, ex=3600):
                continue
            if client.dbsize() > 1:
                client.delete(CLAIM)
                continue
            try:
                yield url
            finally:
                client.flushdb()
            return
    raise RuntimeError("no empty Redis database is left for the test")
