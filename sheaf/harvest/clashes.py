"""Which document keeps an identifier that several different texts state (contracts.md, section 4)."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable, Sequence

import pyarrow as pa
import pyarrow.compute as pc


class Identities:
    """Counts every document of a harvest by 24 bytes, then gives each row its final id.

    ``see`` all rows first, in any order; then ``final`` with the rows sorted by url and position, so that the order of
    fetching never matters. One text on several URLs is one document. Of several texts under one identifier the one
    whose URL sorts first keeps the plain id; each other's is sha1 of the bracketed text, a newline and its URL.
    """

    def __init__(self) -> None:
        self._plain, self._text, self._size = array("q"), array("q"), array("q")
        self._clashing: frozenset[int] = frozenset()
        self._first: dict[str, str] = {}
        self._derived: dict[tuple[str, str], str] = {}
        self._taken: set[str] = set()
        self.documents = 0
        self.bytes = 0

    def see(self, plain_ids: Iterable[str], digests: Iterable[str], sizes: Iterable[int]) -> None:
        """Take note of documents; ``digests`` are the texts' sha256, ``sizes`` their bytes."""
        self._plain.extend(map(hash, plain_ids))
        self._text.extend(map(hash, digests))
        self._size.extend(sizes)

    def decide(self) -> None:
        """All documents have been seen: find the identifiers that clash, and count the different documents."""
        columns = [pa.array(memoryview(one), pa.int64()) for one in (self._plain, self._text, self._size)]
        seen = pa.table(dict(zip(("plain", "text", "size"), columns, strict=True)))
        self._plain, self._text, self._size = array("q"), array("q"), array("q")
        pairs = seen.group_by(["plain", "text"], use_threads=False).aggregate([("size", "min")])
        self.documents = pairs.num_rows
        self.bytes = pc.sum(pairs["size_min"]).as_py() or 0
        groups = pairs.group_by("plain", use_threads=False).aggregate([("text", "count")])
        self._clashing = frozenset(groups.filter(pc.greater(groups["text_count"], 1))["plain"].to_pylist())

    @property
    def clashes(self) -> int:
        """How many identifiers several texts state."""
        return len(self._clashing)

    def final(
        self, urls: Sequence[str], plain_ids: Sequence[str], digests: Sequence[str], matched: Sequence[str]
    ) -> tuple[list[str], list[bool]]:
        """The final id of each row and whether it is part of a clash; rows without a document (no digest) have none."""
        if not self._clashing:
            return [plain if digest else "" for plain, digest in zip(plain_ids, digests, strict=True)], [False] * len(
                urls
            )
        ids: list[str] = []
        flags: list[bool] = []
        for url, plain, digest, text in zip(urls, plain_ids, digests, matched, strict=True):
            clashes = bool(digest) and hash(plain) in self._clashing
            flags.append(clashes)
            if not digest:
                ids.append("")
            elif not clashes or self._first.setdefault(plain, digest) == digest:
                ids.append(plain)
            else:
                if (plain, digest) not in self._derived:
                    self._derived[plain, digest] = self._derive(text or plain, url)
                ids.append(self._derived[plain, digest])
        return ids, flags

    def _derive(self, text: str, url: str) -> str:
        number = 0
        while True:
            # Three texts under one identifier on one page: the contract's rule alone would make two of them one.
            tail = f"\n{number}" if number else ""
            made = hashlib.sha1(f"{text}\n{url}{tail}".encode()).hexdigest()
            if made not in self._taken:
                self._taken.add(made)
                return made
            number += 1
