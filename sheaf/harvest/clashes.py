"""Which document keeps an identifier that several different texts state (contracts.md, section 4)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence


def final_ids(
    urls: Sequence[str], plain_ids: Sequence[str], digests: Sequence[str], matched: Sequence[str]
) -> tuple[list[str], list[bool], int]:
    """The final id of each row, whether it is part of a clash, and how many identifiers clash.

    The rows come sorted by url and position, so that the order of fetching never matters; ``digests`` are the texts'
    sha256. One text on several URLs is one document. Of several texts under one identifier the one whose URL sorts
    first keeps the plain id; each other's is sha1 of the bracketed text, a newline and its URL.
    """
    first: dict[str, str] = {}
    clashing: set[str] = set()
    for plain, digest in zip(plain_ids, digests, strict=True):
        if first.setdefault(plain, digest) != digest:
            clashing.add(plain)
    if not clashing:
        return list(plain_ids), [False] * len(plain_ids), 0
    ids: list[str] = []
    flags: list[bool] = []
    derived: dict[tuple[str, str], str] = {}
    taken: set[str] = set()
    for url, plain, digest, text in zip(urls, plain_ids, digests, matched, strict=True):
        flags.append(plain in clashing)
        if plain not in clashing or first[plain] == digest:
            ids.append(plain)
            continue
        found = derived.get((plain, digest))
        if found is None:
            found = _derived(text or plain, url, taken)
            derived[plain, digest] = found
        ids.append(found)
    return ids, flags, len(clashing)


def _derived(text: str, url: str, taken: set[str]) -> str:
    number = 0
    while True:
        # Three texts under one identifier on one page: the contract's rule alone would make two of them one.
        tail = f"\n{number}" if number else ""
        made = hashlib.sha1(f"{text}\n{url}{tail}".encode()).hexdigest()
        if made not in taken:
            taken.add(made)
            return made
        number += 1
