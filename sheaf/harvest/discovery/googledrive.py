"""A Google Drive folder as a source: its files, and those of its sub folders, read with a service account.

The source's ``url`` ends in the folder's id; ``credentialsfile`` is the service account's JSON key, whose
``token_uri`` grants the access token (RFC 7523). A folder URL on a host that is not Google's names a proxy or a
stand-in that speaks the same API (Drive v3) there.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import httpx
import orjson
from Crypto.Hash import SHA256
from Crypto.PublicKey import RSA
from Crypto.Signature import pkcs1_15

from sheaf.errors import BadInput
from sheaf.harvest.discovery.types import DiscoveryReport, FetchFault, Found, status_reason

GOOGLE_API = "https://www.googleapis.com"
SCOPE = "https://www.googleapis.com/auth/drive.readonly"
TIMEOUT = httpx.Timeout(60.0, connect=15.0)
MAX_FOLDERS = 1000
PAGE_SIZE = 1000
ATTEMPTS = 4

_FOLDER = "application/vnd.google-apps.folder"
_FIELDS = "nextPageToken,files(id,name,mimeType,modifiedTime,size,webViewLink)"
_DOCUMENTS = re.compile(r"\.(json|jsonld|json-ld|html?|xhtml|txt)$", re.IGNORECASE)
_DOCUMENT_TYPES = frozenset(
    {"application/json", "application/ld+json", "text/html", "application/xhtml+xml", "text/plain"}
)
_ID = re.compile(r"[A-Za-z0-9_-]{1,200}")

Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True, repr=False)
class ServiceAccount:
    """The parts of a service account's key that a token is asked for with. Its repr shows no key."""

    email: str
    key_id: str
    private_key: str
    token_uri: str

    def __repr__(self) -> str:
        return f"ServiceAccount({self.email})"


@dataclass(frozen=True, slots=True)
class DriveFile:
    """One file of the listing; ``modified`` is RFC 3339 text."""

    id: str
    name: str
    kind: str
    modified: str
    link: str


def read_service_account(path: str) -> ServiceAccount:
    """The key file that a source's ``credentialsfile`` names. Raises BadInput with the file and what is wrong."""
    if not path:
        raise BadInput("a googledrive source needs a credentialsfile: the service account's key as JSON")
    try:
        raw = json.loads(Path(path).read_text(encoding="utf-8"))
        account = ServiceAccount(
            email=str(raw["client_email"]),
            key_id=str(raw.get("private_key_id", "")),
            private_key=str(raw["private_key"]),
            token_uri=str(raw.get("token_uri", "https://oauth2.googleapis.com/token")),
        )
        RSA.import_key(account.private_key)
    except OSError as error:
        raise BadInput(f"{path}: the credentials cannot be read ({error.strerror}); set credentialsfile") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"{path}: no service account key: {error} is missing; download it again as JSON") from error
    except (ValueError, IndexError) as error:
        # The error's own text may quote the file, and with it the key.
        raise BadInput(f"{path}: no service account key ({type(error).__name__}); download it again as JSON") from error
    return account


def folder_of(url: str) -> str:
    """The folder's id: ``?id=``, else the last path segment. Raises BadInput when there is none."""
    parts = urlsplit(url)
    found = parse_qs(parts.query).get("id", [""])[0] or parts.path.rstrip("/").rpartition("/")[2]
    if not _ID.fullmatch(found):
        raise BadInput(f"the url of a googledrive source ends in a folder's id, {url!r} does not")
    return found


