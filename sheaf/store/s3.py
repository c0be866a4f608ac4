"""The object store over the ``minio`` client: MinIO, ``rclone serve s3``, or any other S3."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import urllib3
from minio import Minio
from minio.deleteobjects import DeleteObject
from minio.error import InvalidResponseError, S3Error, ServerError
from urllib3.exceptions import HTTPError

from sheaf.errors import NotFound, SheafError, TemporaryFault
from sheaf.settings import Settings
from sheaf.store.objects import ObjectInfo, Readable, whole_prefix

MISSING = {"NoSuchKey", "NoSuchBucket", "NoSuchObject", "404"}
SINGLE_PUT_LIMIT = 5 * 1024**3  # S3's own limit for one PUT, bytes
COPY_BYTES = 1 << 20

T = TypeVar("T")


class RelabelledPool(urllib3.PoolManager):
    """``rclone serve s3`` labels its XML errors text/xml, which the minio client refuses to read."""

    def urlopen(self, method: str, url: str, redirect: bool = True, **kw: Any) -> Any:  # type: ignore[override]
        response = super().urlopen(method, url, redirect=redirect, **kw)
        if response.status >= 300 and response.headers.get("content-type", "").startswith("text/xml"):
            response.headers["content-type"] = "application/xml"
        return response


class S3Store:
    """``ObjectStore`` over one bucket. Thread-safe; connections are pooled, at most 32."""

    def __init__(self, client: Minio, bucket: str, pool: urllib3.PoolManager) -> None:
        self._client = client
        self._pool = pool
        self.bucket = bucket

    def _ask(self, what: str, call: Callable[[], T]) -> T:
        try:
            return call()
        except S3Error as error:
            if str(error.code) in MISSING:
                raise NotFound(f"there is no object {what} in bucket {self.bucket}") from None
            if error.code in {"SlowDown", "InternalError", "ServiceUnavailable", "XMinioServerNotInitialized"}:
                raise TemporaryFault(f"the object store could not serve {what}: {error.code}") from error
            raise SheafError(
                f"the object store refused {what} in bucket {self.bucket}: {error.code}, {error.message}"
            ) from error
        except (HTTPError, OSError, ServerError, InvalidResponseError) as error:
            raise TemporaryFault(f"the object store does not answer for {what}: {error}") from error

    def ensure_bucket(self) -> bool:
        """Make the bucket when it is missing; true when it was made."""
        if self._ask("", lambda: self._client.bucket_exists(self.bucket)):
            return False
        self._ask("", lambda: self._client.make_bucket(self.bucket))
        return True

    def get(self, key: str) -> bytes:
        def read() -> bytes:
            response = self._client.get_object(self.bucket, key)
            try:
                return bytes(response.read())
            finally:
                response.close()
                response.release_conn()

        return self._ask(key, read)

    def put(
        self,
        key: str,
        data: bytes,
        content_type: str = "application/octet-stream",
        metadata: dict[str, str] | None = None,
    ) -> ObjectInfo:
        meta: Any = {name: _header_value(value) for name, value in (metadata or {}).items()}
        done = self._ask(
            key,
            lambda: self._client.put_object(
                self.bucket, key, io.BytesIO(data), len(data), content_type=content_type, metadata=meta
            ),
        )
        return ObjectInfo(key, len(data), (done.etag or "").strip('"'), None, dict(metadata or {}))

    def put_file(self, key: str, path: Path, content_type: str = "application/octet-stream") -> ObjectInfo:
        # The client's own upload holds each part in memory; one signed PUT streams, on both sides.
        size = path.stat().st_size
        if size > SINGLE_PUT_LIMIT:
            done = self._ask(
                key, lambda: self._client.fput_object(self.bucket, key, str(path), content_type=content_type)
            )
            return ObjectInfo(key, size, (done.etag or "").strip('"'))

        def send() -> str:
            url = self._client.presigned_put_object(self.bucket, key, expires=timedelta(hours=6))
            with path.open("rb") as body:
                response = self._pool.urlopen(
                    "PUT",
                    url,
                    body=body,
                    headers={"Content-Length": str(size), "Content-Type": content_type},
                    retries=False,
                )
            if response.status >= 500:
                raise TemporaryFault(f"the object store answered {response.status} to the upload of {key}")
            if response.status != 200:
                raise SheafError(
                    f"the object store answered {response.status} to the upload of {key}: {response.data[:300]!r}"
                )
            return str(response.headers.get("etag", "")).strip('"')

        return ObjectInfo(key, size, self._ask(key, send))

    def download(self, key: str, path: Path) -> None:
        with self.open(key) as source, path.open("wb") as target:
            while chunk := source.read(COPY_BYTES):
                target.write(chunk)

    @contextmanager
    def open(self, key: str) -> Iterator[Readable]:
        response = self._ask(key, lambda: self._client.get_object(self.bucket, key))
        try:
            yield response
        except HTTPError as error:
            raise TemporaryFault(f"the object store stopped in the middle of {key}: {error}") from error
        finally:
            response.close()
            response.release_conn()

    def stat(self, key: str) -> ObjectInfo | None:
        try:
            found = self._ask(key, lambda: self._client.stat_object(self.bucket, key))
        except NotFound:
            return None
        prefix = "x-amz-meta-"
        headers = {str(k).lower(): str(v) for k, v in dict(found.metadata or {}).items()}
        meta = {k.removeprefix(prefix): v for k, v in headers.items() if k.startswith(prefix)}
        return ObjectInfo(key, found.size or 0, (found.etag or "").strip('"'), found.last_modified, meta)

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        whole_prefix(prefix)
        for found in self._pages(prefix, recursive=True):
            if not found.is_dir:
                yield ObjectInfo(found.object_name, found.size or 0, (found.etag or "").strip('"'), found.last_modified)

    def folders(self, prefix: str) -> Iterator[str]:
        whole_prefix(prefix)
        for found in self._pages(prefix, recursive=False):
            if found.is_dir:
                yield found.object_name.removeprefix(prefix).rstrip("/")

    def _pages(self, prefix: str, recursive: bool) -> Iterator[Any]:
        pages = iter(self._client.list_objects(self.bucket, prefix=prefix, recursive=recursive))
        while True:
            try:
                found = self._ask(prefix, lambda: next(pages, None))
            except NotFound:
                return
            if found is None:
                return
            yield found

    def delete(self, keys: Iterable[str]) -> int:
        count = 0

        def counted() -> Iterator[DeleteObject]:
            nonlocal count
            for key in keys:
                count += 1
                yield DeleteObject(key)

        errors = self._ask("(a deletion)", lambda: list(self._client.remove_objects(self.bucket, counted())))
        bad = [error for error in errors if error.code not in MISSING]
        if bad:
            raise SheafError(
                f"the object store did not delete {len(bad)} objects, first {bad[0].name}: {bad[0].message}"
            )
        return count


PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))


def _header_value(value: str) -> str:
    """User metadata travels in headers: control characters and non-ASCII would break the request."""
    return quote(value, safe=PRINTABLE, errors="replace")[:1024]


def open_store(settings: Settings) -> S3Store:
    """The bucket that the settings name. Does not connect yet."""
    pool = RelabelledPool(
        num_pools=4,
        maxsize=32,
        timeout=urllib3.Timeout(connect=10, read=120),
        retries=urllib3.Retry(
            total=4, backoff_factor=0.3, status_forcelist=[500, 502, 503, 504], raise_on_status=False
        ),
    )
    client = Minio(
        settings.minio_endpoint,
        access_key=settings.minio_access_key.get_secret_value(),
        secret_key=settings.minio_secret_key.get_secret_value(),
        secure=settings.minio_use_ssl,
        region=settings.minio_region,
        http_client=pool,
    )
    return S3Store(client, settings.minio_bucket, pool)
