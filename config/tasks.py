from celery import shared_task
from django.utils import timezone

from config import personal, retention
from config.alerts import digests
from infrastructure.services import alerts


@shared_task  # type: ignore[untyped-decorator]
def send_alerts() -> None:
    digests.send_alerts()


@shared_task  # type: ignore[untyped-decorator]
def delete_old_alerts() -> None:
    alerts.delete_old()
    digests.delete_old()


@shared_task  # type: ignore[untyped-decorator]
def forget_old_rows() -> None:
    retention.forget_all()
    personal.erase_old(timezone.now())
