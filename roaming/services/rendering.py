"""Our rows as OCPI 2.2.1 objects, without `last_updated` of nested parts (see `documents.stamp`)."""

from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from chargers.choices import SessionStatus
from chargers.models import CDR, ChargingSession
from infrastructure import ids
from infrastructure.choices import Capability, EVSEStatus
from infrastructure.models import EVSE, Connector, Location, Operator
from roaming.models import RoamingProfile
from roaming.ocpi.types import format_datetime, number
from tariffs.services.versions import for_wholesale, ocpi_tariff

Json = dict[str, Any]

CDR_ADDRESS_LENGTH = 45  # CdrLocation.address is shorter than Location.address
CDR_STATE_LENGTH = 20
# Of a reservation that was never used (2.2.1 mod_cdrs, 10.4.2).
NO_OUTLET = dict.fromkeys(("evse_uid", "evse_id", "connector_id"), "#NA")


def filled(**fields: Any) -> Json:
    """The given fields without those that are absent in OCPI: None, empty text and empty lists."""
    return {name: value for name, value in fields.items() if value is not None and value != "" and value != []}


def coordinates(latitude: Decimal | None, longitude: Decimal | None) -> Json | None:
    """OCPI GeoLocation: strings with 5 to 7 decimals."""
    if latitude is None or longitude is None:
        return None
    return {"latitude": f"{latitude:.6f}", "longitude": f"{longitude:.6f}"}


def business_details(operator: Operator) -> Json:
    return filled(name=operator.name[:100], website=operator.website)


def location(area: Location, profile: RoamingProfile, evses: list[Json]) -> Json:
    """OCPI Location (8.3.1)."""
    return filled(
        country_code=profile.country_code,
        party_id=profile.party_id,
        id=area.roaming_id,
        publish=area.publish,
        publish_allowed_to=[] if area.publish else area.publish_allowed_to,
        name=area.name,
        address=area.address,
        city=area.city,
        postal_code=area.postal_code,
        state=area.state,
        country=area.effective_country,
        coordinates=coordinates(area.latitude, area.longitude),
        related_locations=area.related_locations,
        parking_type=area.parking_type,
        evses=evses,
        directions=area.directions,
        operator=business_details(area.operator),
        facilities=area.facilities,
        time_zone=area.effective_time_zone,
        opening_times=area.opening_times or {"twentyfourseven": True},
        charging_when_closed=area.charging_when_closed,
        images=area.images,
        energy_mix=area.energy_mix,
    )


def physical_references(outlets: Iterable[EVSE]) -> dict[int, str]:
    """What tells the EVSEs of one area apart at a terminal, by primary key: their own, else a part of the EVSE id.

    Where two have the same part, the charger stands before it: the second outlet of CP-7 is "CP-7-2".
    """
    rows = list(outlets)
    taken = Counter(one.effective_physical_reference.upper() for one in rows)
    return {
        one.pk: one.effective_physical_reference
        if one.physical_reference or taken[one.effective_physical_reference.upper()] == 1
        else f"{one.charger.identity}-{one.number}"[-ids.PHYSICAL_REFERENCE_LENGTH :]
        for one in rows
    }


def evse(outlet: EVSE, connectors: list[Json], physical_reference: str) -> Json:
    """OCPI EVSE (8.3.2). Every charger that we expose can be started and stopped remotely."""
    capabilities = dict.fromkeys([Capability.REMOTE_START_STOP_CAPABLE.value, *outlet.capabilities])
    return filled(
        uid=outlet.effective_uid,
        evse_id=outlet.evse_id,
        status=outlet.status,
        capabilities=list(capabilities),
        connectors=connectors,
        floor_level=outlet.floor_level,
        coordinates=coordinates(outlet.latitude, outlet.longitude),
        physical_reference=physical_reference,
        directions=outlet.directions,
        parking_restrictions=outlet.parking_restrictions,
        images=outlet.images,
    )


def removed(old_evse: Json) -> Json:
    """What was exposed once stays, with status REMOVED; it refers to no tariff, which may be deleted after it."""
    connectors = [{**plug} for plug in old_evse["connectors"]]
    for plug in connectors:
        plug.pop("tariff_ids", None)
    return {**old_evse, "status": EVSEStatus.REMOVED.value, "connectors": connectors}


