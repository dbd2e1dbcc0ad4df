"""What a CPO does according to OCPI 2.2.1 and DirectPayment v1.9, in short, and how we decided where they are open."""

from dataclasses import dataclass
from enum import StrEnum


class Area(StrEnum):
    TRANSPORT = "Transport and authentication"
    PAGES = "Pagination"
    CREDENTIALS = "Versions and credentials"
    LOCATIONS = "Locations"
    TARIFFS = "Tariffs"
    SESSIONS = "Sessions"
    CDRS = "CDRs"
    COMMANDS = "Commands"
    DRIVERS = "Tokens, charging profiles, hub"
    PAYMENTS = "Payments"


@dataclass(frozen=True)
class Statement:
    """`choice`: what we do where the specifications are silent or contradict each other. `not_tested`: why."""

    number: int
    area: Area
    wording: str
    choice: str = ""
    not_tested: str = ""


LATER_VERSION = "concerns OCPI 2.3.0 only"
_T, _P, _C, _L = Area.TRANSPORT, Area.PAGES, Area.CREDENTIALS, Area.LOCATIONS
_A, _S, _R, _M = Area.TARIFFS, Area.SESSIONS, Area.CDRS, Area.COMMANDS
_D, _Y = Area.DRIVERS, Area.PAYMENTS

