"""The sentences that findings write into issues, for pages to say in other languages (infrastructure/sentences.py)."""

from django.utils.translation import gettext_noop as _

SENTENCES = (
    _("The partner has not confirmed it yet, so the driver's money may still be held."),
    _("The charger did not start (%(result)s)."),
    _("no answer"),
    _("Given up by the %(who)s before a car was plugged in."),
    _("The start was accepted at %(time)s, but no car was plugged in in time."),
    _(
        "The session was given up, but the charger charged all the same from %(start)s: %(energy)s kWh %(until)s. "
        "Nothing was billed."
    ),
    _("until %(time)s"),
    _("so far; the charger is asked to stop"),
    _("%(until)s, by its tariff %(price)s"),
    _("%(until)s, by its tariff %(price)s, for the driver %(driver_price)s"),
    _("Charging since %(time)s, longer than sessions may be. The charger is asked to stop."),
    _(
        "The charger went offline at %(time)s in the middle of the session. Known until then: %(energy)s kWh. "
        "When it comes back it tells the rest; if not, the session is settled with that."
    ),
    _("%(amount)s were to be captured since %(time)s, but the partner has sent no financial advice."),
    _("The charger never told the end of the session. It was settled with its last reading, %(reading)s."),
    _("%(energy)s kWh at %(time)s"),
    _(
        "The session was billed with %(reading)s, %(amount)s. Later the charger told another end: %(end)s. "
        "Nothing was billed for it."
    ),
    _("The partner has not confirmed CDR %(cdr)s of %(amount)s."),
    _("The partner has not confirmed CDR %(cdr)s of %(amount)s: %(error)s"),
    _("The partner tells of %(number)s captures for one payment: %(amounts)s. The newest counts here."),
    _("The partner says: %(message)s"),
    _("Captured in %(currency)s, but the CDR is in %(other)s: %(taken)s instead of %(due)s."),
    _("The card could not be charged: %(due)s are unpaid."),
    _("All of %(due)s, yet the partner calls it a part."),
    _("Only %(taken)s of %(due)s were captured."),
    _("%(taken)s were captured, but nothing was charged in this session."),
    _("The CDR was credited, but %(taken)s stay captured: the driver must get the money back at the partner."),
    _("%(taken)s were captured instead of %(due)s."),
    _(
        "%(platform)s captured %(taken)s for %(reference)s, which is another partner's session. "
        "Nothing was applied to it."
    ),
    _("%(platform)s captured %(taken)s for %(reference)s, which no session of ours has."),
    _("an unknown time"),
    _("%(platform)s no longer lists it, since %(time)s."),
    _("Nothing that the partner told says whose terminal it is. Choose its operator, or what it serves."),
    _("The partner says that it serves %(names)s, which we do not have."),
    _("The partner holds something else: %(differences)s."),
    _("Resolved by itself: the cause is gone."),
    _("%(platform)s sent advice %(advice)s again with other content: %(taken)s."),
    _("the newer one counts"),
    _("the first one counts, as the other is not newer"),
    _("Drivers pay with %(platform)s at %(evse)s, but no terminal of %(same)s is assigned to it or its area."),
)
