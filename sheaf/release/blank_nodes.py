"""Blank nodes get names that any machine computes alike: RDFC-1.0 (W3C Recommendation, 2024-05-21), with a budget.

The algorithm works on the lines of a document's N-Triples. It is ours and not pyoxigraph's ``canonicalize`` because
that one cannot be stopped: a document of a few hundred bytes built to make it explode would hold a core for ever.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

Triple = tuple[str, str, str]  # three terms as N-Triples writes them

GENID = "https://gleaner.io/xid/genid/"
BUDGET = 2_000_000  # triples and labels looked at for one document, about a second; no document of OBIS needs any
DEPTH = 200  # alike nodes in a chain, as in a list of equal items; keeps clear of Python's own limit


class TooComplex(Exception):
    """The blank nodes of a document are too alike to be told apart within the budget."""


def split_lines(text: str) -> list[Triple]:
    """The distinct triples of canonical N-Triples ``text``, in its order."""
    triples = []
    for line in dict.fromkeys(text.split("\n")):
        if line:
            subject, predicate, rest = line.split(" ", 2)
            triples.append((subject, predicate, rest[:-2]))
    return triples


def skolem_iris(graph: str, triples: Sequence[Triple], budget: int = BUDGET) -> dict[str, str]:
    """Blank node -> ``<https://gleaner.io/xid/genid/HASH>``, the hash a function of graph name and canonical label.

    Raises ``TooComplex``. The rule is contracts.md, section 6: never random, never two nodes in one.
    """
    return {
        node: f"<{GENID}{hashlib.sha256(f'{graph} {label}'.encode()).hexdigest()[:32]}>"
        for node, label in canonical_labels(triples, budget).items()
    }


def canonical_labels(triples: Sequence[Triple], budget: int = BUDGET) -> dict[str, str]:
    """Blank node -> canonical label ``c14nN``, as RDFC-1.0 with SHA-256 assigns them. Raises ``TooComplex``."""
    mentions: dict[str, list[Triple]] = {}
    for triple in triples:
        subject, _, value = triple
        if subject[0] == "_":
            mentions.setdefault(subject, []).append(triple)
        if value[0] == "_" and value != subject:
            mentions.setdefault(value, []).append(triple)
    if not mentions:
        return {}
    hashes = {node: _first_degree(node, mentions[node]) for node in mentions}
    by_hash: dict[str, list[str]] = {}
    for node, digest in hashes.items():
        by_hash.setdefault(digest, []).append(node)
    canonical = Issuer("c14n")
    alike = []
    for digest in sorted(by_hash):
        nodes = by_hash[digest]
        if len(nodes) == 1:
            canonical.issue(nodes[0])
        else:
            alike.append(nodes)
    if alike:
        search = _Search(mentions, hashes, canonical, budget)
        for nodes in alike:
            search.label(nodes)
    return canonical.issued


def _first_degree(node: str, triples: Sequence[Triple]) -> str:
    """Hash First Degree Quads (section 4.6.2): the node's own lines, it as ``_:a``, others as ``_:z``."""
    lines = []
    for subject, predicate, value in triples:
        if subject[0] == "_":
            subject = "_:a" if subject == node else "_:z"
        if value[0] == "_":
            value = "_:a" if value == node else "_:z"
        lines.append(f"{subject} {predicate} {value} .\n")
    lines.sort()
    return hashlib.sha256("".join(lines).encode()).hexdigest()


@dataclass(slots=True)
class Issuer:
    """Identifier Issuer (section 4.5): labels in the order of asking."""

    prefix: str
    issued: dict[str, str] = field(default_factory=dict)

    def issue(self, node: str) -> str:
        """The node's label, a new one when it has none."""
        label = self.issued.get(node)
        if label is None:
            label = self.issued[node] = f"{self.prefix}{len(self.issued)}"
        return label

    def copy(self) -> Issuer:
        """One that goes its own way from here."""
        return Issuer(self.prefix, dict(self.issued))


