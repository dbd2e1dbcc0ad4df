from celery import shared_task

from chargers.services import (
    calls,
    charger_events,
    installed_certificates,
    lifecycle,
    messages,
    pending,
    progress,
    reservations,
    sessions,
    settling,
    transactions,
)


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
    settling.end_lost_sessions()


@shared_task
def expire_reservations() -> None:
    reservations.expire_reservations()


@shared_task
def price_active_sessions() -> None:
    progress.price_active_sessions()


@shared_task
def mark_silent_chargers() -> None:
    lifecycle.mark_silent_chargers()


@shared_task
def settle_held_events() -> None:
    transactions.settle_held_events()


@shared_task
def watch_certificates() -> None:
    installed_certificates.watch()


@shared_task
def delete_old_messages() -> None:
    messages.delete_old_messages()
    charger_events.delete_old_events()
    pending.delete_old_pending()
