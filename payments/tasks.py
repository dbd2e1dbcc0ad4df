from celery import shared_task

from payments.services import issue_sweep, revisions


@shared_task
def render_invoices() -> None:
    revisions.render_due()


@shared_task
def sweep_payment_issues() -> None:
    issue_sweep.sweep()
