from celery import shared_task

from chargers.services import calls, lifecycle, progress, reservations, sessions


@shared_task
def expire_calls() -> None:
    calls.expire_calls()


@shared_task
def sweep_calls() -> None:
    calls.sweep_calls()


@shared_task
def expire_pending_sessions() -> None:
    sessions.expire_pending_sessions()


@shared_task
def end_lost_sessions() -> None:
    sessions.end_lost_sessions()


@shared_task
def expire_reservations() -> None:
    reservations.expire_reservations()


@shared_task
def price_active_sessions() -> None:
    progress.price_active_sessions()


@shared_task
def mark_silent_chargers() -> None:
    lifecycle.mark_silent_chargers()
