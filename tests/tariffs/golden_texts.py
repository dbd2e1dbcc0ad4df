"""Tariffs and what drivers read about them, proof-read in every language. Prices are entered with VAT."""

from datetime import datetime
from decimal import Decimal

from tariffs.choices import Recurrence
from tariffs.pricing import DayOfWeek, Detail, DetailPrice
from tariffs.services.details import net_price

BLOCKED = Decimal(50)


def price(gross, vat="20", step=1):
    rate = None if vat is None else Decimal(vat)
    return DetailPrice(net_price(Decimal(gross), rate, is_gross=True), rate, step)


BASE = Detail(1, energy=price("0.59"))
HAPPY = {"id": 2, "priority": 1, "energy": price("0.39")}
ONCE = {
    "recurrence": Recurrence.ONE_TIME,
    "start": datetime(2026, 12, 24, 18),
    "stop": datetime(2026, 12, 27, 8),
}

DETAILS = {
    "one price": [Detail(1, energy=price("0.49"))],
    "energy, start fee and parking": [
        Detail(1, energy=price("0.49"), flat=price("0.50"), park_time=price("6")),
    ],
    "day and night": [
        Detail(1, energy=price("0.59"), flat=price("0.50"), park_time=price("6")),
        Detail(**HAPPY, flat=price("0.50"), start=datetime(2026, 5, 1, 22), stop=datetime(2026, 9, 1, 6)),
    ],
    "weekend": [BASE, Detail(**HAPPY, weekdays=(DayOfWeek.SATURDAY, DayOfWeek.SUNDAY))],
    "once": [BASE, Detail(2, priority=1, **ONCE)],
    "free": [Detail(1)],
    "zero VAT": [Detail(1, energy=price("0.49", "0"))],
    "three VAT rates": [
        Detail(1, energy=price("0.49"), charge_time=price("1.20", "9.5"), flat=price("0.50", "13")),
    ],
}

