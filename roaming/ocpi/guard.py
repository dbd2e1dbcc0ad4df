"""Which addresses we may call at all: peers choose them (credentials, endpoints, response_url).

A name is resolved once and the connection goes to the addresses that were judged, so that a name cannot
answer with a public address to the check and with an internal one to the connection.
"""

import ipaddress
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Any
from urllib.parse import urlsplit

from . import deadline
from .errors import PeerForbiddenAddress, PeerUnreachable

_DEFAULT_PORTS = {"http": 80, "https": 443}
# Characters on which URL parsers disagree about where the host ends.
_UNSAFE = re.compile(r"[\x00-\x20\x7f\\]")
_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*\.?", re.ASCII)
_NUMERIC_LABEL = re.compile(r"\d+|0x[0-9a-f]*", re.ASCII)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class PinnedTarget:
    """A judged address: connect to one of `addresses`, whatever the name says by then."""

    scheme: str
    host: str
    port: int
    addresses: tuple[str, ...]


def check_url(url: str, *, allow_private: bool, require_https: bool) -> PinnedTarget:
    """PeerForbiddenAddress when we must not call `url`, PeerUnreachable when its name is unknown.

    `allow_private` admits private, loopback and link-local addresses; multicast, reserved and unspecified
    ones are refused always.
    """
    scheme, host, port = check_form(url, allow_private=allow_private, require_https=require_https)
    addresses = _resolve(host, port)
    for address in addresses:
        _judge(host, address, allow_private=allow_private)
    return PinnedTarget(scheme, host, port, tuple(str(address) for address in addresses))


def check_form(url: str, *, allow_private: bool, require_https: bool) -> tuple[str, str, int]:
    """Scheme, host and port. As `check_url` without asking the DNS: refuses what no answer of it would mend."""
    scheme, host, port = _parse(url)
    if require_https and scheme != "https":
        raise PeerForbiddenAddress(
            f"{_shown(url)} is not encrypted: it must begin with https://.", "Ask the peer for such an address."
        )
    if _is_address(host):
        _judge(host, ipaddress.ip_address(host), allow_private=allow_private)
    return scheme, host, port


def is_well_formed(url: str) -> bool:
    """Whether it is a web address with a host at all, wherever it leads."""
    try:
        _parse(url)
    except PeerForbiddenAddress:
        return False
    return True


def _parse(url: str) -> tuple[str, str, int]:
    if _UNSAFE.search(url):
        raise PeerForbiddenAddress(f"{_shown(url)} contains a blank, a backslash or a control character.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise PeerForbiddenAddress(f"{_shown(url)} is not a valid web address.", "Correct it.") from None
    if parts.scheme not in _DEFAULT_PORTS:
        raise PeerForbiddenAddress(
            f"{_shown(url)} must begin with https:// or http://.", "Ask the peer for its full web address."
        )
    if "@" in parts.netloc:
        raise PeerForbiddenAddress(f"{_shown(url)} carries a user name or password.", "Remove the part before '@'.")
    if port == 0:
        raise PeerForbiddenAddress(f"{_shown(url)} names port 0.", "Correct the port.")
    return parts.scheme, _host(parts.hostname or "", url), port or _DEFAULT_PORTS[parts.scheme]


def _host(host: str, url: str) -> str:
    if ":" in host and "%" not in host:
        try:
            return str(IPv6Address(host))
        except ValueError:
            pass
    elif _NAME.fullmatch(host) and len(host) <= 254:
        if not _NUMERIC_LABEL.fullmatch(host.rstrip(".").rpartition(".")[2]):
            return host
        # A last label that is a number makes the host an IPv4 address for some libraries and a name for
        # others (127.1, 0x7f000001, 0177.0.0.1): only the ordinary spelling is unambiguous.
        try:
            return str(IPv4Address(host))
        except ValueError:
            pass
    raise PeerForbiddenAddress(
        f"{_shown(url)} has no usable host: a plain host name (punycode if it has special letters) or an address "
        "such as 192.0.2.1."
    )


def _resolve(host: str, port: int) -> list[IPv4Address | IPv6Address]:
    def ask() -> list[Any]:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)

    try:
        # An address needs no DNS, which may take its time.
        found = ask() if _is_address(host) else deadline.call(ask)
    except (OSError, UnicodeError):
        raise PeerUnreachable(f"The name {host} is not known to the DNS. Check its spelling.") from None
    texts = dict.fromkeys(str(entry[4][0]) for entry in found)
    addresses = [ipaddress.ip_address(text.partition("%")[0]) for text in texts]
    if not addresses:
        raise PeerUnreachable(f"The name {host} has no address.")
    return addresses


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _judge(host: str, address: IPv4Address | IPv6Address, *, allow_private: bool) -> None:
    for ip in _meanings(address):
        if ip.is_multicast or ip.is_unspecified or (ip.is_reserved and not ip.is_loopback):
            raise PeerForbiddenAddress(f"{host} leads to {address}, which is no address of a single computer.")
        if not allow_private and _is_internal(ip):
            raise PeerForbiddenAddress(
                f"{host} leads to {address}, an address inside a private network.",
                "Use a public address, or switch PEERS_ALLOW_PRIVATE_ADDRESSES on if this peer really runs in your own "
                "network.",
            )


def _is_internal(ip: IPv4Address | IPv6Address) -> bool:
    # is_global also excludes what is_private leaves out, such as 100.64.0.0/10, but not the old fec0::/10.
    return not ip.is_global or (isinstance(ip, IPv6Address) and ip.is_site_local)


def _meanings(address: IPv4Address | IPv6Address) -> Iterator[IPv4Address | IPv6Address]:
    """The address, or the IPv4 address it stands for; for 6to4 both."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    elif isinstance(address, IPv6Address) and address in _NAT64:
        yield IPv4Address(int(address) & 0xFFFFFFFF)
    else:
        yield address
    if isinstance(address, IPv6Address) and address.sixtofour is not None:
        yield address.sixtofour


def _shown(url: str) -> str:
    """The address for a message: no password, no control characters, not endless."""
    text = re.sub(r"//[^/?#]*@", "//", url)
    return ascii(text[:100] + ("…" if len(text) > 100 else ""))
