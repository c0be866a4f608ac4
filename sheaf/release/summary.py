"""The flat view that search pages query: at most one row a document, from the document's own triples (contracts.md, 7).

The older code took any subject with a name and a description for a dataset, so that titles came from variables and
publishers. Here a row stands for a Dataset or tool that no other node of the document holds as its part.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sheaf.release import places
from sheaf.release.blank_nodes import Triple
from sheaf.release.terms import RDF_TYPE, SCHEMAS, decimal, iri, is_node, language_of, literal, schema, text_of

DATASET_TYPES = ("Dataset", "DataFeed", "CompleteDataFeed")
TOOL_TYPES = ("SoftwareApplication", "WebApplication", "MobileApplication", "SoftwareSourceCode")
NO_PUBLISHER = "No Publisher"
NO_PLACE = "No spatialCoverage"
DATES = ("datePublished", "dateModified", "dateCreated")

# A page, a catalogue or a list may hold a dataset, and it still is what the document is about.
_CARRIERS = frozenset({"mainEntity", "about", "dataset", "itemListElement", "item", "mainEntityOfPage"})
_TYPES = {iri(f"{ns}{name}"): name for ns in SCHEMAS for name in (*DATASET_TYPES, *TOOL_TYPES, "CreativeWork")}
_KIND_OF_WORK = ("additionalType", "resourceType", "learningResourceType", "genre")
_PROPERTIES = {
    iri(f"{ns}{name}"): name
    for ns in SCHEMAS
    for name in (
        *_CARRIERS, *_KIND_OF_WORK, *DATES, "address", "addressCountry", "addressLocality", "addressRegion",
        "alternateName", "box", "circle", "contentUrl", "creator", "description", "distribution", "downloadUrl",
        "encodingFormat", "fileFormat", "geo", "hasPart", "headline", "isPartOf", "keywords", "latitude",
        "legalName", "license", "line", "longitude", "maxValue", "minValue", "name", "polygon", "provider", "publisher",
        "sdPublisher", "spatial", "spatialCoverage", "subjectOf", "temporalCoverage", "url", "variableMeasured",
    )
}  # fmt: skip

_SPELLINGS = {name: frozenset(iri(f"{ns}{name}") for ns in SCHEMAS) for name in _PROPERTIES.values()}
_TERM = {
    name: schema(name)
    for name in (
        "name", "description", "keywords", "publisher", "place", "date", "distribution", "encodingFormat", "latitude",
        "longitude", "minLatitude", "minLongitude", "maxLatitude", "maxLongitude", "minDepth", "maxDepth",
    )
}  # fmt: skip

Properties = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Row:
    """One document's row: predicate and object as N-Triples writes them, sorted; and the dates it states."""

    pairs: tuple[tuple[str, str], ...]
    dates: tuple[str, ...]


class Nodes:
    """A document's nodes by the properties that the flat view reads, http and https schema.org alike."""

    def __init__(self, triples: Sequence[Triple]) -> None:
        self.links = [triple for triple in triples if triple[2][0] != '"']
        self.types: dict[str, set[str]] = {}
        for subject, predicate, value in self.links:
            if predicate == RDF_TYPE and value in _TYPES:
                self.types.setdefault(subject, set()).add(_TYPES[value])
        self._triples: defaultdict[str, list[Triple]] = defaultdict(list)
        for triple in triples:
            self._triples[triple[0]].append(triple)

    def properties(self, node: str) -> Properties:
        """A node's values by the short names of their properties."""
        found: Properties = {}
        for _, predicate, value in self._triples.get(node, ()):
            name = _PROPERTIES.get(predicate)
            if name is not None:
                if name in found:
                    found[name].append(value)
                else:
                    found[name] = [value]
        return found

    def of(self, node: str, *names: str) -> list[str]:
        """The values of the first of these properties that has any, in no order that means something."""
        triples = self._triples.get(node)
        if triples:
            for name in names:
                terms = _SPELLINGS[name]
                values = [value for _, predicate, value in triples if predicate in terms]
                if values:
                    return values
        return []


