"""What is written down of chargers for staff, for pages to say in other languages (infrastructure/sentences.py)."""

from django.utils.translation import gettext_noop as _

SENTENCES = (
    _("It came without TLS, which its security profile asks for: use wss://."),
    _("It showed no password, or another identity than its own."),
    _("It showed a wrong password."),
    _("It came with its identity twice: enter our address in it without, up to “/ocpp”. It adds it by itself."),
    _("It has no password here yet: set a new one."),
    _("Too many wrong passwords or identities came from its address."),
    _("No proxy of ours vouched for a client certificate."),
    _("Its certificate is for %(name)s, expected was %(expected)s."),
    _("Its certificate was signed for another charger, which had this name before."),
    _("The transaction has ended."),
    _("The charger did not answer in time."),
    _("The charger is offline."),
    _("Another car charges here."),
    _("The cable of the last session is still plugged in."),
    _("The EVSE is reserved."),
    _("The EVSE is out of service."),
    _("The EVSE is out of order."),
    _("The EVSE is not in use yet."),
    _("The EVSE is no longer in use."),
    _("The EVSE is reserved for somebody else."),
    _("Another session runs or waits for its car here."),
    _("The charger of session %(session)s is no longer configured."),
    _("Nothing is running."),
    _("The connection to the charger was lost. Settled with the last known meter value."),
    _("The charger did not end the session. Settled with the last known meter value."),
    _("Session %(session)s cannot be ended"),
    _(
        "It is over but cannot be billed: %(error)s. Until this is mended there is no CDR and nobody pays. It is tried "
        "again and again; the log has the details."
    ),
)
