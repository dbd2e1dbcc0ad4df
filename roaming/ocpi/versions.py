"""What a peer offers and where (2.2.1 version_information_endpoint.asciidoc)."""

import logging
from collections.abc import Sequence
from urllib.parse import quote, urlsplit, urlunsplit

from .client import OcpiClient
from .errors import NoMatchingEndpoints, PeerGarbage, UnsupportedVersion
from .guard import is_well_formed
from .keepable import is_text

logger = logging.getLogger(__name__)

Endpoints = dict[tuple[str, str], str]

TERMINALS = "terminals"
ADVICES = "financial-advice-confirmations"
# There are ten modules, some with two roles; more than this is no list of endpoints.
MOST_ENDPOINTS = 200
LONGEST_LIST_SHOWN = 100
URL_LENGTH = 255
# Spelled with underscores before DirectPayment 1.3.
_ADVICE_NAMES = (ADVICES, ADVICES.replace("-", "_"))


def fetch_endpoints(client: OcpiClient, versions_url: str, wanted: Sequence[str] = ("2.2.1",)) -> tuple[str, Endpoints]:
    """Highest version both sides have, and the peer's {(module, role): url} for it.

    `credentials` is always under SENDER, as its role means nothing. A second `payments` endpoint of one role
    is under `payments/<last part of its URL>`. Raises PeerError, and UnsupportedVersion when none matches.
    """
    offered = _offered(client.get(versions_url).data)
    mutual = [version for version in wanted if version in offered]
    if not mutual:
        shown = ", ".join(sorted(offered))[:LONGEST_LIST_SHOWN]
        raise UnsupportedVersion(f"The peer offers OCPI {shown or 'in no version'}, but {', '.join(wanted)} is needed")
    version = max(mutual, key=_order)
    return version, _endpoints(client.get(offered[version]).data)


def join(url: str, *segments: str) -> str:
    """`url` with path segments, exactly one slash between, each percent-encoded; a query stays at the end.

    ValueError for a segment that would lead elsewhere: empty, `.` or `..`.
    """
    if any(segment in ("", ".", "..") for segment in segments):
        raise ValueError(f"{segments!r} cannot be part of an address")
    parts = urlsplit(url)
    path = "/".join([parts.path.rstrip("/"), *(quote(segment, safe="") for segment in segments)])
    return urlunsplit(parts._replace(path=path))


def payments_urls(endpoint_urls: Sequence[str]) -> tuple[str, str]:
    """Addresses of the terminals and of the financial advices, from all `payments` endpoints of a peer.

    Peers list the module's root or either object's own address. NoMatchingEndpoints when there is none.
    """
    terminals = advices = root = ""
    for url in endpoint_urls:
        address = url.rstrip("/")
        parent, _, name = address.rpartition("/")
        if name == TERMINALS:
            terminals = terminals or address
            root = root or parent
        elif name in _ADVICE_NAMES:
            advices = advices or address
            root = root or parent
        else:
            root = address
    if not root:
        raise NoMatchingEndpoints("The peer lists no payments endpoint")
    return terminals or join(root, TERMINALS), advices or join(root, ADVICES)


def _offered(data: object) -> dict[str, str]:
    if not isinstance(data, list):
        raise PeerGarbage("The peer's versions address did not answer with a list of versions.")
    return {
        item["version"].strip(): item["url"]
        for item in data
        if isinstance(item, dict) and _is_name(item.get("version")) and _is_text(item.get("url"))
    }


def _endpoints(data: object) -> Endpoints:
    items = data.get("endpoints") if isinstance(data, dict) else None
    if not isinstance(items, list):
        raise PeerGarbage("The peer's version details have no list of endpoints.")
    if len(items) > MOST_ENDPOINTS:
        raise PeerGarbage(f"The peer's version details list more than {MOST_ENDPOINTS} endpoints.")
    result: Endpoints = {}
    for item in items:
        if not isinstance(item, dict) or not _is_name(item.get("identifier")) or not _is_address(item.get("url")):
            logger.warning("Passed over an endpoint of a peer that could not be called: %.200r", item)
            continue
        identifier, url = item["identifier"].strip().lower(), item["url"].strip()
        role = "SENDER" if identifier == "credentials" else str(item.get("role") or "").strip().upper()
        if identifier == "payments" and (identifier, role) in result:
            identifier = f"payments/{url.rstrip('/').rpartition('/')[2]}"
        result.setdefault((identifier, role), url)
    return result


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip()) and is_text(value)


def _is_name(value: object) -> bool:
    return _is_text(value) and str(value).isascii() and str(value).isprintable()


def _is_address(value: object) -> bool:
    """Whether it could be called at all: who lists another one does not offer the module."""
    return _is_text(value) and len(str(value).strip()) <= URL_LENGTH and is_well_formed(str(value).strip())


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
