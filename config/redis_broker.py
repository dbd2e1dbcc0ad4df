"""kombu's transport for Redis, whose workers outlive it."""

from typing import Any

from kombu.transport import redis


class Channel(redis.Channel):
    def _connparams(self, asynchronous: bool = False) -> Any:
        """A task that ends as Redis goes away is acknowledged over a connection that is closed. kombu stumbles there
        with an AttributeError, at which a worker ends; at a lost connection it waits for the next one."""
        if self.connection is None or self.connection.client is None:
            raise ConnectionError("This connection to Redis is closed.")
        return super()._connparams(asynchronous)


class Transport(redis.Transport):
    Channel = Channel
