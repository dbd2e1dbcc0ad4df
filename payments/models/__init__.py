"""The money side: payment terminals, what was captured from cards, and the invoices."""

from payments.models.advices import FinancialAdviceConfirmation
from payments.models.invoices import Invoice, InvoicePdf, InvoiceRevision, InvoiceSeries
from payments.models.issues import PaymentIssue
from payments.models.prices import DisplayedTariff, PriceEvidence
from payments.models.terminals import Terminal

__all__ = [
    "DisplayedTariff",
    "FinancialAdviceConfirmation",
    "Invoice",
    "InvoicePdf",
    "InvoiceRevision",
    "InvoiceSeries",
    "PaymentIssue",
    "PriceEvidence",
    "Terminal",
]
