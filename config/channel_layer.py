"""The channel layer of a cluster."""

from channels_redis.core import RedisChannelLayer
from redis.asyncio import BlockingConnectionPool


class PatientRedisChannelLayer(RedisChannelLayer):
    """With hundreds of chargers coming back at once, each waits for a connection to Redis. Channels' own pool opens
    one for each of them, up to a hundred, and refuses the others."""

    def create_pool(self, index: int) -> BlockingConnectionPool:
        options = dict(self.hosts[index])
        return BlockingConnectionPool.from_url(options.pop("address"), **options)