def api_base(url: str) -> str:
    """Where the Drive API of a folder URL is. Raises BadInput for plain http to another machine: a token goes there."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    if host in ("drive.google.com", "docs.google.com", "www.googleapis.com"):
        return GOOGLE_API
    if parts.scheme == "https" or host in ("127.0.0.1", "localhost", "::1"):
        return f"{parts.scheme}://{parts.netloc}"
    raise BadInput(f"an access token is sent over https only; {url!r} is not on Google, not https and not local")


async def drive_files(
    url: str,
    account: ServiceAccount,
    max_bytes: int,
    report: DiscoveryReport,
    http: httpx.AsyncClient,
    *,
    clock: Callable[[], float] = time.time,
    sleep: Sleep = asyncio.sleep,
) -> AsyncGenerator[Found, None]:
    """Every JSON-LD, HTML or text file of the folder, one by one, as it is downloaded.

    A file that fails is recorded and the others still come. Google's own formats and other types are counted as
    refused (bad_content_type). ``Found.url`` is the file's page on Drive, ``lastmod`` its modifiedTime.
    """
    drive = _Drive(api_base(url), account, http, clock, sleep)
    folders = [folder_of(url)]
    seen = set(folders)
    while folders:
        folder = folders.pop(0)
        report.sitemaps += 1
        try:
            async for file in drive.listing(folder):
                if file.kind == _FOLDER:
                    if file.id not in seen and len(seen) < MAX_FOLDERS:
                        seen.add(file.id)
                        folders.append(file.id)
                    elif file.id not in seen:
                        report.error(file.link, "too_many_sitemaps", f"more than {MAX_FOLDERS} folders")
                elif not _wanted(file):
                    report.refuse(file.link, "bad_content_type", f"{file.name}: {file.kind}")
                else:
                    body = await _download(drive, file, max_bytes, report)
                    if body is not None:
                        yield Found(file.link, file.modified, body, _content_type(file))
        except FetchFault as fault:
            report.error(url, fault.reason, f"folder {folder}: {fault.detail}")
            if fault.reason == "credentials_missing":
                return


async def _download(drive: _Drive, file: DriveFile, max_bytes: int, report: DiscoveryReport) -> bytes | None:
    try:
        return await drive.download(file.id, max_bytes)
    except FetchFault as fault:
        # The file is listed, so it is not gone: the engine must not take it for that.
        report.error(file.link, fault.reason, f"{file.name}: {fault.detail}")
        return None


def _wanted(file: DriveFile) -> bool:
    if file.kind.startswith("application/vnd.google-apps."):
        return False
    return file.kind in _DOCUMENT_TYPES or _DOCUMENTS.search(file.name) is not None


def _content_type(file: DriveFile) -> str:
    """Drive guesses types by name and calls .jsonld an octet stream."""
    if re.search(r"\.(jsonld|json|json-ld)$", file.name, re.IGNORECASE):
        return "application/ld+json"
    return file.kind if file.kind in _DOCUMENT_TYPES else "text/html"


class _Drive:
    """The three calls of the API that are needed: grant, list, download."""

    def __init__(
        self, base: str, account: ServiceAccount, http: httpx.AsyncClient, clock: Callable[[], float], sleep: Sleep
    ) -> None:
        self._base = base
        self._account = account
        self._http = http
        self._clock = clock
        self._sleep = sleep
        self._token = ""
        self._expires = 0.0

    async def listing(self, folder: str) -> AsyncGenerator[DriveFile, None]:
        """The files of one folder, page by page. Raises FetchFault."""
        query = {
            "q": f"'{folder}' in parents and trashed = false",
            "fields": _FIELDS,
            "pageSize": str(PAGE_SIZE),
            "orderBy": "name",
            "supportsAllDrives": "true",
            "includeItemsFromAllDrives": "true",
        }
        tokens: set[str] = set()
        while True:
            body = await self._call(f"{self._base}/drive/v3/files", query, 64 * 1024 * 1024)
            try:
                page = orjson.loads(body)
                for raw in page.get("files", []):
                    yield _drive_file(raw)
            except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError) as error:
                raise FetchFault("api_unreadable", f"the listing is not what Drive v3 sends: {error}") from error
            token = page.get("nextPageToken")
            if not token:
                return
            if token in tokens:
                raise FetchFault("api_repeated_page", "the listing gave the same page token twice")
            tokens.add(token)
            query["pageToken"] = token

    async def download(self, file_id: str, max_bytes: int) -> bytes:
        """The content of one file. Raises FetchFault."""
        query = {"alt": "media", "supportsAllDrives": "true"}
        return await self._call(f"{self._base}/drive/v3/files/{quote(file_id, safe='')}", query, max_bytes)

    async def _call(self, url: str, query: dict[str, str], max_bytes: int) -> bytes:
        for attempt in range(ATTEMPTS):
            token = await self._access_token()
            wait = 2.0**attempt
            try:
                status, body, retry_after = await self._get(url, query, token, max_bytes)
            except httpx.TransportError as error:
                if attempt == ATTEMPTS - 1:
                    raise FetchFault("request_failed", f"{type(error).__name__}: {error}") from error
                await self._sleep(wait)
                continue
            if status == 200:
                return body
            limited = status == 403 and b"imitExceeded" in body  # Drive's way of saying 429
            if status == 401 and attempt == 0:
                self._token = ""
                continue
            if not (status == 429 or status >= 500 or limited) or attempt == ATTEMPTS - 1:
                raise FetchFault(status_reason(status), f"status {status}: {_message(body)}")
            await self._sleep(min(max(wait, retry_after), 60.0))
        raise FetchFault("http_401_unauthorized", "a fresh token was refused")

    async def _get(self, url: str, query: dict[str, str], token: str, max_bytes: int) -> tuple[int, bytes, float]:
        headers = {"Authorization": f"Bearer {token}"}
        async with self._http.stream("GET", url, params=query, headers=headers) as answer:
            body = bytearray()
            async for chunk in answer.aiter_bytes():
                body += chunk
                if len(body) > max_bytes:
                    raise FetchFault("too_large", f"more than {max_bytes} bytes")
            after = answer.headers.get("retry-after", "")
            return answer.status_code, bytes(body), float(after) if after.isdecimal() else 0.0

    async def _access_token(self) -> str:
        """A token with at least a minute to live. Raises FetchFault credentials_missing when it is refused."""
        now = self._clock()
        if self._token and now < self._expires - 60:
            return self._token
        form = {
            "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
            "assertion": signed_assertion(self._account, int(now)),
        }
        try:
            answer = await self._http.post(self._account.token_uri, data=form)
        except httpx.HTTPError as error:
            raise FetchFault("request_failed", f"{self._account.token_uri}: {type(error).__name__}") from error
        try:
            granted: Any = answer.json() if answer.status_code == 200 else {}
            self._token = str(granted["access_token"])
            self._expires = now + float(granted.get("expires_in", 3600))
        except (KeyError, TypeError, ValueError) as error:
            detail = f"no token for {self._account.email}: status {answer.status_code}: {_message(answer.content)}"
            raise FetchFault("credentials_missing", detail) from error
        return self._token


def signed_assertion(account: ServiceAccount, now: int) -> str:
    """The JWT (RS256, RFC 7515 and 7523) that is exchanged for an access token; ``now`` in seconds since 1970."""
    header = {"alg": "RS256", "typ": "JWT"} | ({"kid": account.key_id} if account.key_id else {})
    claims = {"iss": account.email, "scope": SCOPE, "aud": account.token_uri, "iat": now, "exp": now + 3600}
    signed = b".".join(_base64url(orjson.dumps(part)) for part in (header, claims))
    signature = pkcs1_15.new(RSA.import_key(account.private_key)).sign(SHA256.new(signed))
    return (signed + b"." + _base64url(signature)).decode("ascii")


def _base64url(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _drive_file(raw: dict[str, Any]) -> DriveFile:
    file_id = str(raw["id"])
    link = str(raw.get("webViewLink") or f"https://drive.google.com/file/d/{quote(file_id, safe='')}/view")
    return DriveFile(
        file_id, str(raw.get("name", "")), str(raw.get("mimeType", "")), str(raw.get("modifiedTime", "")), link
    )


def _message(body: bytes) -> str:
    """What an error answer says: Google's JSON errors in their two forms, else the start of the body."""
    try:
        error = orjson.loads(body)["error"]
        if isinstance(error, dict):
            return str(error.get("message", ""))[:300]
        return f"{error} {orjson.loads(body).get('error_description', '')}"[:300].strip()
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return body[:200].decode("utf-8", "replace")
