"""What went wrong on the way to a server, as a reason code (``states.REASONS``)."""

from __future__ import annotations

from typing import Any

from pyreqwest.exceptions import (
    BodyDecodeError,
    BuilderError,
    ConnectError,
    ConnectTimeoutError,
    PyreqwestError,
    ReadTimeoutError,
    RequestTimeoutError,
)

from sheaf.harvest.discovery.types import FetchFault

# Worth another attempt within the same harvest. A whole timeout is not: it has cost a minute already.
AGAIN = frozenset(
    {
        "connection_refused",
        "connection_reset",
        "dns_error",
        "http_408_request_timeout",
        "http_429_too_many_requests",
        "http_500_server_error",
        "http_502_bad_gateway",
        "http_503_unavailable",
        "http_504_gateway_timeout",
        "http_5xx",
        "protocol_error",
        "request_failed",
        "timeout_connect",
        "timeout_read",
    }
)

# Words of hyper, rustls and the decoders in the chain of causes, in the order in which they decide.
_WORDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("dns_error", ("dns error", "lookup address")),
    ("connection_refused", ("connection refused",)),
    ("tls_error", ("certificate", "tls", "corrupt message", "handshake", "invalidcontenttype", "unknownissuer")),
    ("bad_content_encoding", ("gzip", "brotli", "zstd", "deflate", "zlib", "inflate", "invalid header", "frame")),
    ("connection_reset", ("connection reset", "connection closed", "broken pipe", "unexpected eof", "end of file",
                          "before message completed", "incomplete", "aborted", "os error 104", "bytes remaining")),
    ("protocol_error", ("invalid http", "parse", "protocol error", "invalid chunk", "message head", "goaway")),
)  # fmt: skip


def fault_of(error: PyreqwestError, out_of_time: bool, allowed: float) -> FetchFault:
    """The fault that an error of the HTTP client stands for; ``out_of_time`` when the page's whole time was over."""
    detail = _causes(error)
    if isinstance(error, RequestTimeoutError):
        if isinstance(error, ConnectTimeoutError) and not out_of_time:
            return FetchFault("timeout_connect", detail)
        if isinstance(error, ReadTimeoutError) and not out_of_time:
            return FetchFault("timeout_read", detail)
        return FetchFault("timeout_total", f"not done within {allowed:g} s")
    if isinstance(error, BuilderError):
        return FetchFault("bad_url", detail)
    text = detail.lower()
    for reason, words in _WORDS:
        if any(word in text for word in words):
            return FetchFault(reason, detail)
    if isinstance(error, BodyDecodeError):
        return FetchFault("bad_content_encoding", detail)
    return FetchFault("connection_refused" if isinstance(error, ConnectError) else "request_failed", detail)


def _causes(error: PyreqwestError) -> str:
    details: Any = getattr(error, "details", None) or {}
    causes = [str(cause["message"]) for cause in details.get("causes") or []]
    return ": ".join(dict.fromkeys([error.message, *causes]))[:500]
