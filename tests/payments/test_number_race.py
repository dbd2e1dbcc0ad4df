"""Two workers that open invoices of one operator at the same moment."""

import threading
from typing import Any

import pytest
from django.db import connection, connections, transaction

from payments.models import InvoiceSeries
from payments.services.invoices import open_invoice
from tests.payments import factories


@pytest.mark.django_db(transaction=True)
def test_two_invoices_at_once_get_two_numbers_without_a_gap(platform: Any, evse: Any) -> None:
    """The first worker holds its transaction open until the second waits for the number."""
    if not connection.features.has_select_for_update:
        pytest.skip("Here every write locks the whole database, so the row's lock cannot be told from that one.")
    cdrs = [factories.make_cdr(factories.make_session(platform, evse, f"ref-{n}")) for n in range(2)]
    InvoiceSeries.objects.create(operator=evse.charger.location.operator, year=cdrs[0].created_at.year)
    numbers: dict[int, str] = {}

    def second() -> None:
        try:
            invoice = open_invoice(cdrs[1].pk)
            assert invoice is not None
            numbers[1] = invoice.number
        finally:
            connections.close_all()

    worker = threading.Thread(target=second)
    with transaction.atomic():
        invoice = open_invoice(cdrs[0].pk)
        assert invoice is not None
        numbers[0] = invoice.number
        worker.start()
        _wait_until_blocked(worker)
        assert 1 not in numbers
    worker.join(10)
    assert sorted(number.rpartition("-")[2] for number in numbers.values()) == ["000001", "000002"]


def _wait_until_blocked(worker: threading.Thread) -> None:
    """Returns when another session of the database waits for our lock, or the worker got by without."""
    while worker.is_alive():
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            (waiting,) = cursor.fetchone()
        if waiting:
            return
