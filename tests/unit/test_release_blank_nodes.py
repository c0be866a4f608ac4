"""Blank nodes: RDFC-1.0 within a budget, and names that never merge two nodes."""

from __future__ import annotations

import time
from itertools import pairwise

import pyoxigraph as ox
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sheaf.release.blank_nodes import GENID, TooComplex, canonical_labels, skolem_iris, split_lines
from sheaf.release.triples import ntriples

P, Q = ox.NamedNode("https://e.org/p"), ox.NamedNode("https://e.org/q")


def canonical_lines(quads: list[ox.Quad]) -> list[str]:
    triples = split_lines(ntriples(quads))
    labels = {node: f"_:{label}" for node, label in canonical_labels(triples).items()}
    return sorted(f"{labels.get(s, s)} {p} {labels.get(o, o)} ." for s, p, o in triples)


def oxigraph_lines(quads: list[ox.Quad]) -> list[str]:
    dataset = ox.Dataset(quads)
    dataset.canonicalize(ox.CanonicalizationAlgorithm.RDFC_1_0)
    return sorted(set(ntriples(dataset).split("\n")) - {""})


edges = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from([P, Q]), st.one_of(st.integers(0, 5), st.sampled_from(["v", "w"]))),
    min_size=1,
    max_size=12,
)


@settings(max_examples=300, deadline=None)
@given(edges)
def test_labels_are_those_of_the_recommendation(drawn: list[tuple[int, ox.NamedNode, int | str]]) -> None:
    nodes = [ox.BlankNode() for _ in range(6)]
    quads = [ox.Quad(nodes[s], p, nodes[o] if isinstance(o, int) else ox.Literal(o)) for s, p, o in drawn]
    assert canonical_lines(quads) == oxigraph_lines(quads)


def test_every_character_of_a_literal_is_hashed_as_the_recommendation_escapes_it() -> None:
    text = "".join(map(chr, [*range(0x20), 0x22, 0x5C, 0x7F, 0x80, 0x85, 0xA0, 0x2028, 0xFFFE, 0x1F600]))
    nodes = [ox.BlankNode(), ox.BlankNode()]
    quads = [ox.Quad(nodes[0], P, ox.Literal(text)), ox.Quad(nodes[1], P, ox.Literal(text + "x"))]
    assert canonical_lines(quads) == oxigraph_lines(quads)


def test_names_do_not_depend_on_labels_or_order() -> None:
    def lines(turn: int) -> list[str]:
        a, b, c = (ox.BlankNode() for _ in range(3))
        quads = [ox.Quad(a, P, b), ox.Quad(b, Q, c), ox.Quad(c, P, ox.Literal("x y .")), ox.Quad(a, Q, ox.Literal("y"))]
        quads = quads[turn:] + quads[:turn]
        triples = split_lines(ntriples(quads))
        names = skolem_iris("urn:g", triples)
        return sorted(f"{names.get(s, s)} {p} {names.get(o, o)}" for s, p, o in triples)

    assert lines(1) == lines(2) == lines(3)


def test_two_nodes_that_differ_behind_a_space_stay_two() -> None:
    a, b = ox.BlankNode(), ox.BlankNode()
    quads = [ox.Quad(a, P, ox.Literal("Branching Acropora")), ox.Quad(b, P, ox.Literal("Branching non-Acropora"))]
    names = skolem_iris("urn:g", split_lines(ntriples(quads)))
    assert len(set(names.values())) == 2


def test_equal_nodes_stay_as_many_as_they_are() -> None:
    quads = [ox.Quad(ox.NamedNode("urn:s"), P, ox.BlankNode()) for _ in range(5)]
    names = skolem_iris("urn:g", split_lines(ntriples(quads)))
    assert len(set(names.values())) == 5


def test_the_same_label_in_two_documents_gives_two_names() -> None:
    triples = split_lines(ntriples([ox.Quad(ox.BlankNode("b0"), P, ox.Literal("x"))]))
    one, two = skolem_iris("urn:one", triples), skolem_iris("urn:two", triples)
    assert one["_:b0"] != two["_:b0"]
    assert one["_:b0"].startswith(f"<{GENID}")


def test_a_document_built_to_explode_is_cut_off_within_seconds() -> None:
    nodes = [ox.BlankNode() for _ in range(12)]
    clique = [ox.Quad(a, P, b) for a in nodes for b in nodes if a != b]
    begun = time.monotonic()
    with pytest.raises(TooComplex):
        canonical_labels(split_lines(ntriples(clique)))
    assert time.monotonic() - begun < 20


def test_a_long_chain_of_equal_nodes_is_cut_off_and_not_a_stack_overflow() -> None:
    nodes = [ox.BlankNode() for _ in range(3000)]
    chain = [ox.Quad(a, P, b) for a, b in pairwise(nodes)]
    with pytest.raises(TooComplex):
        canonical_labels(split_lines(ntriples(chain)))


def test_forty_equal_items_under_two_equal_parents_are_cheap() -> None:
    top = ox.NamedNode("urn:s")
    parents = [ox.BlankNode(), ox.BlankNode()]
    quads = [ox.Quad(top, P, parent) for parent in parents]
    quads += [ox.Quad(parent, Q, ox.BlankNode()) for parent in parents for _ in range(40)]
    labels = canonical_labels(split_lines(ntriples(quads)))
    assert len(set(labels.values())) == 82
