"""Which addresses a harvest may talk to: private, loopback and link-local ones are refused, after DNS.

The connection is then pinned to the address that was looked at, so that a name cannot mean another one a moment later
(DNS rebinding).
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import time
from collections.abc import Awaitable, Callable

from sheaf.harvest.discovery.types import FetchFault

# RFC 6598 shared address space is not "private" to the ipaddress module, and no public web lies in it.
_SHARED = ipaddress.ip_network("100.64.0.0/10")
_KEEP_SECONDS = 300.0

Lookup = Callable[[str, int], Awaitable[list[str]]]


def forbidden(address: str) -> str:
    """Why this address is not part of the public internet, "" when it is (RFC 1918, 3927, 4193, 6598, 6890)."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is not None:
            return forbidden(str(inner))
    for word in ("is_loopback", "is_link_local", "is_multicast", "is_unspecified", "is_private", "is_reserved"):
        if getattr(ip, word):
            return word.removeprefix("is_").replace("_", "-")
    return "shared (RFC 6598)" if isinstance(ip, ipaddress.IPv4Address) and ip in _SHARED else ""


async def system_lookup(host: str, port: int) -> list[str]:
    """The addresses of a host by the system's resolver, in its order."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Addresses:
    """Resolves hosts and refuses what is not public.

    A source whose own host is such an address (a repository in the same network) may use the others of that kind:
    loopback if it is loopback, private if it is private, and no more. Raises ``FetchFault`` with ``dns_error`` or
    ``blocked_address``.
    """

    def __init__(
        self, own_host: str, *, allow_private: bool = False, lookup: Lookup = system_lookup, timeout: float = 10.0
    ) -> None:
        self._own_host = own_host.lower().strip("[]")
        self._allow_private = allow_private
        self._lookup = lookup
        self._timeout = timeout
        self._own_kinds: set[str] | None = None
        self._known: dict[str, tuple[float, list[str]]] = {}

    async def of(self, host: str, port: int) -> list[str]:
        """The addresses of a host that may be connected to; kept for five minutes."""
        host = host.lower().strip("[]")
        found = self._known.get(host)
        if found and time.monotonic() - found[0] < _KEEP_SECONDS:
            return found[1]
        addresses = await self._resolve(host, port)
        if not self._allow_private and host != self._own_host:
            for address in addresses:
                why = forbidden(address)
                if why and why not in await self._kinds_of_own_host(port):
                    raise FetchFault(
                        "blocked_address",
                        f"{host} is {address}, a {why} address; set allow_private for this source if that is meant",
                    )
        self._known[host] = (time.monotonic(), addresses)
        return addresses

    async def _kinds_of_own_host(self, port: int) -> set[str]:
        if self._own_kinds is None:
            try:
                self._own_kinds = {forbidden(address) for address in await self._resolve(self._own_host, port)}
            except FetchFault:
                return set()
        return self._own_kinds

    async def _resolve(self, host: str, port: int) -> list[str]:
        try:
            return [str(ipaddress.ip_address(host))]
        except ValueError:
            pass
        try:
            async with asyncio.timeout(self._timeout):
                addresses = await self._lookup(host, port)
        except TimeoutError:
            raise FetchFault("dns_error", f"{host} did not resolve within {self._timeout:g} s") from None
        except (OSError, UnicodeError) as error:
            raise FetchFault("dns_error", f"{host} does not resolve: {error}") from error
        if not addresses:
            raise FetchFault("dns_error", f"{host} has no address")
        return addresses
