"""The driver's invoice on the web: public, addressed by the reference of the card payment."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps

from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import translation
from django.views.decorators.http import require_safe

from payments.services import invoice_pages
from payments.services.invoice_pages import Progress

# Per client address and minute. References can be guessed, so asking for one that does not exist costs more.
BUDGET = 120
COST_OF_A_PAGE = 1
COST_OF_A_MISS = 10
WINDOW_S = 60

View = Callable[[HttpRequest, str, str], HttpResponse]


@dataclass(frozen=True, slots=True)
class Message:
    """A page of one sentence; `refresh_s` makes the browser look again."""

    title: str
    text: str
    status: int = 200
    refresh_s: int = 0


MESSAGES = {
    Progress.UNKNOWN: Message(
        "Invoice not found",
        "There is no charging session with this reference. Please check the address on your receipt.",
        status=404,
    ),
    Progress.CHARGING: Message(
        "Charging in progress",
        "Your invoice is being prepared. It appears here when the session has ended.",
        refresh_s=10,
    ),
    Progress.PREPARING: Message("Your invoice is being prepared", "It appears here in a few seconds.", refresh_s=3),
    Progress.NOTHING_CHARGED: Message(
        "No charging took place", "This session never started, so there is nothing to pay and no invoice."
    ),
    Progress.MADE_BY_PARTNER: Message(
        "Your receipt is at the payment terminal",
        "The provider of the payment terminal issues the invoice for this session.",
    ),
}
TOO_MANY = Message(
    "Too many requests", "Please wait a minute, then open this page again.", status=429, refresh_s=WINDOW_S
)

HEADERS = {
    "Content-Language": "en",
    "X-Robots-Tag": "noindex, nofollow, noarchive",
    "Cache-Control": "private, no-store",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
}


def rate_limited(view: View) -> View:
    """429 for a client address that has used up its budget of this minute."""

    @wraps(view)
    def limited(request: HttpRequest, code: str, reference: str) -> HttpResponse:
        key = f"invoice-budget:{request.META.get('REMOTE_ADDR', '')}"
        cache.add(key, 0, WINDOW_S)
        if _spend(key, COST_OF_A_PAGE) > BUDGET:
            response = _message(request, TOO_MANY)
            response.headers["Retry-After"] = str(WINDOW_S)
            return response
        response = view(request, code, reference)
        if response.status_code == 404:
            _spend(key, COST_OF_A_MISS)
        return response

    return limited


def _spend(key: str, cost: int) -> int:
    try:
        return cache.incr(key, cost)
    except ValueError:  # it expired between the two calls
        return cost


@require_safe
@rate_limited
def invoice_page(request: HttpRequest, code: str, reference: str) -> HttpResponse:
    """The invoice, or what there is to say until there is one; 404 for an unknown reference."""
    # The texts are English; months and numbers must not follow another language of the browser.
    with translation.override("en"):
        sheet, progress = invoice_pages.find(code, reference)
        if sheet is not None:
            return _private(render(request, "payments/invoice.html", {"sheet": sheet}))
        return _message(request, MESSAGES[progress])


def _message(request: HttpRequest, message: Message) -> HttpResponse:
    return _private(render(request, "payments/message.html", {"message": message}, status=message.status))


def _private(response: HttpResponse) -> HttpResponse:
    for name, value in HEADERS.items():
        response.headers[name] = value
    return response