def flat_row(triples: Sequence[Triple], names: Mapping[str, str]) -> Row | None:
    """The row of one document; None when it is about no dataset and no tool.

    ``names`` are the IRIs of its blank nodes; the order of the triples does not matter.
    """
    nodes = Nodes(triples)
    subject = subject_of(nodes)
    if subject is None:
        return None
    own = nodes.properties(subject)
    kinds = nodes.types[subject]
    kind = next(name for name in (*DATASET_TYPES, *TOOL_TYPES, "CreativeWork") if name in kinds)
    dates = tuple([text for name in DATES if name in own for text in sorted(map(text_of, own[name])) if text])
    downloads = own.get("distribution", [])
    coverage = own.get("spatialCoverage") or own.get("spatial") or []
    texts = {
        "name": best_text(own.get("name") or nodes.of(subject, "headline", "alternateName")),
        "description": best_text(own.get("description", ())),
        "keywords": ", ".join(sorted(named(nodes, own.get("keywords", ())))),
        "publisher": publisher_of(nodes, own) or NO_PUBLISHER,
        "place": _place(nodes, coverage) or NO_PLACE,
        "date": dates[0] if dates else "",
    }
    pairs = {(_TERM[name], literal(text)) for name, text in texts.items() if text}
    pairs.add((RDF_TYPE, schema(kind)))
    pairs.add((schema("subjectOf"), names.get(subject, subject)))
    pairs.update((_TERM["distribution"], literal(text)) for text in _addresses(nodes, downloads))
    pairs.update((_TERM["encodingFormat"], literal(text)) for text in _formats(nodes, [subject, *downloads]))
    pairs.update(_coordinates(nodes, coverage))
    pairs.update(_depths(nodes, own))
    return Row(tuple(sorted(pairs)), dates)


def subject_of(nodes: Nodes) -> str | None:
    """The dataset or tool that the document is about."""
    candidates = [node for node in nodes.types if _counts(nodes, node)]
    held = {value for _, _, value in nodes.links}
    if len(candidates) != 1 or candidates[0] in held:
        candidates = _not_held(nodes, candidates)
    if not candidates:
        return None
    if len(candidates) == 1:
        return candidates[0]
    parts: dict[str, int] = dict.fromkeys(candidates, 0)
    for subject, predicate, value in nodes.links:
        name = _PROPERTIES.get(predicate)
        if name == "hasPart" and value in parts and value != subject:
            parts[value] += 1
        elif name == "isPartOf" and subject in parts and value in parts and value != subject:
            parts[subject] += 1
    return min(candidates, key=lambda node: (parts[node], not nodes.of(node, "name"), node[0] == "_", node))


def _counts(nodes: Nodes, node: str) -> bool:
    kinds = nodes.types[node]
    if kinds != {"CreativeWork"}:
        return True
    properties = nodes.properties(node)
    works = [text_of(value).lower() for name in _KIND_OF_WORK for value in properties.get(name, ())]
    return any(work == "tool" or work.endswith(("/tool", "#tool")) for work in works)


def _not_held(nodes: Nodes, candidates: Sequence[str]) -> list[str]:
    """Those that neither another candidate leads to, nor any other node says are its own.

    Two that lead to one another (a series and its part, each naming the other) do not rule each other out.
    """
    onward: dict[str, set[str]] = {}
    for subject, _, value in nodes.links:
        onward.setdefault(subject, set()).add(value)
    reached = {node: _reached(onward, node) for node in candidates}
    free = []
    for node in candidates:
        if any(node in reached[other] and other not in reached[node] for other in candidates if other != node):
            continue
        holders = (
            predicate
            for subject, predicate, value in nodes.links
            if value == node and subject != node and subject not in reached[node]
        )
        if all(_PROPERTIES.get(predicate) in _CARRIERS for predicate in holders):
            free.append(node)
    return free


def _reached(onward: Mapping[str, set[str]], start: str) -> set[str]:
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        for node in onward.get(waiting.pop(), ()):
            if node not in seen:
                seen.add(node)
                waiting.append(node)
    return seen


