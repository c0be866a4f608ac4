"""HTTP to a triplestore: credentials, timeouts, retries, and every status looked at."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import httpx

from sheaf.errors import BadInput, SheafError, TemporaryFault

BUSY = frozenset({502, 503, 504})
ATTEMPTS = 4
FIRST_WAIT = 0.25  # seconds, doubled after each attempt
# A store may think for minutes over one load; a connection is there at once or not at all.
TIMEOUT = httpx.Timeout(600.0, connect=10.0, pool=30.0)


@dataclass(frozen=True, slots=True)
class Access:
    """How we show who we are: a bearer token, or user and password (RFC 6750, RFC 7617), or nothing."""

    token: str = field(default="", repr=False)
    user: str = ""
    password: str = field(default="", repr=False)

    def headers(self) -> dict[str, str]:
        """The Authorization header, if any."""
        if self.token:
            return {"Authorization": f"Bearer {self.token}"}
        if self.user:
            header = httpx.BasicAuth(self.user, self.password)._auth_header
            return {"Authorization": header}
        return {}


class Connection:
    """Requests to one triplestore. Thread-safe."""

    def __init__(self, base_url: str, access: Access, sleep: Callable[[float], None] = time.sleep) -> None:
        self.base_url = base_url.rstrip("/")
        self.access = access
        self._sleep = sleep
        self._client = httpx.Client(timeout=TIMEOUT, headers=access.headers(), follow_redirects=False)

    def send(
        self,
        method: str,
        url: str,
        *,
        content: bytes | Callable[[], Iterable[bytes]] | None = None,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        expect: Collection[int] = (200, 201, 202, 204),
    ) -> httpx.Response:
        """Send one request, again when the store is away or busy; its answer, when its status is an expected one.

        Only idempotent requests come through here: changes are sets of quads, and the same set twice is one set.
        """

        def once() -> httpx.Response:
            body = content() if callable(content) else content
            return self._client.request(method, url, content=body, headers=dict(headers or {}), params=params)

        response = self.again(url, once)
        if response.status_code not in expect:
            raise refusal(url, response.status_code, response.text)
        return response

    def stream(self, url: str, headers: Mapping[str, str]) -> Iterator[bytes]:
        """The body of a GET, block by block; ``TemporaryFault`` when it breaks off."""
        try:
            with self._client.stream("GET", url, headers=dict(headers)) as response:
                if response.status_code != 200:
                    response.read()
                    raise refusal(url, response.status_code, response.text)
                yield from response.iter_bytes(1 << 20)
        except httpx.TransportError as error:
            raise TemporaryFault(f"the triplestore at {url} broke off: {type(error).__name__}: {error}") from error

    def again(self, url: str, once: Callable[[], httpx.Response]) -> httpx.Response:
        """The answer of the first attempt that got one; ``TemporaryFault`` when the last did not."""
        trouble = ""
        for attempt in range(ATTEMPTS):
            if attempt:
                self._sleep(FIRST_WAIT * 2 ** (attempt - 1))
            try:
                response = once()
            except httpx.TimeoutException as error:
                raise TemporaryFault(
                    f"the triplestore at {url} did not answer in time ({type(error).__name__})"
                ) from error
            except httpx.TransportError as error:
                trouble = f"{type(error).__name__}: {error}"
                continue
            if response.status_code not in BUSY:
                return response
            trouble = f"status {response.status_code}: {response.text[:300].strip()}"
        raise TemporaryFault(f"the triplestore at {url} does not answer after {ATTEMPTS} attempts: {trouble}")

    def close(self) -> None:
        """Let the connections go."""
        self._client.close()


def refusal(url: str, status: int, text: str) -> SheafError:
    """What to raise for a status that nobody expected."""
    said = " ".join(text.split())[:500]
    if status in {401, 403}:
        fix = "set GLEANERIO_GRAPH_TOKEN, or GLEANERIO_GRAPH_USER and GLEANERIO_GRAPH_PASSWORD"
        return BadInput(f"the triplestore at {url} refused our credentials ({status}): {fix}. It said: {said}")
    if status >= 500:
        return TemporaryFault(f"the triplestore at {url} failed ({status}): {said}")
    return BadInput(f"the triplestore at {url} refused the request ({status}): {said}")
