from celery import shared_task

from infrastructure import outbox
from infrastructure.services import pulse


@shared_task
def drain_outbox() -> int:
    return outbox.drain()


@shared_task
def delete_processed_events() -> None:
    outbox.delete_processed()


@shared_task
def note_pulse() -> None:
    pulse.note_pulse(pulse.WORK)


@shared_task
def note_peers_pulse() -> None:
    pulse.note_pulse(pulse.PEERS)
