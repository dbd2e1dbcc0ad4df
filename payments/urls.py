"""Mounted at the root: the payments module below /ocpi/, and the drivers' invoices."""

from django.urls import path, re_path

from payments.views.advices import AdviceListView, AdviceView
from payments.views.invoices import invoice_page
from payments.views.terminals import TerminalListView, TerminalView

app_name = "payments"

MODULE = "ocpi/2.2.1/payments"
ADVICES = f"{MODULE}/financial-advice-confirmations"
# So spelled before DirectPayment 1.3.
OLD_ADVICES = f"{MODULE}/financial_advice_confirmations"

urlpatterns = [
    path(f"{MODULE}/terminals", TerminalListView.as_view(), name="terminals"),
    path(f"{MODULE}/terminals/<path:terminal_id>", TerminalView.as_view(), name="terminal"),
    path(OLD_ADVICES, AdviceListView.as_view()),
    path(f"{OLD_ADVICES}/<path:advice_id>", AdviceView.as_view()),
    path(ADVICES, AdviceListView.as_view(), name="advices"),
    path(f"{ADVICES}/<path:advice_id>", AdviceView.as_view(), name="advice"),
    # Terminals put base address and reference together carelessly, so slashes may be doubled or trailing.
    re_path(r"^invoices/+(?P<code>[-\w]+)/+(?P<reference>[^/].*?)/*$", invoice_page, name="invoice"),
]
