"""One page of a harvest: asked for (or taken from the discovery), compared with before, read, and turned into rows."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sheaf.config import Source
from sheaf.harvest.access import Access
from sheaf.harvest.discovery.types import Found
from sheaf.harvest.documents import Document, DocumentRules, Trouble, read_page
from sheaf.harvest.fetching import Answer, Fetcher
from sheaf.harvest.previous import Known, Previous

Row = dict[str, Any]
log = logging.getLogger(__name__)


@dataclass(slots=True)
class Pages:
    """Everything a page's way needs; ``conditional`` is mode diff with the rules of the harvest before."""

    source: Source
    rules: DocumentRules
    fetcher: Fetcher
    access: Access
    previous: Previous
    conditional: bool
    clock: Callable[[], datetime]

    async def rows(self, found: Found) -> list[Row]:
        """The journal's rows of one page: one a document or trouble, or one that says unchanged or failed."""
        known = self.previous.known(found.url)
        try:
            return await self._rows(found, known)
        except Exception as error:
            # One page's riddle must not cost the others.
            log.exception("%s", found.url)
            detail = f"{type(error).__name__}: {error}"
            return [self._failed(found, known, Answer(found.url, reason="internal_error", detail=detail))]

    async def _rows(self, found: Found, known: Known | None) -> list[Row]:
        settled = known if known is not None and known.settled and self.conditional else None
        if found.item is not None:
            return self._of_item(found, settled)
        if settled is not None and self._same_lastmod(found, settled):
            return [self._kept(found, settled, 0, "same_lastmod", Answer(found.url, attempts=0))]
        refusal = await self.access.refusal(found.url)
        if refusal:
            answer = Answer(found.url, reason=refusal, attempts=0, detail="found out by its host's robots.txt")
            return [self._failed(found, known, answer)]
        answer = await self.fetcher.page(found.url, self._headers(settled))
        if answer.reason:
            return [self._failed(found, known, answer)]
        if answer.status == 304:
            if settled is not None:
                return [self._kept(found, settled, 304, "not_modified", answer)]
            answer.reason, answer.detail = "http_unexpected", "304 to a request that was not conditional"
            return [self._failed(found, known, answer)]
        digest = hashlib.sha1(answer.body).hexdigest()
        if settled is not None and settled.body_sha == digest:
            return [self._kept(found, settled, answer.status, "same_content", answer)]
        return self._read(found, answer, digest)

    def _same_lastmod(self, found: Found, known: Known) -> bool:
        return self.source.trust_lastmod and bool(found.lastmod) and found.lastmod == known.lastmod

    def _headers(self, known: Known | None) -> dict[str, str]:
        headers = {"Accept": self.source.acceptcontenttype}
        # After a redirect the validators are of another page than the one that is asked for.
        if known is not None and not known.final_url:
            if known.etag and known.etag.isprintable():
                headers["If-None-Match"] = known.etag
            if known.last_modified and known.last_modified.isprintable():
                headers["If-Modified-Since"] = known.last_modified
        return headers

    def _of_item(self, found: Found, known: Known | None) -> list[Row]:
        assert found.item is not None  # noqa: S101  the caller looked
        digest = hashlib.sha1(found.item).hexdigest()
        answer = Answer(found.url, 200, found.content_type, found.item, attempts=0)
        if known is not None and known.body_sha == digest:
            return [self._kept(found, known, 200, "same_content", answer)]
        return self._read(found, answer, digest)

    def _read(self, found: Found, answer: Answer, digest: str) -> list[Row]:
        page = self._page(found, answer)
        page["body_sha"] = digest
        items = read_page(answer.body, answer.content_type, answer.url, self.rules)
        if not items:
            return [{**page, "state": "no_jsonld", "reason": "no_script", "detail": answer.content_type[:200]}]
        return [self._item(page, position, item) for position, item in enumerate(items)]

    def _item(self, page: Row, position: int, item: Document | Trouble) -> Row:
        if isinstance(item, Trouble):
            state = "no_jsonld" if item.reason in ("no_script", "bad_content_type") else "invalid_jsonld"
            return {**page, "position": position, "state": state, "reason": item.reason, "detail": item.detail[:500]}
        return {
            **page,
            "position": position,
            "state": "stored",
            "id": item.id,
            "plain_id": item.id,
            "identifier_type": item.identifier_type,
            "matched_path": item.matched_path,
            "matched_string": item.matched_string,
            "json_sha": item.json_sha,
            "sha256": item.sha256,
            "bytes": len(item.text) if item.text.isascii() else len(item.text.encode()),
            "repaired": ",".join(item.repaired),
            "stored_at": page["fetched_at"],
            "text": item.text,
        }

    def _page(self, found: Found, answer: Answer) -> Row:
        return {
            "url": found.url,
            "status": answer.status,
            "etag": answer.etag,
            "last_modified": answer.last_modified,
            "lastmod": found.lastmod,
            "final_url": "" if answer.url == found.url else answer.url,
            "ms": answer.ms,
            "attempts": answer.attempts,
            "fetched_at": self.clock(),
        }

    def _kept(self, found: Found, known: Known, status: int, reason: str, answer: Answer) -> Row:
        page = self._page(found, answer)
        page |= {"state": "unchanged", "reason": reason, "status": status, "body_sha": known.body_sha}
        page["etag"] = answer.etag or known.etag
        page["last_modified"] = answer.last_modified or known.last_modified
        return page

    def _failed(self, found: Found, known: Known | None, answer: Answer) -> Row:
        page = self._page(found, answer)
        page |= {"state": "failed", "reason": answer.reason, "detail": answer.detail[:500]}
        # What the last good copy was read with stays beside it.
        page["etag"], page["last_modified"] = (known.etag, known.last_modified) if known else ("", "")
        page["body_sha"], page["lastmod"] = (known.body_sha, known.lastmod) if known else ("", "")
        return page