GOLDEN = {
    "one price": {
        "en": (
            "€0.49 per kWh. €50.00 is blocked on your card; charging stops before the cost exceeds it. "
            "Prices include VAT (20%)."
        ),
        "de": (
            "0,49 € pro kWh. Auf Ihrer Karte wird ein Betrag von 50,00 € reserviert; das Laden endet, bevor "
            "die Kosten ihn übersteigen. Preise inkl. MwSt. (20 %)."
        ),
        "fr": (
            "0,49 € par kWh. Un montant de 50,00 € est bloqué sur votre carte ; la charge s'arrête avant que "
            "le coût ne le dépasse. Prix TTC (TVA 20 %)."
        ),
        "nl": (
            "€ 0,49 per kWh. Er wordt € 50,00 op uw kaart gereserveerd; het laden stopt voordat de kosten "
            "dit bedrag overschrijden. Prijzen inclusief btw (20%)."
        ),
        "sl": (
            "0,49 € na kWh. Na vaši kartici se rezervira znesek 50,00 €; polnjenje se konča, preden ga "
            "strošek preseže. Cene vključujejo DDV (20 %)."
        ),
    },
    "energy, start fee and parking": {
        "en": (
            "€0.49 per kWh, €0.10 per minute connected without charging, €0.50 start fee. Prices include VAT (20%)."
        ),
        "de": (
            "0,49 € pro kWh, 0,10 € pro Minute Standzeit ohne Laden, 0,50 € Startgebühr. Preise inkl. MwSt. (20 %)."
        ),
        "fr": (
            "0,49 € par kWh, 0,10 € par minute de branchement sans charge, 0,50 € de frais de démarrage. "
            "Prix TTC (TVA 20 %)."
        ),
        "nl": (
            "€ 0,49 per kWh, € 0,10 per minuut aangesloten zonder te laden, € 0,50 starttarief. Prijzen "
            "inclusief btw (20%)."
        ),
        "sl": (
            "0,49 € na kWh, 0,10 € na minuto priklopa brez polnjenja, 0,50 € za začetek polnjenja. Cene "
            "vključujejo DDV (20 %)."
        ),
    },
    "day and night": {
        "en": (
            "Daily 22:00–06:00 from 1 May 2026 to 31 Aug 2026 inclusive: €0.39 per kWh. Otherwise: €0.59 per "
            "kWh, €0.10 per minute connected without charging. At any time: €0.50 start fee. Prices include "
            "VAT (20%)."
        ),
        "de": (
            "Täglich 22:00–06:00 Uhr vom 1.5.2026 bis einschließlich 31.8.2026: 0,39 € pro kWh. Sonst: 0,59 "
            "€ pro kWh, 0,10 € pro Minute Standzeit ohne Laden. Jederzeit: 0,50 € Startgebühr. Preise "
            "inkl. MwSt. (20 %)."
        ),
        "fr": (
            "Tous les jours 22h00–6h00 du 01/05/2026 au 31/08/2026 inclus : 0,39 € par kWh. Sinon : 0,59 € "
            "par kWh, 0,10 € par minute de branchement sans charge. À tout moment : 0,50 € de frais de "
            "démarrage. Prix TTC (TVA 20 %)."
        ),
        "nl": (
            "Dagelijks 22:00–06:00 uur van 01-05-2026 t/m 31-08-2026: € 0,39 per kWh. Op andere tijden: € "
            "0,59 per kWh, € 0,10 per minuut aangesloten zonder te laden. Altijd: € 0,50 starttarief. "
            "Prijzen inclusief btw (20%)."
        ),
        "sl": (
            "Vsak dan 22.00–6.00 od 1. 5. 2026 do vključno 31. 8. 2026: 0,39 € na kWh. Sicer: 0,59 € na kWh, "
            "0,10 € na minuto priklopa brez polnjenja. Vedno: 0,50 € za začetek polnjenja. Cene vključujejo "
            "DDV (20 %)."
        ),
    },
    "weekend": {
        "en": "Sat, Sun: €0.39 per kWh. Otherwise: €0.59 per kWh. Prices include VAT (20%).",
        "de": "Sa, So: 0,39 € pro kWh. Sonst: 0,59 € pro kWh. Preise inkl. MwSt. (20 %).",
        "fr": "Sam., dim. : 0,39 € par kWh. Sinon : 0,59 € par kWh. Prix TTC (TVA 20 %).",
        "nl": "Za, zo: € 0,39 per kWh. Op andere tijden: € 0,59 per kWh. Prijzen inclusief btw (20%).",
        "sl": "Sob., ned.: 0,39 € na kWh. Sicer: 0,59 € na kWh. Cene vključujejo DDV (20 %).",
    },
    "once": {
        "en": (
            "From 18:00 on 24 Dec 2026 to 08:00 on 27 Dec 2026: free. Otherwise: €0.59 per kWh. Prices "
            "include VAT (20%)."
        ),
        "de": (
            "Vom 24.12.2026 18:00 Uhr bis 27.12.2026 08:00 Uhr: kostenlos. Sonst: 0,59 € pro kWh. Preise "
            "inkl. MwSt. (20 %)."
        ),
        "fr": ("Du 24/12/2026 à 18h00 au 27/12/2026 à 8h00 : gratuit. Sinon : 0,59 € par kWh. Prix TTC (TVA 20 %)."),
        "nl": (
            "Van 24-12-2026 18:00 uur tot 27-12-2026 08:00 uur: gratis. Op andere tijden: € 0,59 per kWh. "
            "Prijzen inclusief btw (20%)."
        ),
        "sl": (
            "Od 18.00 dne 24. 12. 2026 do 8.00 dne 27. 12. 2026: brezplačno. Sicer: 0,59 € na kWh. Cene "
            "vključujejo DDV (20 %)."
        ),
    },
    "free": {
        "en": "Charging is free.",
        "de": "Das Laden ist kostenlos.",
        "fr": "La recharge est gratuite.",
        "nl": "Laden is gratis.",
        "sl": "Polnjenje je brezplačno.",
    },
    "zero VAT": {
        "en": "€0.49 per kWh.",
        "de": "0,49 € pro kWh.",
        "fr": "0,49 € par kWh.",
        "nl": "€ 0,49 per kWh.",
        "sl": "0,49 € na kWh.",
    },
    "three VAT rates": {
        "en": ("€0.49 per kWh, €0.02 per minute of charging, €0.50 start fee. Prices include VAT (9.5%, 13%, 20%)."),
        "de": (
            "0,49 € pro kWh, 0,02 € pro Minute Ladezeit, 0,50 € Startgebühr. Preise inkl. MwSt. (9,5 %, 13 %, 20 %)."
        ),
        "fr": (
            "0,49 € par kWh, 0,02 € par minute de charge, 0,50 € de frais de démarrage. Prix TTC (TVA 9,5 %, "
            "13 %, 20 %)."
        ),
        "nl": ("€ 0,49 per kWh, € 0,02 per minuut laden, € 0,50 starttarief. Prijzen inclusief btw (9,5%, 13%, 20%)."),
        "sl": (
            "0,49 € na kWh, 0,02 € na minuto polnjenja, 0,50 € za začetek polnjenja. Cene vključujejo DDV "
            "(9,5 %, 13 %, 20 %)."
        ),
    },
}
