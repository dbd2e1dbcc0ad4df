"""What partners said of cards a moment ago. A cache: losing it costs another question, never an outcome."""

import hashlib
import logging
from dataclasses import asdict, dataclass
from typing import Any

from django.conf import settings
from django.core.cache import cache

logger = logging.getLogger(__name__)

# Seconds for which a partner that did not answer is not asked about unknown cards.
SILENCE = 30


@dataclass(frozen=True, slots=True)
class RecentAnswer:
    """A token that may charge, and why."""

    platform_id: int
    token: dict[str, Any]
    auth_method: str
    authorization_reference: str
    evse_uids: tuple[str, ...]


def remember(charger_id: int, id_tag: str, answer: RecentAnswer) -> None:
    """For as long as the driver has to plug in."""
    _set(_answer_key(charger_id, id_tag), asdict(answer), settings.PLUG_IN_TIMEOUT.total_seconds())


def recall(charger_id: int, id_tag: str) -> RecentAnswer | None:
    """Takes the answer out: it is good for one start."""
    key = _answer_key(charger_id, id_tag)
    try:
        values = cache.get(key)
        cache.delete(key)
    except Exception:
        logger.warning("the cache failed", exc_info=True)
        return None
    return RecentAnswer(**values) if values else None


def note_silence(platform_id: int) -> None:
    _set(_silence_key(platform_id), True, SILENCE)


def forget_silence(platform_id: int) -> None:
    try:
        cache.delete(_silence_key(platform_id))
    except Exception:
        logger.warning("the cache failed", exc_info=True)


def is_silent(platform_id: int) -> bool:
    try:
        return bool(cache.get(_silence_key(platform_id)))
    except Exception:
        logger.warning("the cache failed", exc_info=True)
        return False


def _set(key: str, value: object, seconds: float) -> None:
    try:
        cache.set(key, value, seconds)
    except Exception:  # Redis restarts
        logger.warning("the cache failed", exc_info=True)


def _answer_key(charger_id: int, id_tag: str) -> str:
    """Without the card's number, which is a personal datum."""
    return f"authorization:{charger_id}:{hashlib.sha256(id_tag.upper().encode()).hexdigest()}"


def _silence_key(platform_id: int) -> str:
    return f"silent-emsp:{platform_id}"
