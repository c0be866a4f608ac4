"""Which words of a SPARQL text are keywords."""

from __future__ import annotations

import pytest

from sheaf.graph.server.words import names_dataset, reaches_out, with_using, words


@pytest.mark.parametrize(
    ("sparql", "expected"),
    [
        ("SELECT * FROM <urn:g> WHERE { ?s ?p ?o }", True),
        ("SELECT * from named <urn:g> { GRAPH ?g { ?s ?p ?o } }", True),
        ("SELECT * { ?from ?p 'FROM' . ?s <urn:FROM> ?o } # FROM", False),
        ("PREFIX from: <urn:x> SELECT * { ?s from:x ?o }", False),
        ("SELECT * { { SELECT ?x { ?x ?y ?z } } }", False),
        ("SELECT * { ?s ?p ?o FILTER(?o<3) } # <\nORDER BY ?s", False),
    ],
)
def test_only_a_from_clause_names_a_dataset(sparql: str, expected: bool) -> None:
    assert names_dataset(sparql) is expected


@pytest.mark.parametrize(
    "sparql",
    [
        "SELECT * { SERVICE<http://e/>{ ?s ?p ?o } }",
        "SELECT * { 'a\\'' ?p ?o . SeRvIcE ?x { } }",
        'SELECT * { """a""" ?p ?o } #\n{ SERVICE ?x {} }',
        "SELECT * { ?s ?p '''it's''' . SERVICE ?x {} }",
        "SELECT * { FILTER(?a<3&&?b>2) SERVICE ?x {} }",
        "LOAD SILENT <http://e/> INTO GRAPH <urn:g>",
        "SELECT * { ?s ex:a\\'b ?o . SERVICE ?x {} . ?s ex:c\\'d ?o }",
        "SELECT * { ?s ?p 1.SERVICE ?x {} }",
        "SELECT * { ?s ?p ?o}SERVICE ?x {}",
    ],
)
def test_a_word_that_reaches_out_is_found_wherever_it_hides(sparql: str) -> None:
    assert reaches_out(sparql)


def test_braces_give_the_depth_of_a_word() -> None:
    found = [(word.text, word.depth) for word in words("SELECT { A { B } }") if word.text.isalpha()]
    assert found == [("SELECT", 0), ("A", 1), ("B", 2)]


def test_using_is_written_into_every_operation_of_an_update() -> None:
    update = "DELETE { ?s ?p ?o } WHERE { ?s ?p ?o } ; INSERT { ?s ?p 'WHERE {' } { ?s ?p ?o }"
    changed = with_using(update, ["urn:a"], ["urn:b"])
    clause = "USING <urn:a> USING NAMED <urn:b> "
    assert changed.count(clause) == 2
    assert f"{clause}WHERE {{ ?s ?p ?o }} ;" in changed
    assert changed.endswith(f"}} {clause}{{ ?s ?p ?o }}")


@pytest.mark.parametrize("update", ["DELETE WHERE { ?s ?p ?o }", "WITH <urn:g> DELETE { ?s ?p ?o } WHERE { ?s ?p ?o }"])
def test_an_update_that_cannot_take_a_dataset_says_so(update: str) -> None:
    with pytest.raises(ValueError, match=r"USING|WITH|DELETE WHERE"):
        with_using(update, ["urn:a"], [])
