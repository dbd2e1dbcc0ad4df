from datetime import timedelta

from celery import shared_task

from roaming.services import catch_up, documents, messages, pulls, push, watch

# Longer than the period of the task below, so that a late run misses no boundary.
VALIDITY_WINDOW = timedelta(minutes=10)


@shared_task
def deliver_pushes(platform_id: int) -> None:
    push.deliver_waiting(platform_id)


@shared_task
def probe_platform(platform_id: int) -> None:
    push.probe(platform_id)


@shared_task
def sweep_pushes() -> None:
    push.sweep()


@shared_task
def delete_finished_pushes() -> None:
    push.delete_finished()


@shared_task
def delete_old_messages() -> None:
    messages.delete_old()


@shared_task
def reevaluate_tariff_validity() -> None:
    documents.reevaluate_validity(VALIDITY_WINDOW)


@shared_task
def refresh_all_documents() -> None:
    documents.request_refresh()
    catch_up.enqueue_untold()


@shared_task
def watch_deliveries() -> None:
    watch.look()


@shared_task
def start_pulls(platform_id: int) -> None:
    pulls.start_pulls(platform_id)


@shared_task
def run_pull(pull_id: int) -> None:
    pulls.run(pull_id)


@shared_task
def wake_due_pulls() -> None:
    pulls.wake_due()
