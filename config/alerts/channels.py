"""E-mail and webhook. Each raises when its message was not taken."""

import json
from collections.abc import Callable, Mapping

from django.conf import settings
from django.core.mail import EmailMessage

from infrastructure.choices import AlertChannel
from infrastructure.models import AlertDigest
from roaming.ocpi import transport

TIMEOUT: transport.Timeout = (3.05, 10.0)
MAX_SECONDS = 20.0


class NotTaken(Exception):
    """The webhook answered, but not with a success."""


def send_email(digest: AlertDigest) -> None:
    EmailMessage(
        subject=digest.subject,
        body=as_text(digest),
        to=settings.ALERT_EMAILS,
        # The same at each attempt: should the first have arrived after all, programs show one.
        headers={"Message-ID": f"<alerts-{digest.pk}-{digest.created_at:%Y%m%d%H%M%S%f}@plugtill>"},
    ).send()


def send_webhook(digest: AlertDigest) -> None:
    """A POST of JSON; `text` is what chat programs show. To judged addresses only, like all that we call."""
    body = {"id": digest.pk, "subject": digest.subject, "text": as_text(digest), "alerts": digest.body}
    session = transport.pinned_session(
        allow_private=settings.PEERS_ALLOW_PRIVATE_ADDRESSES, require_https=settings.PEERS_REQUIRE_HTTPS
    )
    with session:
        answer = transport.send(
            session,
            "POST",
            settings.ALERT_WEBHOOK_URL,
            headers={"Content-Type": "application/json", "User-Agent": "Plugtill", "Connection": "close"},
            body=json.dumps(body).encode(),
            timeout=TIMEOUT,
            max_seconds=MAX_SECONDS,
        )
    if not 200 <= answer.http_status < 300:
        raise NotTaken(f"ALERT_WEBHOOK_URL answered with HTTP {answer.http_status}")


def as_text(digest: AlertDigest) -> str:
    parts = [
        "\n".join(line for line in (alert["title"], alert["text"], alert["url"], f"Since {alert['since']}") if line)
        for alert in digest.body
    ]
    return "\n\n".join([digest.subject, *parts])


SENDERS: Mapping[AlertChannel, Callable[[AlertDigest], None]] = {
    AlertChannel.EMAIL: send_email,
    AlertChannel.WEBHOOK: send_webhook,
}
