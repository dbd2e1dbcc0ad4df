from celery import shared_task

from config.alerts import digests
from infrastructure.services import alerts


@shared_task  # type: ignore[untyped-decorator]
def send_alerts() -> None:
    digests.send_alerts()


@shared_task  # type: ignore[untyped-decorator]
def delete_old_alerts() -> None:
    alerts.delete_old()
    digests.delete_old()