def best_text(values: Sequence[str]) -> str:
    """One text of several: without a language first, then English, then the order of the alphabet."""
    if len(values) == 1:
        return text_of(values[0])
    texts = [(_LANGUAGE_RANK.get(language_of(value), 2), text) for value in values if (text := text_of(value))]
    return min(texts)[1] if texts else ""


_LANGUAGE_RANK = {"": 0, "en": 1, "en-us": 1, "en-gb": 1}


def named(nodes: Nodes, values: Iterable[str]) -> set[str]:
    """The texts of literals, and the names of nodes; a node without any name gives none."""
    found = set()
    for value in values:
        text = best_text(nodes.of(value, "name", "legalName", "alternateName")) if is_node(value) else text_of(value)
        if text:
            found.add(text)
    return found


def publisher_of(nodes: Nodes, own: Properties) -> str:
    for name in ("publisher", "sdPublisher", "provider", "creator"):
        values = own.get(name)
        if values:
            names = named(nodes, values) or {best_text(nodes.of(value, "url")) for value in values if is_node(value)}
            if names - {""}:
                return ", ".join(sorted(names - {""}))
    return ""


def _place(nodes: Nodes, coverage: Sequence[str]) -> str:
    names = named(nodes, coverage)
    if not names:
        for value in coverage:
            for address in nodes.of(value, "address"):
                parts = [best_text(nodes.of(address, f"address{part}")) for part in ("Locality", "Region", "Country")]
                names.add(text_of(address) if not is_node(address) else ", ".join(part for part in parts if part))
    return ", ".join(sorted(names - {""}))


def _addresses(nodes: Nodes, downloads: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for value in downloads:
        inner = nodes.of(value, "contentUrl", "downloadUrl", "url") if is_node(value) else [value]
        found.update(text_of(address) for address in inner)
    return found


def _formats(nodes: Nodes, holders: Iterable[str]) -> set[str]:
    return {text for node in holders for text in named(nodes, nodes.of(node, "encodingFormat", "fileFormat"))}


def box_of(nodes: Nodes, coverage: Sequence[str]) -> places.Box | None:
    """The box around all shapes of a coverage."""
    boxes = []
    for place in coverage:
        for shape in [place, *nodes.of(place, "geo")] if is_node(place) else ():
            own = nodes.properties(shape)
            boxes += [places.box_of(text_of(value)) for value in own.get("box", ())]
            for name in ("polygon", "line", "circle"):
                boxes += [places.outline_of(text_of(value)) for value in own.get(name, ())]
            if "latitude" in own and "longitude" in own:
                boxes.append(places.point(text_of(min(own["latitude"])), text_of(min(own["longitude"]))))
    return places.around([box for box in boxes if box is not None])


def _coordinates(nodes: Nodes, coverage: Sequence[str]) -> list[tuple[str, str]]:
    box = box_of(nodes, coverage)
    if box is None:
        return []
    latitude, longitude = box.centre
    pairs = [("latitude", latitude), ("longitude", longitude)]
    if not box.is_point:
        pairs += [
            ("minLatitude", box.south),
            ("minLongitude", box.west),
            ("maxLatitude", box.north),
            ("maxLongitude", box.east),
        ]
    return [(_TERM[name], decimal(number)) for name, number in pairs]


def _depths(nodes: Nodes, own: Properties) -> list[tuple[str, str]]:
    """``minDepth`` and ``maxDepth`` of the variable that is named depth."""
    low, high = [], []
    for variable in own.get("variableMeasured", ()):
        names = {text_of(name).lower() for name in nodes.of(variable, "name")} if is_node(variable) else set()
        if "depth" in names:
            low += _numbers(nodes.of(variable, "minValue"))
            high += _numbers(nodes.of(variable, "maxValue"))
    pairs = [(_TERM["minDepth"], decimal(min(low)))] if low else []
    return pairs + ([(_TERM["maxDepth"], decimal(max(high)))] if high else [])


def _numbers(values: Iterable[str]) -> list[float]:
    found = []
    for value in values:
        try:
            number = float(text_of(value))
        except ValueError:
            continue
        if abs(number) < 1e12:
            found.append(number)
    return found
