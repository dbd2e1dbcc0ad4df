"""Throw-away data on the PostgreSQL and Redis servers that DATABASE_URL and REDIS_URL name."""

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

import psycopg
import redis
from psycopg import sql

CLAIM = "plugtill-e2e-owner"


@contextmanager
def own_servers(database_url: str, redis_url: str) -> Iterator[dict[str, str]]:
    """Environment variables of a fresh database and an empty Redis database, removed afterwards."""
    with ExitStack() as stack:
        yield {
            "DATABASE_URL": stack.enter_context(_database(database_url)),
            "REDIS_URL": stack.enter_context(_redis_database(redis_url)),
        }


@contextmanager
def _database(server_url: str) -> Iterator[str]:
    name = f"plugtill_e2e_{secrets.token_hex(6)}"
    administration = urlsplit(server_url)._replace(scheme="postgresql", path="/postgres").geturl()
    with psycopg.connect(administration, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        yield urlsplit(server_url)._replace(path=f"/{name}").geturl()
    finally:
        with psycopg.connect(administration, autocommit=True) as connection:
            # FORCE: a process that was just killed may still have sessions open.
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


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