class _Search:
    """Hash N-Degree Quads (section 4.8) for the nodes whose own lines are alike."""

    def __init__(
        self, mentions: dict[str, list[Triple]], hashes: dict[str, str], canonical: Issuer, budget: int
    ) -> None:
        self.mentions = mentions
        self.hashes = hashes
        self.canonical = canonical
        self.left = budget
        self.depth = 0

    def label(self, nodes: Sequence[str]) -> None:
        """Give canonical labels to nodes with one first-degree hash, and to those found on the way."""
        results = []
        for node in nodes:
            if node not in self.canonical.issued:
                issuer = Issuer("b")
                issuer.issue(node)
                results.append(self._n_degree(node, issuer))
        for _, issuer in sorted(results, key=lambda result: result[0]):
            for node in issuer.issued:
                self.canonical.issue(node)

    def _n_degree(self, node: str, issuer: Issuer) -> tuple[str, Issuer]:
        self._spend(len(self.mentions[node]))
        if self.depth >= DEPTH:
            raise TooComplex(f"more than {DEPTH} of its blank nodes in a chain are alike")
        self.depth += 1
        groups: dict[str, list[str]] = {}
        for subject, predicate, value in self.mentions[node]:
            if subject[0] == "_" and subject != node:
                groups.setdefault(self._related(subject, predicate, issuer, "s"), []).append(subject)
            if value[0] == "_" and value != node:
                groups.setdefault(self._related(value, predicate, issuer, "o"), []).append(value)
        data = []
        for digest in sorted(groups):
            data.append(digest)
            path, issuer = self._best_path(groups[digest], issuer)
            data.append(path)
        self.depth -= 1
        return hashlib.sha256("".join(data).encode()).hexdigest(), issuer

    def _spend(self, cost: int) -> None:
        self.left -= cost
        if self.left < 0:
            raise TooComplex("its blank nodes are too alike to be told apart within the budget")

    def _related(self, node: str, predicate: str, issuer: Issuer, position: str) -> str:
        """Hash Related Blank Node (section 4.7)."""
        label = self.canonical.issued.get(node) or issuer.issued.get(node)
        named = f"_:{label}" if label else self.hashes[node]
        return hashlib.sha256(f"{position}{predicate}{named}".encode()).hexdigest()

    def _best_path(self, nodes: Sequence[str], issuer: Issuer) -> tuple[str, Issuer]:
        chosen = ""
        chosen_issuer = issuer
        for order in _orders(nodes, self._twins(nodes, issuer)):
            self._spend(len(order) + len(issuer.issued))
            found = self._path(order, issuer.copy(), chosen)
            if found is not None and (not chosen or found[0] < chosen):
                chosen, chosen_issuer = found
        return chosen, chosen_issuer

    def _path(self, order: Sequence[str], issuer: Issuer, chosen: str) -> tuple[str, Issuer] | None:
        """The path of one order of related nodes, or none as soon as it is no better than the chosen one."""
        path = ""
        recursion = []
        for node in order:
            label = self.canonical.issued.get(node)
            if label is None:
                if node not in issuer.issued:
                    recursion.append(node)
                label = issuer.issue(node)
            path += f"_:{label}"
            if _worse(path, chosen):
                return None
        for node in recursion:
            digest, result = self._n_degree(node, issuer)
            path += f"_:{issuer.issue(node)}<{digest}>"
            issuer = result
            if _worse(path, chosen):
                return None
        return path, issuer

    def _twins(self, nodes: Sequence[str], issuer: Issuer) -> dict[str, int]:
        """A number a node, the same for those that could change places without anybody noticing.

        Their orders all give one path, so that trying one is enough: lists of equal items stay cheap.
        """
        if len(nodes) == 1:
            return {nodes[0]: 0}
        classes: dict[tuple[str, frozenset[Triple]], int] = {}
        found = {}
        for node in nodes:
            label = self.canonical.issued.get(node) or issuer.issued.get(node) or ""
            around = frozenset(
                ("_:" if s == node else s, p, "_:" if o == node else o) for s, p, o in self.mentions[node]
            )
            found[node] = classes.setdefault((label, around), len(classes))
        return found


def _worse(path: str, chosen: str) -> bool:
    return bool(chosen) and len(path) >= len(chosen) and path > chosen


def _orders(nodes: Sequence[str], twins: dict[str, int]) -> Iterator[list[str]]:
    """The orders of the nodes, of those that differ in twins alone only the first."""
    if len(nodes) < 2:
        yield list(nodes)
        return
    seen = set()
    for index, node in enumerate(nodes):
        if twins[node] not in seen:
            seen.add(twins[node])
            for rest in _orders([*nodes[:index], *nodes[index + 1 :]], twins):
                yield [node, *rest]