STATEMENTS = (
    Statement(1, _T, "No Authorization header: HTTP 401."),
    Statement(2, _T, "A token of nobody: HTTP 401, whatever the body."),
    Statement(3, _T, "Base64 tokens authenticate, also with a newline at the end of the decoded token."),
    Statement(
        4,
        _T,
        "Plain tokens authenticate too; a peer is called with the encoding that it understands.",
        "On HTTP 401 for versions the other encoding is tried and remembered.",
    ),
    Statement(5, _T, "A registration token opens versions and credentials only: elsewhere HTTP 401."),
    Statement(6, _T, "A body that is not JSON: HTTP 400 with an envelope."),
    Statement(7, _T, "JSON that breaks the schema: HTTP 200 with 2001.", "The message names the field and the rule."),
    Statement(8, _T, "A success has status_code 1000 and a timestamp in UTC."),
    Statement(
        9, _T, "X-Request-ID and X-Correlation-ID are repeated.", "Requests without them are served; we make both."
    ),
    Statement(10, _T, "Each request that we send has another X-Request-ID."),
    Statement(11, _T, "Answers of functional modules have the routing headers swapped."),
    Statement(12, _T, "No routing headers on versions, credentials and hubclientinfo."),
    Statement(
        13,
        _T,
        "OCPI-to names a party that we do not host: refused, nothing is done.",
        "HTTP 200 with 2001; 4001 is for hubs.",
    ),
    Statement(14, _T, "Header names are recognised in any case."),
    Statement(15, _T, "Trailing and doubled slashes reach the same handler."),
    Statement(16, _T, "A method that an address does not have: HTTP 405.", "With the header Allow."),
    Statement(17, _T, "Unknown fields are accepted."),
    Statement(18, _T, "GET of an unknown object: HTTP 404 with an envelope."),
    Statement(19, _T, "PATCH of an unknown object: HTTP 404, nothing is created."),
    Statement(20, _T, "What creates an object answers HTTP 201, what changes one 200."),
    Statement(21, _T, "A party of another peer in the address: HTTP 404, nothing is told."),
    Statement(22, _T, "The id in the body differs from the address: 2001, nothing is stored."),
    Statement(23, _T, "Ids and parties ignore case; the stored spelling is returned."),
    Statement(
        24,
        _T,
        "DateTimes without zone are UTC, fractions are fine, other zones are 2001.",
        "+00:00 is taken as Z, but never sent.",
    ),
    Statement(25, _T, "DateTimes that we send end in Z and have at most three decimals."),
    Statement(
        26,
        _T,
        "Updates are not queued for a peer that is away; it gets the present state when it asks.",
        "At most one request per object waits, for at most 10 minutes, and it carries the state of the moment it is "
        "sent. CDRs and terminal assignments are kept until taken, as the PTP cannot learn of them in time otherwise.",
    ),
    Statement(27, _P, "Link rel=next with an absolute URL and all filters, except on the last page."),
    Statement(28, _P, "X-Total-Count counts what matches the filters and is visible to the peer."),
    Statement(29, _P, "A larger limit than the maximum means the maximum; X-Limit tells it."),
    Statement(30, _P, "X-Limit is the maximum also on a short page.", "Also if the client asks for less."),
    Statement(31, _P, "Following Link from the start shows every object once."),
    Statement(32, _P, "date_from is inclusive, date_to exclusive."),
    Statement(33, _P, "What is created during a crawl changes no earlier page."),
    Statement(34, _P, "An offset beyond the end: HTTP 200, an empty list, no Link."),
    Statement(35, _P, "A limit, offset or date that makes no sense: 2001.", "limit=0 too."),
    Statement(36, _P, "Nothing matches: X-Total-Count 0 and an empty list."),
    Statement(37, _C, "Versions are shown to any valid token, also a registration token; HTTP 401 without."),
    Statement(38, _C, "Version details: identifier, role and url of each endpoint; credentials once."),
    Statement(39, _C, "payments (RECEIVER) is listed to PTPs only."),
    Statement(40, _C, "On POST credentials we read the peer's versions and details with its token before we answer."),
    Statement(41, _C, "The answer has a fresh token and our roles; the registration token is dead then."),
    Statement(42, _C, "The peer cannot be read: 3001, nothing is stored, the registration token stays good."),
    Statement(43, _C, "The peer lacks the version: 3002."),
    Statement(44, _C, "Required endpoints are missing: 3003.", "Required of a PTP: credentials and payments SENDER."),
    Statement(45, _C, "POST credentials of a registered peer: HTTP 405."),
    Statement(46, _C, "PUT and DELETE credentials with a registration token: HTTP 405."),
    Statement(
        47,
        _C,
        "PUT credentials: the peer is read again and gets a new token.",
        "The old token works until the new one is used, at most an hour: the answer may be lost.",
    ),
    Statement(48, _C, "PUT at another version's address switches to that version.", not_tested="there is 2.2.1 only"),
    Statement(49, _C, "DELETE credentials: the token gets HTTP 401, and we call the peer no more."),
    Statement(50, _C, "GET credentials: our URL and roles, and the token that the peer uses."),
    Statement(51, _C, "Required endpoints are missing when we begin: we do not POST."),
    Statement(52, _C, "Our token is valid while our POST is on its way."),
    Statement(53, _C, "Several roles: addresses of each of the peer's parties are accepted."),
    Statement(54, _C, "The same role, country and party twice: 2001."),
    Statement(55, _L, "A connector's change moves last_updated of connector, EVSE and Location."),
    Statement(56, _L, "A removed EVSE stays, with status REMOVED; no DELETE is sent."),
    Statement(57, _L, "Location, EVSE and Connector by address; unknown parts are HTTP 404."),
    Statement(58, _L, "A PATCH has last_updated and only what changed."),
    Statement(59, _L, "Coordinates are strings with 5 to 7 decimals."),
    Statement(60, _L, "twentyfourseven false comes with regular_hours."),
    Statement(61, _L, "No publish_allowed_to on a published Location."),
    Statement(
        62,
        _L,
        "A PTP sees tariff_ids on every connector and a physical_reference on every EVSE.",
        "Outlets without a tariff are not shown to it; without a reference, the end of the EVSE id is used.",
    ),
    Statement(63, _L, "A PTP's tariff_ids are ad hoc or untyped tariffs only."),
    Statement(
        64, _L, "No two tariffs of a type on a connector at a time.", "The form that would assign them is refused."
    ),
    Statement(65, _A, "Per dimension the first matching element that has it counts."),
    Statement(66, _A, "A dimension that no element matches is free."),
    Statement(67, _A, "A price change during a session begins a new charging period."),
    Statement(68, _A, "10 min TIME and 2 min PARKING_TIME of example 14 cost 0.55."),
    Statement(69, _A, "35 min TIME over two elements of example 14 are billed as 45: 1.30."),
    Statement(70, _A, "Free parking at the end: the last priced parking is rounded, 0.73."),
    Statement(71, _A, "4.3 and 1.1 kWh with a step of 500 Wh are billed as 5.5 kWh."),
    Statement(72, _A, "Step 0 and FLAT round nothing."),
    Statement(73, _A, "max_price caps net and gross independently."),
    Statement(74, _A, "min_price lifts net and gross independently."),
    Statement(75, _A, "No vat: gross is net and there is no tax line; vat 0: there is one."),
    Statement(76, _A, "end_time 00:00, or before start_time, runs to midnight or past it."),
    Statement(77, _A, "min_power is inclusive, max_power exclusive."),
    Statement(78, _A, "Example 17: expired 6.00; used after 22 min with 20 kWh 6.50."),
    Statement(
        79, _A, "A PTP's tariff has max_price, net and gross, and a text.", "max_price is the pre-authorisation."
    ),
    Statement(80, _A, "Tariff in the shape of 2.3.0.", not_tested=LATER_VERSION),
    Statement(81, _A, "A tariff is PUT before the location that names it, and deleted after."),
    Statement(
        82, _A, "A tariff can be read by its id.", "Extension: /tariffs/{id} and /tariffs/{country}/{party}/{id}."
    ),
    Statement(83, _S, "Sessions without date_from: 2001."),
    Statement(84, _S, "start_date_time is the moment of activation once the session is ACTIVE."),
    Statement(
        85,
        _S,
        "A PATCH appends charging periods.",
        "We PATCH without charging_periods, and PUT the session when its finished periods change.",
    ),
    Statement(86, _S, "No change is sent after COMPLETED."),
    Statement(87, _S, "A commanded session: auth_method COMMAND and the command's authorization_reference."),
    Statement(88, _S, "A reservation is a session with status RESERVATION."),
    Statement(89, _S, "Preferences at an EVSE that takes none: HTTP 404 and 2001."),
    Statement(90, _S, "Accepted preferences: the string ACCEPTED."),
    Statement(91, _R, "One CDR, POSTed once, never changed; the peer's Location is kept."),
    Statement(
        92,
        _R,
        "A wrong CDR is credited: new id, credit_reference_id, only total_cost negated.",
        "The credit's id is the original's with -C; a corrected CDR follows when staff correct the bill.",
    ),
    Statement(93, _R, "The CDR shows the location as it was at the start."),
    Statement(94, _R, "The parts add up to total_cost."),
    Statement(
        95,
        _R,
        "PARKING_TIME runs while the car asks for no power, not while we hold power back.",
        "OCPP SuspendedEV parks, SuspendedEVSE charges. Hours are cut to four decimals, total_time is their sum.",
    ),
    Statement(96, _R, "Volumes are as measured; no session-only dimension and no FLAT."),
    Statement(97, _R, "A long address is cut to 45 characters."),
    Statement(98, _R, "invoice_reference_id if we make the invoice, none if the PTP does."),
    Statement(99, _R, "A PTP's CDR has total_cost.incl_vat, at most max_price.incl_vat."),
    Statement(100, _R, "A peer lists its own CDRs only."),
    Statement(101, _M, "An unknown location, EVSE or connector: HTTP 200, 2003, REJECTED, no result later."),
    Statement(102, _M, "START_SESSION is ACCEPTED with a timeout before the charger has answered."),
    Statement(103, _M, "One CommandResult, to response_url unchanged, with the peer's token."),
    Statement(
        104,
        _M,
        "A silent charger: TIMEOUT before the timeout is over.",
        "The charger gets two thirds of the time that we announce.",
    ),
    Statement(105, _M, "EVSE_OCCUPIED and EVSE_INOPERATIVE.", "As CommandResult after ACCEPTED, also for offline."),
    Statement(106, _M, "An unknown or invalid token is forwarded all the same, and nobody is asked about it."),
    Statement(107, _M, "connector_id without evse_uid, or missing where required: 2001."),
    Statement(108, _M, "A PTP's start without evse_uid, connector_id or authorization_reference: 2001."),
    Statement(109, _M, "STOP_SESSION: UNKNOWN_SESSION, or REJECTED for another's.", "REJECTED for an ended one, too."),
    Statement(110, _M, "The same reservation_id replaces; the charger sees an id of ours.", "Per peer and location."),
    Statement(111, _M, "Our cancellation POSTs CANCELED_RESERVATION to the response_url of RESERVE_NOW."),
    Statement(
        112,
        _M,
        "A repeated authorization_reference starts nothing.",
        "Unique per peer: the same content gets the first answer, another content REJECTED.",
    ),
    Statement(
        113,
        _D,
        "Tokens are named with their type, RFID if none is given.",
        "A PUT without type whose body has another is meant as the body says.",
    ),
    Statement(114, _D, "A PATCH without last_updated: 2001."),
    Statement(115, _D, "NEVER asks the eMSP, ALWAYS does not, ALLOWED_OFFLINE allows when it cannot be reached."),
    Statement(116, _D, "HTTP 404 with 2004: the driver is refused, and the eMSP is not asked again."),
    Statement(117, _D, "UNKNOWN_SESSION, and TOO_OFTEN.", "More than six requests a minute for a session."),
    Statement(118, _D, "No ActiveChargingProfile to who never set one."),
    Statement(119, _D, "Nothing is sent to, or queued for, a party that its hub reports away."),
    Statement(120, _Y, "{terminal_id} alone is a terminal: HTTP 201, last_updated is filled."),
    Statement(121, _Y, "The same terminal again: HTTP 200, one object, our assignment stays."),
    Statement(122, _Y, "An assignment PATCHes full lists; none left is []."),
    Statement(
        123,
        _Y,
        "Areas and EVSEs of a terminal add up.",
        "A start is taken at every EVSE that the PTP sees, not only at those of a terminal.",
    ),
    Statement(
        124,
        _Y,
        "A terminal that we PUT is complete.",
        "What the PTP shows of it, with our customer reference, invoice address and assignment; a PTP that shows "
        "nothing, or takes no PUT, gets a PATCH of what is ours.",
    ),
    Statement(125, _Y, "Terminals and advices are listed to the peer that sent them."),
    Statement(126, _Y, "An advice puts its card data and status on the invoice; HTTP 201."),
    Statement(127, _Y, "An advice for an unknown reference waits for its session."),
    Statement(128, _Y, "FAILED without eft_data is taken: the invoice is unpaid."),
    Statement(129, _Y, "Both shapes of total_costs are understood.", "Answered in the shape of 2.2.1."),
    Statement(130, _Y, "The sample of DirectPayment 5.2.1.3 is not JSON: HTTP 400."),
    Statement(131, _Y, "Another PTP's terminals and advices: HTTP 404."),
    Statement(132, _Y, "We stop a session before it exceeds what was blocked."),
    Statement(133, _Y, "The invoice is there when the session ends, later with the card data."),
    Statement(134, _Y, "payments may be listed with or without a slash, or down to /terminals."),
    Statement(135, _Y, "Activation of a terminal.", not_tested=LATER_VERSION),
    Statement(136, _Y, "Deactivation of a terminal.", not_tested=LATER_VERSION),
)
