"""Google Drive folders, against a local stand-in that checks tokens and speaks the parts of Drive v3 that we use."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from Crypto.Hash import SHA256
from Crypto.PublicKey import RSA
from Crypto.Signature import pkcs1_15

from sheaf.errors import BadInput
from sheaf.harvest.discovery import DiscoveryReport, Found, discover
from sheaf.harvest.discovery.googledrive import GOOGLE_API, api_base, drive_files, folder_of, read_service_account
from tests.unit.discovery_site import Site, source

KEY = RSA.generate(2048)
EMAIL = "harvester@project.iam.gserviceaccount.com"
FOLDER = "application/vnd.google-apps.folder"


@dataclass
class Drive:
    """What the stand-in holds and what it was asked."""

    folders: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)
    page_size: int = 2
    trouble: list[tuple[str, int, bytes]] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    lives: int = 3600
    base: str = ""

    def add(
        self, folder: str, file_id: str, content: bytes | None, name: str = "", kind: str = "application/json"
    ) -> None:
        """Put a file (or, with no content, a folder) into a folder."""
        entry = {"id": file_id, "name": name or f"{file_id}.json", "mimeType": kind if content is not None else FOLDER}
        self.folders.setdefault(folder, []).append(entry | {"modifiedTime": "2024-01-01T00:00:00.000Z"})
        if content is not None:
            self.contents[file_id] = content


def _verified(assertion: str) -> dict[str, Any]:
    """The claims of a JWT whose signature is right."""

    def decode(part: str) -> bytes:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))

    head, claims, signature = assertion.split(".")
    assert json.loads(decode(head)) == {"alg": "RS256", "typ": "JWT", "kid": "key-1"}
    pkcs1_15.new(KEY.public_key()).verify(SHA256.new(f"{head}.{claims}".encode()), decode(signature))
    verified: dict[str, Any] = json.loads(decode(claims))
    return verified


def _handler(drive: Drive) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            """Nothing: the tests look at ``drive.calls``."""

        def _send(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            drive.calls.append("token")
            claims = _verified(form["assertion"][0])
            good = (
                form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
                and claims["iss"] == EMAIL
                and claims["aud"] == f"{drive.base}/token"
                and claims["scope"] == "https://www.googleapis.com/auth/drive.readonly"
                and claims["exp"] - claims["iat"] == 3600
            )
            if not good or drive.lives == 0:
                self._send(400, b'{"error": "invalid_grant", "error_description": "Invalid JWT Signature."}')
                return
            drive.tokens.append(f"token-{len(drive.tokens)}")
            self._send(200, json.dumps({"access_token": drive.tokens[-1], "expires_in": drive.lives}).encode())

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {key: values[0] for key, values in parse_qs(parts.query).items()}
            drive.calls.append(parts.path)
            if not drive.tokens or self.headers.get("Authorization") != f"Bearer {drive.tokens[-1]}":
                self._send(401, b'{"error": {"code": 401, "message": "Invalid Credentials"}}')
                return
            for n, (path, status, body) in enumerate(drive.trouble):
                if parts.path.endswith(path):
                    del drive.trouble[n]
                    self._send(status, body)
                    return
            if parts.path == "/drive/v3/files":
                self._list(query)
            elif query.get("alt") == "media" and parts.path.rpartition("/")[2] in drive.contents:
                self._send(200, drive.contents[parts.path.rpartition("/")[2]])
            else:
                self._send(404, b'{"error": {"code": 404, "message": "File not found"}}')

        def _list(self, query: dict[str, str]) -> None:
            folder = query["q"].split("'")[1]
            assert query["q"] == f"'{folder}' in parents and trashed = false"
            start = int(query.get("pageToken", "0"))
            files = drive.folders.get(folder, [])
            page: dict[str, Any] = {"files": files[start : start + drive.page_size]}
            if start + drive.page_size < len(files):
                page["nextPageToken"] = str(start + drive.page_size)
            self._send(200, json.dumps(page).encode())

    return Handler


@pytest.fixture
def drive() -> Iterator[Drive]:
    held = Drive()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(held))
    held.base = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield held
    server.shutdown()
    server.server_close()


def credentials(drive: Drive, folder: Path, **changes: object) -> str:
    """A service account's key file whose token_uri is the stand-in's."""
    key = {
        "type": "service_account",
        "client_email": EMAIL,
        "private_key_id": "key-1",
        "private_key": KEY.export_key("PEM", pkcs=8).decode(),
        "token_uri": f"{drive.base}/token",
    }
    path = folder / "credentials.json"
    path.write_text(json.dumps({name: value for name, value in (key | changes).items() if value is not None}))
    return str(path)


def harvest(
    drive: Drive, folder: Path, clock: Callable[[], float] = time.time, root: str = "root1"
) -> tuple[list[Found], DiscoveryReport, list[float]]:
    """All files of a folder, the report, and how long it wanted to wait between attempts."""
    report, waits = DiscoveryReport(), list[float]()

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    async def collect() -> list[Found]:
        account = read_service_account(credentials(drive, folder))
        async with httpx.AsyncClient(timeout=10) as http:
            url = f"{drive.base}/drive/folders/{root}"
            return [f async for f in drive_files(url, account, 1000, report, http, clock=clock, sleep=sleep)]

    return asyncio.run(collect()), report, waits


def test_every_page_of_a_folder_s_listing_is_read_and_its_files_downloaded(drive: Drive, tmp_path: Path) -> None:
    for n in range(5):
        drive.add("root1", f"f{n}", b'{"@id": "%d"}' % n)
    found, report, _ = harvest(drive, tmp_path)
    assert [page.item for page in found] == [b'{"@id": "%d"}' % n for n in range(5)]
    assert found[0] == Found(
        "https://drive.google.com/file/d/f0/view", "2024-01-01T00:00:00.000Z", b'{"@id": "0"}', "application/ld+json"
    )
    assert drive.calls.count("token") == 1
    assert drive.calls.count("/drive/v3/files") == 3
    assert report.complete


def test_discover_reads_a_googledrive_source_with_its_credentialsfile(drive: Drive, tmp_path: Path) -> None:
    drive.add("root1", "f", b'{"@id": "x"}')
    drive.add("root1", "f", b'{"@id": "x"}')  # one file in the listing twice
    settings = source(
        f"{drive.base}/drive/folders/root1", sourcetype="googledrive", credentialsfile=credentials(drive, tmp_path)
    )
    report = DiscoveryReport()

    async def collect() -> list[Found]:
        return [page async for page in discover(settings, Site().fetch, report)]

    assert [page.item for page in asyncio.run(collect())] == [b'{"@id": "x"}']
    assert (report.urls, report.duplicates, report.complete) == (1, 1, True)


def test_sub_folders_are_read_once_each_also_in_a_circle(drive: Drive, tmp_path: Path) -> None:
    drive.add("root1", "sub", None)
    drive.add("root1", "a", b"{}")
    drive.add("sub", "root1", None)
    drive.add("sub", "sub", None)
    drive.add("sub", "b", b"{}")
    found, report, _ = harvest(drive, tmp_path)
    assert [page.url.split("/")[5] for page in found] == ["a", "b"]
    assert report.sitemaps == 2


def test_files_that_hold_no_documents_are_counted_and_not_downloaded(drive: Drive, tmp_path: Path) -> None:
    drive.add("root1", "a", b"x", "a.jsonld", "application/octet-stream")
    drive.add("root1", "b", b"x", "b.html", "text/html")
    drive.add("root1", "c", b"x", "c.png", "image/png")
    drive.add("root1", "d", b"x", "d", "application/vnd.google-apps.document")
    found, report, _ = harvest(drive, tmp_path)
    assert [page.content_type for page in found] == ["application/ld+json", "text/html"]
    assert report.counts["bad_content_type"] == 2
    assert "/drive/v3/files/c" not in drive.calls
    assert report.complete


def test_a_file_that_fails_is_recorded_and_the_others_still_come(drive: Drive, tmp_path: Path) -> None:
    for n in range(3):
        drive.add("root1", f"f{n}", b"{}")
    del drive.contents["f1"]
    found, report, _ = harvest(drive, tmp_path)
    assert [page.url.split("/")[5] for page in found] == ["f0", "f2"]
    assert [(reason, detail) for _, reason, detail in report.errors] == [
        ("http_404_not_found", "f1.json: status 404: File not found")
    ]
    assert not report.complete


def test_a_file_beyond_the_size_cap_is_not_downloaded_to_its_end(drive: Drive, tmp_path: Path) -> None:
    drive.add("root1", "big", b"x" * 5_000_000)
    found, report, _ = harvest(drive, tmp_path)
    assert found == []
    assert report.counts["too_large"] == 1


def test_rate_limits_and_server_errors_are_waited_for_and_tried_again(drive: Drive, tmp_path: Path) -> None:
    drive.add("root1", "f", b"{}")
    limit = b'{"error": {"code": 403, "message": "slow", "errors": [{"reason": "userRateLimitExceeded"}]}}'
    drive.trouble = [("/files", 503, b""), ("/files/f", 403, limit), ("/files/f", 429, b"")]
    found, report, waits = harvest(drive, tmp_path)
    assert len(found) == 1
    assert waits == [1.0, 1.0, 2.0]
    assert report.complete


def test_a_server_that_stays_down_is_given_up_and_the_discovery_incomplete(drive: Drive, tmp_path: Path) -> None:
    drive.trouble = [("/files", 500, b"")] * 10
    found, report, waits = harvest(drive, tmp_path)
    assert found == []
    assert len(waits) == 3
    assert report.counts["http_500_server_error"] == 1
    assert not report.complete


def test_a_token_about_to_run_out_is_renewed(drive: Drive, tmp_path: Path) -> None:
    for n in range(4):
        drive.add("root1", f"f{n}", b"{}")
    now = [1_700_000_000.0]

    def clock() -> float:
        now[0] += 1000.0
        return now[0]

    found, _, _ = harvest(drive, tmp_path, clock)
    assert len(found) == 4
    assert drive.calls.count("token") == 2 or drive.calls.count("token") == 3


def test_a_token_that_is_refused_is_asked_for_once_more(drive: Drive, tmp_path: Path) -> None:
    drive.add("root1", "f", b"{}")
    drive.trouble = [("/files/f", 401, b"{}")]
    found, _, _ = harvest(drive, tmp_path)
    assert len(found) == 1
    assert drive.calls.count("token") == 2


def test_refused_credentials_are_named_as_such_without_the_key(drive: Drive, tmp_path: Path) -> None:
    drive.lives = 0
    found, report, _ = harvest(drive, tmp_path)
    assert found == []
    [(_, reason, detail)] = report.errors
    assert reason == "credentials_missing"
    assert EMAIL in detail
    assert "Invalid JWT Signature" in detail
    assert "PRIVATE" not in detail
    assert not report.complete


def test_a_credentials_file_that_cannot_be_used_says_what_is_wrong_without_the_key(
    drive: Drive, tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match="needs a credentialsfile"):
        read_service_account("")
    with pytest.raises(BadInput, match="cannot be read"):
        read_service_account(str(tmp_path / "none.json"))
    with pytest.raises(BadInput, match="'client_email' is missing"):
        read_service_account(credentials(drive, tmp_path, client_email=None))
    with pytest.raises(BadInput, match="no service account key") as refused:
        read_service_account(credentials(drive, tmp_path, private_key="-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n"))
    assert "c2VjcmV0" not in str(refused.value)
    assert "PRIVATE" not in repr(read_service_account(credentials(drive, tmp_path)))


def test_the_folder_s_id_and_the_api_follow_from_the_url() -> None:
    assert folder_of("https://drive.google.com/drive/u/0/folders/1Tac-U_q?usp=sharing") == "1Tac-U_q"
    assert folder_of("https://drive.google.com/open?id=abc") == "abc"
    assert api_base("https://drive.google.com/drive/folders/x") == GOOGLE_API
    assert api_base("https://proxy.example.org/folders/x") == "https://proxy.example.org"
    with pytest.raises(BadInput, match="folder's id"):
        folder_of("https://drive.google.com/drive/folders/a'b")
    with pytest.raises(BadInput, match="https only"):
        api_base("http://proxy.example.org/folders/x")
