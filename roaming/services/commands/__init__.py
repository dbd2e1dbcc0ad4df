"""Commands that partners send (OCPI 2.2.1 mod_commands): understood, forwarded to the charger, answered later."""

from roaming.services.commands.answers import CommandAnswer
from roaming.services.commands.reservations import receive_cancel_reservation, receive_reserve_now
from roaming.services.commands.results import report_call, report_reservation
from roaming.services.commands.start import receive_start_session
from roaming.services.commands.stop import receive_stop_session
from roaming.services.commands.unlock import receive_unlock_connector

__all__ = [
    "CommandAnswer",
    "receive_cancel_reservation",
    "receive_reserve_now",
    "receive_start_session",
    "receive_stop_session",
    "receive_unlock_connector",
    "report_call",
    "report_reservation",
]
