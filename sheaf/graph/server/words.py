"""The keywords of a SPARQL text, found without parsing it: which are there, and where.

Oxigraph's parser says whether a text is SPARQL; this says what the protocol has to know before (a FROM of its own, a
SERVICE that would reach into the network). Comments, IRIs, strings, variables and prefixed names are skipped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

# In the order in which SPARQL 1.1 (section 19.8) would read them: an IRI before a comment, as '#' is common in IRIs.
_TOKEN = re.compile(
    r"""
      (?P<iri> <[^<>"{}|^`\\\x00-\x20]*> )
    | (?P<comment> \#[^\r\n]* )
    | (?P<string> \"{3}(?:(?:"|"")?(?:[^"\\]|\\.))*\"{3} | '{3}(?:(?:'|'')?(?:[^'\\]|\\.))*'{3}
                | "(?:[^"\\\r\n]|\\.)*" | '(?:[^'\\\r\n]|\\.)*' )
    | (?P<variable> [?$]\w+ )
    | (?P<language> @[A-Za-z][A-Za-z0-9-]* )
    | (?P<name> (?:[^\W\d_][\w.-]*)?:(?:[\w:.-]|%[0-9A-Fa-f]{2}|\\.)* | _:[\w.-]+ )
    | (?P<word> [A-Za-z_]\w* )
    | (?P<number> \d+(?:\.\d+)? )
    | (?P<stop> [.;,] )
    | (?P<brace> [{}] )
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Word:
    """One keyword: upper-cased text, offset into the SPARQL text, and how many ``{`` are open there."""

    text: str
    start: int
    depth: int


def tokens(sparql: str) -> Iterator[re.Match[str]]:
    """What the text is made of, without its comments; ``lastgroup`` says which kind, operators are left out."""
    return (match for match in _TOKEN.finditer(sparql) if match.lastgroup != "comment")


def words(sparql: str) -> Iterator[Word]:
    """The bare words of a query or an update, and its braces, in order."""
    depth = 0
    for match in _TOKEN.finditer(sparql):
        if match.lastgroup == "word":
            yield Word(match.group().upper(), match.start(), depth)
        elif match.lastgroup == "brace":
            depth -= match.group() == "}"
            yield Word(match.group(), match.start(), depth)
            depth += match.group() == "{"


def names_dataset(query: str) -> bool:
    """True when the query says FROM itself (outside of any group)."""
    return any(word.text == "FROM" and word.depth == 0 for word in words(query))


def reaches_out(sparql: str) -> str:
    """``SERVICE`` or ``LOAD`` when the text would make the server ask another host; else empty."""
    return next((word.text for word in words(sparql) if word.text in {"SERVICE", "LOAD"}), "")


def with_using(update: str, default: list[str], named: list[str]) -> str:
    """The update with ``using-graph-uri`` and ``using-named-graph-uri`` written into each of its operations.

    SPARQL 1.1 Protocol, section 2.2.3. ``ValueError`` when the update names its dataset itself (USING, WITH), or uses
    the form ``DELETE WHERE``, which takes no dataset.
    """
    clause = "".join(f"USING <{iri}> " for iri in default) + "".join(f"USING NAMED <{iri}> " for iri in named)
    cuts: list[int] = []
    before = ""
    for word in words(update):
        if word.depth:
            continue
        if word.text in {"USING", "WITH"}:
            raise ValueError(f"the update says {word.text} itself, so using-graph-uri cannot be given as well")
        if word.text == "WHERE" and before == "DELETE":
            raise ValueError("DELETE WHERE takes no dataset: write DELETE { ... } WHERE { ... }")
        if word.text == "WHERE":
            cuts.append(word.start)
        if word.text == "{" and before == "}":
            cuts.append(word.start)  # the word WHERE may be left out: DELETE { ... } { pattern }
        before = word.text
    for cut in reversed(cuts):
        update = update[:cut] + clause + update[cut:]
    return update
