"""A worker must outlive its Redis: what it meant to acknowledge there may not end it."""

import pytest
from kombu import Connection

from config.celery import app


@pytest.mark.parametrize("scheme", ["redis", "rediss"])
def test_a_closed_connection_is_a_lost_one_and_no_error_of_another_kind(scheme: str) -> None:
    assert app.main  # its module names the transports
    connection = Connection(f"{scheme}://127.0.0.1:9/0")
    channel_class = connection.get_transport_cls().Channel
    channel = channel_class.__new__(channel_class)
    channel._in_poll = False
    for closed in (None, connection.transport):
        channel.connection = closed
        if closed:
            closed.client = None
        with pytest.raises(connection.connection_errors):
            channel._connparams()
    channel.connection = None
