"""The PDF of an invoice: one A4 page as a rule, with fonts of its own and the same bytes for the same content."""

import logging
import re
from datetime import datetime
from pathlib import Path

import segno
from fpdf import FPDF
from fpdf.enums import XPos, YPos

from payments.sheets import Row, Sheet, VatRow
from payments.texts import Texts

# It tells each step of cutting a font down, in dozens of lines per invoice.
logging.getLogger("fontTools").setLevel(logging.WARNING)

FONTS = Path(__file__).parent / "fonts"
FAMILY, MONO = "DejaVu", "DejaVuMono"

INK, SOFT, LINE, PAPER = (23, 32, 42), (93, 107, 120), (214, 220, 225), (251, 250, 246)
TONES = {"good": (11, 107, 70), "warning": (122, 74, 0), "bad": (155, 28, 28), "pending": (31, 79, 143)}

MARGIN = 20.0  # millimetres, as all lengths here
WIDTH = 210.0 - 2 * MARGIN
LABEL = 36.0
QR = 26.0
SLIP = 78.0
SLIP_LINE = 3.7
BOTTOM = 29.0
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def render(sheet: Sheet, texts: Texts, language: str, address: str, created_at: datetime) -> bytes:
    """`address` is where the invoice is found online; `created_at` the revision's time."""
    pdf = _Paper(sheet, texts)
    pdf.set_creation_date(created_at)
    pdf.set_lang(language)
    pdf.set_title(f"{sheet.title} {sheet.number}")
    pdf.set_author(sheet.seller["name"])
    pdf.set_creator("Plugtill")
    pdf.add_page()
    _head(pdf, sheet, texts, address)
    _session(pdf, sheet, texts)
    _price(pdf, sheet, texts)
    _payment(pdf, sheet, texts)
    return bytes(pdf.output())


