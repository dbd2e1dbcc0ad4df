"""The driver's invoice on the web: public, addressed by the reference of the card payment."""

import logging
from dataclasses import dataclass
from typing import Any

import segno
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation.trans_real import parse_accept_lang_header
from django.views.decorators.http import require_safe

from infrastructure.guesses import network_of
from payments import texts
from payments.models import Invoice
from payments.services import invoice_pages, revisions
from payments.services.invoice_pages import Found, Progress
from payments.sheets import sheet_of
from payments.texts import LANGUAGES

logger = logging.getLogger(__name__)

# Per client address and minute. References can be guessed, so asking for one that does not exist costs more, and
# so does asking by an invoice number: those follow each other.
BUDGET = 120
COST_OF_A_PAGE = 1
COST_OF_A_PDF = 3
COST_OF_A_MISS = 10
WINDOW_S = 60

PDF_SUFFIX = ".pdf"


@dataclass(frozen=True, slots=True)
class Message:
    """A page of one sentence; `text` names it in `Texts`, `refresh_s` makes the browser look again."""

    text: str
    status: int = 200
    refresh_s: int = 0


MESSAGES = {
    Progress.UNKNOWN: Message("unknown", status=404),
    Progress.CHARGING: Message("charging", refresh_s=10),
    Progress.PREPARING: Message("preparing", refresh_s=3),
    Progress.NOTHING_CHARGED: Message("nothing_charged"),
    Progress.MADE_BY_PARTNER: Message("made_by_partner"),
}
TOO_MANY = Message("too_many", status=429, refresh_s=WINDOW_S)

HEADERS = {
    "X-Robots-Tag": "noindex, nofollow, noarchive",
    "Cache-Control": "private, no-store",
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept-Language",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
}


@require_safe
def invoice_page(request: HttpRequest, code: str, reference: str) -> HttpResponse:
    """The invoice, or what there is to say until there is one; 404 for an unknown reference, 429 for too many.

    `?format=pdf` or a `.pdf` behind the reference gives the file, `?lang=` another language than the browser's.
    """
    if _spend(request, COST_OF_A_PAGE) > BUDGET:
        response = _message(request, TOO_MANY)
        response.headers["Retry-After"] = str(WINDOW_S)
        return response
    has_suffix = reference.lower().endswith(PDF_SUFFIX)
    found = invoice_pages.find(code, reference[: -len(PDF_SUFFIX)] if has_suffix else reference)
    if found.progress == Progress.UNKNOWN or found.is_by_number:
        _spend(request, COST_OF_A_MISS)
    if found.invoice is None:
        return _message(request, MESSAGES[found.progress])
    if has_suffix or request.GET.get("format", "").lower() == "pdf":
        _spend(request, COST_OF_A_PDF)
        return _pdf(request, found.invoice)
    return _page(request, found, found.invoice)


def _page(request: HttpRequest, found: Found, invoice: Invoice) -> HttpResponse:
    language = _language(request, invoice)
    replacement = invoice_pages.replacement_of(invoice)
    context = {
        "sheet": sheet_of(invoice, language),
        "replaced_by": LANGUAGES[language].replaced_by.format(number=replacement.number) if replacement else "",
        "related": [one for one in (invoice.credits, _credit_note(invoice), replacement, invoice.replaces) if one],
        "qr": _qr(revisions.public_address(invoice)),
        "code": invoice.platform.code,
    }
    return _rendered(request, "payments/invoice.html", language, context)


def _pdf(request: HttpRequest, invoice: Invoice) -> HttpResponse:
    language = _language(request, invoice)
    pdf = revisions.newest_pdf(invoice, language)
    response = HttpResponse(bytes(pdf.content), content_type="application/pdf")
    response.headers["Content-Disposition"] = f'inline; filename="{invoice.number}.pdf"'
    return _private(response, language)


def _credit_note(invoice: Invoice) -> Invoice | None:
    return getattr(invoice, "credit_note", None)


def _qr(address: str) -> SafeString:
    """Black on white also where the page is dark: that is what cameras expect."""
    svg = segno.make(address, error="m", micro=False).svg_inline(border=4, light="#fff", omitsize=True)
    return mark_safe(svg)  # made of the modules alone


def _language(request: HttpRequest, invoice: Invoice | None) -> str:
    """The driver's choice, else the browser's languages in their order, else the operator's."""
    header = parse_accept_lang_header(request.headers.get("Accept-Language", "").lower())
    wanted = [request.GET.get("lang", ""), *(tag for tag, _weight in header)]
    usual = revisions.usual_language(invoice) if invoice else texts.DEFAULT
    return texts.known(*wanted, usual)


def _message(request: HttpRequest, message: Message) -> HttpResponse:
    language = _language(request, None)
    title, text = getattr(LANGUAGES[language], message.text)
    context = {"title": title, "text": text, "refresh_s": message.refresh_s}
    return _rendered(request, "payments/message.html", language, context, status=message.status)


def _rendered(
    request: HttpRequest, template: str, language: str, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    shared = {"t": LANGUAGES[language], "language": language, "languages": LANGUAGES.items()}
    return _private(render(request, template, {**context, **shared}, status=status), language)


def _private(response: HttpResponse, language: str) -> HttpResponse:
    for name, value in HEADERS.items():
        response.headers[name] = value
    response.headers["Content-Language"] = language
    return response


def _spend(request: HttpRequest, cost: int) -> int:
    """What this client address has spent in this minute; 0 while the cache is down: drivers need their invoice."""
    key = f"invoice-budget:{network_of(request.META.get('REMOTE_ADDR', ''))}"
    try:
        cache.add(key, 0, WINDOW_S)
        return cache.incr(key, cost)
    except ValueError:  # it expired between the two calls
        return cost
    except Exception as error:  # each cache has errors of its own
        logger.warning("The limit on invoice pages is off, the cache does not answer: %s", error)
        return 0