def connector(plug: Connector, tariff_ids: list[str]) -> Json:
    """OCPI Connector (8.3.3)."""
    return filled(
        id=plug.roaming_id,
        standard=plug.standard,
        format=plug.format,
        power_type=plug.power_type,
        max_voltage=plug.max_voltage,
        max_amperage=plug.max_amperage,
        max_electric_power=plug.max_electric_power,
        tariff_ids=tariff_ids,
        terms_and_conditions=plug.terms_and_conditions,
    )


def cdr_location(plug: Connector) -> Json:
    """OCPI CdrLocation (10.4.2), frozen when a session starts."""
    outlet = plug.evse
    area = outlet.charger.location
    return filled(
        id=area.roaming_id,
        name=area.name,
        address=area.address[:CDR_ADDRESS_LENGTH],
        city=area.city,
        postal_code=area.postal_code,
        state=area.state[:CDR_STATE_LENGTH],
        country=area.effective_country,
        coordinates=coordinates(area.latitude, area.longitude),
        evse_uid=outlet.effective_uid,
        evse_id=outlet.evse_id,
        connector_id=plug.roaming_id,
        connector_standard=plug.standard,
        connector_format=plug.format,
        connector_power_type=plug.power_type,
    )


def price(excl_vat: Decimal | str, incl_vat: Decimal | str) -> Json:
    return {"excl_vat": number(Decimal(excl_vat)), "incl_vat": number(Decimal(incl_vat))}


def session(row: ChargingSession) -> Json:
    """OCPI Session (9.3.1). The running charging period is told by `kwh` and `total_cost` only: a period is
    listed once it is over, so that progress needs no more than a small PATCH."""
    is_over = row.status == SessionStatus.COMPLETED
    return filled(
        country_code=row.country_code,
        party_id=row.party_id,
        id=row.uid,
        start_date_time=format_datetime(row.started_at or row.created_at),
        end_date_time=format_datetime(row.ended_at) if row.ended_at else None,
        kwh=number(row.kwh),
        cdr_token=row.cdr_token,
        auth_method=row.auth_method,
        authorization_reference=row.authorization_reference,
        location_id=row.place.get("id"),
        evse_uid=row.place.get("evse_uid"),
        connector_id=row.place.get("connector_id"),
        currency=row.currency,
        charging_periods=row.charging_periods if is_over else row.charging_periods[:-1],
        total_cost=_session_cost(row),
        status=row.status,
    )


def _session_cost(row: ChargingSession) -> Json | None:
    """None while unknown: absent is not free."""
    if row.total_cost_excl_vat is None or row.total_cost_incl_vat is None:
        return None
    return price(row.total_cost_excl_vat, row.total_cost_incl_vat)


def cdr(row: CDR, *, for_terminals: bool) -> Json:
    """OCPI CDR (10.3.1) with location, token and tariff as at session start."""
    charging = row.session
    cost = row.cost
    parts = ("fixed", "energy", "time", "parking", "reservation")
    return filled(
        country_code=charging.country_code,
        party_id=charging.party_id,
        id=row.uid,
        start_date_time=format_datetime(row.start_date_time),
        end_date_time=format_datetime(row.end_date_time),
        session_id=charging.uid,
        cdr_token=charging.cdr_token,
        auth_method=charging.auth_method,
        authorization_reference=charging.authorization_reference,
        cdr_location=charging.place if charging.started_at else charging.place | NO_OUTLET,
        currency=row.currency,
        tariffs=_tariffs(charging, for_terminals=for_terminals),
        charging_periods=row.charging_periods,
        total_cost=price(row.total_cost_excl_vat, row.total_cost_incl_vat),
        **{f"total_{part}_cost": price(**cost[part]) for part in parts if part in cost},
        total_energy=number(row.total_energy),
        total_time=number(row.total_time),
        total_parking_time=number(row.total_parking_time),
        remark=row.remark,
        invoice_reference_id=row.invoice_reference_id,
        credit=True if row.is_credit else None,
        credit_reference_id=row.credited.uid if row.credited else None,
        last_updated=format_datetime(row.created_at),
    )


def _tariffs(row: ChargingSession, *, for_terminals: bool) -> list[Json]:
    """The one that priced the session, as at its start."""
    version, terms = row.tariff_version, row.retail_terms
    if version is None:
        return []
    tariff = ocpi_tariff(
        version,
        country_code=row.country_code,
        party_id=row.party_id,
        last_updated=version.created_at,
        # What is blocked on a card and told to its owner is not wholesale.
        for_terminals=for_terminals and terms is None,
    )
    if terms is not None:
        limit = None if row.limit is None else terms.wholesale_limit(row.limit)
        tariff = for_wholesale(tariff, version, limit)
    return [tariff]
