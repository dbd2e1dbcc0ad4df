"""What handshakes, deliveries and the protocol say to staff, for pages to say in other languages
(infrastructure/sentences.py). The protocol itself knows no catalogue."""

from django.utils.translation import gettext_noop as _

HANDSHAKES = (
    _("Our token for the partner is made and already valid."),
    _("The partner accepted our credentials and sent its own."),
    _("Another registration of this platform ran at the same time and counts."),
    _("Registered: %(roles)s."),
    _("There is nothing to update: register credentials first."),
    _("Our new token for the partner is made and already valid."),
    _("The partner accepted the update and sent its new credentials."),
    _("Updated: %(roles)s."),
    _("The partner deleted our registration."),
    _("The partner could not be told, it may still send requests: %(error)s"),
    _("All tokens of this connection are invalid now."),
    _("All tokens of this connection are invalid now. A new registration needs a new token."),
    _("Already registered. Update the credentials, or invalidate them first."),
    _("Enter the partner's versions URL first."),
    _("Enter the token that the partner gave you first."),
    _("Assign at least one roaming profile: it tells the partner who we are."),
    _("The partner offers OCPI %(version)s with %(number)s endpoints."),
    _("The partner does not offer %(modules)s. Ask it to enable this for us and try again."),
    _("All endpoints that we need are there."),
    _(
        "The partner says that we are registered already (HTTP 405). "
        "Ask it to delete our registration and for a new token."
    ),
    _("The partner answered with credentials that are not valid. %(error)s"),
    _("The partner's credentials were refused: %(error)s"),
    _("Registered as %(found)s, but %(expected)s was expected. Ask the partner which is right."),
    _("The credentials changed during this update. Try again."),
    _("This connection is not ready yet: no party of ours is assigned to it."),
    _("Your versions or details could not be read. %(error)s"),
    _("Required endpoints are missing: %(modules)s."),
    _(
        "%(platform)s is registered. Use “Update credentials” for new tokens, "
        "or invalidate its credentials first to start over."
    ),
    _("A token has 1 to 64 printable ASCII characters without spaces."),
    _("The stored token cannot be read with the present FIELD_ENCRYPTION_KEYS. Restore the old key."),
    _("The peer offers OCPI %(offered)s, but %(wanted)s is needed"),
    _("in no version"),
)
DELIVERIES = (
    _("%(platform)s is not registered: we have no token for it."),
    _("%(platform)s lists no payments endpoint."),
    _("The peer lists no payments endpoint"),
    _("%(platform)s does not offer %(source)s: its version details list no such address."),
    _("Plugtill could not make or send this message: %(error)s"),
    _("Plugtill could not store what it received: %(error)s"),
    _("Object %(number)s of the list: %(error)s"),
    _("the hub says that the party is not connected"),
    _("it offers no tokens"),
)
PROTOCOL = (
    _("The peer does not accept our token (%(codes)s)"),
    _("The peer does not accept our token (%(codes)s): %(message)s"),
    _("The peer does not know this address or object (%(codes)s)"),
    _("The peer does not know this address or object (%(codes)s): %(message)s"),
    _("The peer does not allow this request in its present state (%(codes)s)"),
    _("The peer does not allow this request in its present state (%(codes)s): %(message)s"),
    _("The peer asks us to send less (%(codes)s)"),
    _("The peer asks us to send less (%(codes)s): %(message)s"),
    _("The peer has a fault of its own (%(codes)s)"),
    _("The peer has a fault of its own (%(codes)s): %(message)s"),
    _("The peer refused the request (%(codes)s)"),
    _("The peer refused the request (%(codes)s): %(message)s"),
    _("The peer answered a request for a list with something else."),
    _("The pages of the peer's list never end."),
    _(
        "The peer's list goes on at another host or without encryption, at %(address)s. Ask the peer for Link headers "
        "with the address under which we call it."
    ),
    _("The DNS did not answer in time."),
    _("The peer's answer was not complete after %(seconds)s seconds."),
    _("The peer's answer is JSON, but not an OCPI response."),
    _("The peer's answer has no OCPI status_code between 1000 and 4999."),
    _("The peer's answer is not valid JSON."),
    # What rule an address breaks is one sentence, what to do about it another.
    _(
        "%(address)s has no usable host: a plain host name (punycode if it has special letters) or an address such as "
        "192.0.2.1."
    ),
    _("%(address)s is not encrypted: it must begin with https://."),
    _("Ask the peer for such an address."),
    _("%(address)s contains a blank, a backslash or a control character."),
    _("%(address)s must begin with https:// or http://."),
    _("Ask the peer for its full web address."),
    _("%(address)s carries a user name or password."),
    _("Remove the part before '@'."),
    _("%(address)s names port 0."),
    _("Correct the port."),
    _("%(address)s is not a valid web address."),
    _("Correct it."),
    _("The name %(host)s has no address."),
    _("The name %(host)s is not known to the DNS. Check its spelling."),
    _("%(host)s leads to %(address)s, which is no address of a single computer."),
    _("%(host)s leads to %(address)s, an address inside a private network."),
    _("Use a public address, or switch PEERS_ALLOW_PRIVATE_ADDRESSES on if this peer really runs in your own network."),
    _("The peer sent us on more than %(number)s times in a row. Ask it for its final address."),
    _(
        "The peer sends us on to another host or without encryption, to %(address)s. If that is right, enter it as "
        "the peer's address."
    ),
    _("The peer's address has moved to %(address)s. Enter it as the peer's address."),
    _("The peer answers without encryption at this address. Is the port right, and is it https there?"),
    _("No secure connection to the peer: %(reason)s"),
    _("The peer did not answer in time."),
    _("The peer's answer is compressed in a way that cannot be read."),
    _("The peer cannot be reached: %(reason)s. Is the address right, and reachable from this server?"),
    _("The peer's answer is larger than %(size)s MB."),
    _("The peer's versions address did not answer with a list of versions."),
    _("The peer's version details have no list of endpoints."),
    _("The peer's version details list more than %(number)s endpoints."),
)
ALERTS = (
    _("%(platform)s does not accept our token"),
    _("Choose “Update credentials” on its page, or ask the partner what has changed."),
    _("%(platform)s cannot be reached"),
    _("What it must be told waits, and goes out by itself once it answers."),
    _("Last answer: %(error)s"),
    _("%(platform)s refuses %(module)s of ours (%(number)s)"),
    _("Correct the cause and send them again, or discard them."),
    _("%(platform)s has not confirmed %(number)s CDRs"),
    _("The oldest waits since %(time)s. They stay queued until it does: nobody is paid before."),
    _("Credentials with %(platform)s failed"),
    _("%(source)s of %(platform)s cannot be fetched"),
    _("%(number)s %(module)s cannot be sent to %(platform)s"),
    _("OCPI does not allow what they hold: correct it where it was entered."),
)
SENTENCES = (*HANDSHAKES, *DELIVERIES, *PROTOCOL, *ALERTS)