class _Paper(FPDF):
    """A4 with the seller at the foot of each page."""

    def __init__(self, sheet: Sheet, texts: Texts) -> None:
        super().__init__(format="A4")
        self._sheet, self._texts = sheet, texts
        self.set_margins(MARGIN, MARGIN)
        self.set_auto_page_break(True, margin=BOTTOM)
        self.c_margin = 0  # texts begin where the rules do
        self.add_font(FAMILY, "", FONTS / "DejaVuSans.ttf")
        self.add_font(FAMILY, "B", FONTS / "DejaVuSans-Bold.ttf")
        self.add_font(MONO, "", FONTS / "DejaVuSansMono.ttf")

    def footer(self) -> None:
        seller, texts = self._sheet.seller, self._texts
        self.set_y(-25)
        self.rule()
        self.ln(2)
        self.ink(7.5, SOFT)
        address = " ".join(seller["address"].split())
        number = f"{texts.vat_number} {seller['vat_number']}" if seller["vat_number"] else ""
        phone = f"{texts.help_line} {seller['phone']}" if seller["phone"] else ""
        for parts in ((seller["name"], address), (number, phone, seller["email"], seller["website"])):
            self.cell(WIDTH, 4, " · ".join(part for part in parts if part), new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        # Not to the right: the number of pages is only known at the end, and so is its width.
        page = texts.page.format(page=self.page_no(), pages="{nb}")
        self.cell(WIDTH, 4, f"{self._sheet.title} {self._sheet.number} · {page}")

    def ink(self, size: float, colour: tuple[int, int, int] = INK, *, bold: bool = False, mono: bool = False) -> None:
        self.set_font(MONO if mono else FAMILY, "B" if bold else "", size)
        self.set_text_color(*colour)

    def rule(self, colour: tuple[int, int, int] = LINE, width: float = 0.2) -> None:
        self.set_draw_color(*colour)
        self.set_line_width(width)
        self.line(MARGIN, self.get_y(), MARGIN + WIDTH, self.get_y())

    def line_of(self, text: str, height: float, width: float = WIDTH) -> None:
        self.multi_cell(width, height, text, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def heading(self, text: str, needs: float) -> None:
        """Begins a section, on a new page if less than `needs` is left."""
        self.ln(5)
        if self.will_page_break(needs):
            self.add_page()
        self.ink(10, bold=True)
        self.line_of(text, 6)
        self.ln(0.5)

    def fact(self, label: str, text: str, width: float = WIDTH) -> None:
        if not text:
            return
        self.ink(9, SOFT)
        self.cell(LABEL, 4.8, label)
        self.ink(9)
        self.multi_cell(width - LABEL, 4.8, text, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)


def _head(pdf: _Paper, sheet: Sheet, texts: Texts, address: str) -> None:
    seller = sheet.seller
    left = WIDTH - QR - 6
    _qr(pdf, address, MARGIN + WIDTH - QR, MARGIN)
    pdf.ink(6.5, SOFT)
    pdf.set_xy(MARGIN + WIDTH - QR - 20, MARGIN + QR + 1)
    pdf.multi_cell(QR + 20, 3.2, texts.online, align="R")
    pdf.link(MARGIN + WIDTH - QR, MARGIN, QR, QR, address)
    pdf.set_xy(MARGIN, MARGIN)
    pdf.ink(13, bold=True)
    pdf.line_of(seller["name"], 6.5, left)
    pdf.ink(8.5, SOFT)
    pdf.line_of(seller["address"], 4.2, left)
    if seller["vat_number"]:
        pdf.line_of(f"{texts.vat_number} {seller['vat_number']}", 4.2, left)
    pdf.set_y(max(pdf.get_y() + 8, MARGIN + QR + 8))
    pdf.ink(18, bold=True)
    pdf.line_of(f"{sheet.title} {sheet.number}", 9)
    pdf.ln(1)
    pdf.fact(texts.date, sheet.issued)
    pdf.fact(texts.reference, sheet.reference)
    pdf.fact(texts.reason, sheet.reason)
    for notice in sheet.notices:
        pdf.ln(1)
        pdf.ink(9, TONES["warning"], bold=True)
        pdf.line_of(notice, 5)


def _session(pdf: _Paper, sheet: Sheet, texts: Texts) -> None:
    pdf.heading(texts.charging_session, 30)
    pdf.fact(texts.place, "\n".join(sheet.place))
    pdf.fact(texts.charge_point, sheet.evse_id)
    pdf.fact(texts.time, sheet.period)
    pdf.fact(texts.duration, sheet.duration)
    pdf.fact(texts.energy, sheet.energy)
    pdf.fact(texts.end, sheet.stop_reason)


def _price(pdf: _Paper, sheet: Sheet, texts: Texts) -> None:
    pdf.heading(texts.price, 30)
    rows = sheet.rows or [Row(texts.free_of_charge, "", "–", sheet.total)]
    columns = [(58.0, "L"), (62.0, "L"), (20.0, "R"), (30.0, "R")]
    _cells(pdf, columns, [texts.item, "", texts.vat, sheet.currency], SOFT)
    for row in rows:
        _cells(pdf, columns, [row.text, row.detail, row.vat, row.amount])
    pdf.rule(INK, 0.4)
    _cells(pdf, [(140.0, "L"), (30.0, "R")], [texts.total, f"{sheet.total} {sheet.currency}"], bold=True, size=11)
    pdf.ln(3)
    columns = [(80.0, "L"), (30.0, "R"), (30.0, "R"), (30.0, "R")]
    _cells(pdf, columns, [f"{texts.vat}: {texts.rate}", texts.net, texts.vat, texts.gross], SOFT)
    vat_rows: list[VatRow] = sheet.vat_rows
    for vat in vat_rows:
        _cells(pdf, columns, [vat.rate, vat.net, vat.vat_amount, vat.gross])


def _cells(
    pdf: _Paper,
    columns: list[tuple[float, str]],
    texts: list[str],
    colour: tuple[int, int, int] = INK,
    *,
    bold: bool = False,
    size: float = 9,
) -> None:
    """One row of a table, as high as its longest cell, with a line below."""
    pdf.ink(size, colour, bold=bold)
    height = 5.0
    heights = [
        pdf.multi_cell(width, height, text, dry_run=True, output="HEIGHT")
        for (width, _align), text in zip(columns, texts, strict=True)
    ]
    needed = max(height, *(float(str(one)) for one in heights))
    if pdf.will_page_break(needed + 2):
        pdf.add_page()
        pdf.ink(size, colour, bold=bold)
    top, left = pdf.get_y() + 0.8, MARGIN
    for (width, align), text in zip(columns, texts, strict=True):
        pdf.set_xy(left, top)
        pdf.multi_cell(width, height, text, align=align)
        left += width
    pdf.set_xy(MARGIN, top + needed + 0.8)
    pdf.rule()


def _payment(pdf: _Paper, sheet: Sheet, texts: Texts) -> None:
    """With the card receipt beside it, or below when it is too long for the page."""
    width = WIDTH - SLIP - 8 if sheet.eft_data else WIDTH
    pdf.heading(texts.payment, 40)
    top = pdf.get_y()
    pdf.ink(10, TONES[sheet.payment.tone], bold=True)
    pdf.line_of(sheet.payment.title, 5.5, width)
    pdf.ink(9)
    pdf.line_of(sheet.payment.text, 4.8, width)
    pdf.ln(0.5)
    pdf.fact(texts.preauthorised, sheet.preauthorised, width)
    pdf.fact(texts.captured, sheet.captured, width)
    pdf.fact(texts.as_of, sheet.enriched, width)
    if not sheet.eft_data:
        return
    lines = _slip_lines(pdf, sheet)
    if top + len(lines) * SLIP_LINE + 6 <= pdf.h - BOTTOM:
        pdf.set_xy(MARGIN + WIDTH - SLIP, top - 6.5)
        pdf.ink(10, bold=True)
        pdf.cell(SLIP, 6, texts.card_receipt)
        pdf.set_y(top)
        _slip(pdf, lines, MARGIN + WIDTH - SLIP)
    else:
        pdf.heading(texts.card_receipt, 20)
        _slip(pdf, lines, MARGIN)


def _slip_lines(pdf: _Paper, sheet: Sheet) -> list[str]:
    """The lines of the terminal as they came: every space counts, only what cannot be printed is left out."""
    pdf.ink(8, mono=True)
    most = int((SLIP - 6) / pdf.get_string_width("0"))
    lines: list[str] = []
    for line in sheet.eft_data:
        text = _CONTROL.sub("", line.replace("\t", "    ")).replace(" ", "\N{NO-BREAK SPACE}")
        lines += [text[start : start + most] for start in range(0, len(text), most)] or [""]
    return lines


def _slip(pdf: _Paper, lines: list[str], left: float) -> None:
    pdf.ink(8, mono=True)
    pdf.set_fill_color(*PAPER)
    for line in ["", *lines, ""]:
        height = SLIP_LINE if line else SLIP_LINE / 2
        pdf.set_x(left)
        pdf.cell(3, height, "", fill=True)
        pdf.cell(SLIP - 3, height, line, fill=True, new_x=XPos.LMARGIN, new_y=YPos.NEXT)


def _qr(pdf: _Paper, address: str, left: float, top: float) -> None:
    code = segno.make(address, error="m", micro=False)
    matrix = code.matrix
    step = QR / len(matrix)
    pdf.set_fill_color(0, 0, 0)
    for y, row in enumerate(matrix):
        x = 0
        while x < len(row):
            run = x
            while run < len(row) and row[run]:
                run += 1
            if run > x:  # a run of dark modules is one box: no hairlines between them
                pdf.rect(left + x * step, top + y * step, (run - x) * step, step, style="F")
            x = max(run, x + 1)
