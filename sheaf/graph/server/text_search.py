"""Blazegraph's full-text search, which search pages ask with, said in plain SPARQL.

``?lit bds:search "coral reef"`` (with ``bds:matchAllTerms``, ``bds:relevance``, ``bds:minRelevance``, ``bds:rank``)
becomes a filter on ``?lit`` in the same group, and its relevance: the share of the words that the literal has, more for
a short literal. There is no index: the literals that the rest of the group finds are looked at, one by one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from sheaf.graph.server.words import tokens

NAMESPACE = "http://www.bigdata.com/rdf/search#"
HINTS = "http://www.bigdata.com/queryHints#"
_WORD = re.compile(r"\w+\*?")
_BOUNDARY = r"[^\\p{L}\\p{N}_]"
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|.)", re.DOTALL)
_SHORT = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


@dataclass(slots=True)
class Search:
    """The ``bds:`` lines about one variable in one group; ``end`` is where the group's brace closes."""

    variable: str
    options: dict[str, str] = field(default_factory=dict)
    end: int = -1


def rewritten(query: str) -> str:
    """The query without ``bds:`` and ``hint:`` patterns, each search as a filter at the end of its group.

    A query without them comes back as it is.
    """
    if "bds:" not in query and NAMESPACE not in query and "hint:" not in query:
        return query
    searches: dict[tuple[int, str], Search] = {}
    cuts: list[tuple[int, int, str]] = []
    found = list(tokens(query))
    open_braces: list[int] = []
    at = 0
    while at < len(found):
        token = found[at]
        if token.group() == "{":
            open_braces.append(token.start())
        elif token.group() == "}" and open_braces:
            group = open_braces.pop()
            for (start, _), search in searches.items():
                if start == group:
                    search.end = token.start()
        elif open_braces and token.lastgroup in {"variable", "name", "iri"} and (name := _magic(found, at + 1)):
            at = _take(found, at, name, open_braces[-1], searches, cuts)
            continue
        at += 1
    cuts += [(search.end, search.end, _filter(search)) for search in searches.values() if search.end >= 0]
    for start, end, text in sorted(cuts, reverse=True):
        query = query[:start] + text + query[end:]
    return query


def _magic(found: list[re.Match[str]], at: int) -> str:
    """The local name when the token is a predicate of Blazegraph's search, ``hint`` for a query hint, else empty."""
    text = found[at].group() if at < len(found) else ""
    text = text.removeprefix("<").removesuffix(">").replace(NAMESPACE, "bds:").replace(HINTS, "hint:")
    if text.startswith("hint:"):
        return "hint"
    return text.removeprefix("bds:") if text.startswith("bds:") else ""


def _take(
    found: list[re.Match[str]],
    at: int,
    name: str,
    group: int,
    searches: dict[tuple[int, str], Search],
    cuts: list[tuple[int, int, str]],
) -> int:
    """Read the pattern at ``at`` with all its ``;`` parts, mark it for cutting; the index of the token behind it."""
    subject = found[at].group()
    start = found[at].start()
    while name:
        value = found[at + 2] if at + 2 < len(found) else None
        if value is None or value.lastgroup == "brace":
            return at + 1
        if name != "hint":
            search = searches.setdefault((group, subject), Search(subject))
            search.options[name] = _value(value)
        after = at + 3
        while after < len(found) and found[after].lastgroup in {"language", "iri", "name"}:
            after += 1  # the literal's language or datatype
        stop = found[after].group() if after < len(found) else ""
        end = found[after].end() if stop in {".", ";"} else value.end()
        name = _magic(found, after + 1) if stop == ";" else ""
        at = after
    goes_on = stop == ";" and after + 1 < len(found) and found[after + 1].group() not in {"}", "."}
    cuts.append((start, end, f"{subject} " if goes_on else ""))
    return after + (stop in {".", ";"})


def _value(token: re.Match[str]) -> str:
    """A literal's text, or the token as it is."""
    if token.lastgroup != "string":
        return token.group()
    text = token.group()
    quotes = 3 if text[:3] in {'"""', "'''"} else 1
    return _ESCAPE.sub(_unescape, text[quotes:-quotes])


def _unescape(match: re.Match[str]) -> str:
    said = match.group(1)
    return chr(int(said[1:], 16)) if said[0] in "uU" and len(said) > 1 else _SHORT.get(said, said)


def _filter(search: Search) -> str:
    """The search as SPARQL; nothing when no words were asked for (then Blazegraph finds nothing either)."""
    asked = search.options.get("search", "")
    literal = f"LCASE(STR({search.variable}))"
    if search.options.get("matchExact", "").lower() == "true":
        conditions = [f"CONTAINS({literal}, {_quoted(asked.lower())})"]
    else:
        conditions = [_has(literal, word) for word in dict.fromkeys(_WORD.findall(asked.lower()))]
    together = " && " if search.options.get("matchAllTerms", "").lower() == "true" else " || "
    text = f" FILTER(ISLITERAL({search.variable}) && ({together.join(conditions) or 'false'}))"
    share = " + ".join(f"IF({condition}, 1e0, 0e0)" for condition in conditions) or "0e0"
    # from 0.5 for a long text to 1 for one that is little more than the words themselves
    # doubles: a product of decimals with more than 18 digits is an error in Oxigraph
    length = f"(5e-1 + 5e-1 * {max(len(asked), 1)}e0 / (STRLEN({literal}) + {max(len(asked), 1)}e0))"
    relevance = f"(({share}) / {max(len(conditions), 1)}e0 * {length})"
    if (score := search.options.get("relevance", "")).startswith(("?", "$")):
        text += f" BIND({relevance} AS {score})"
        relevance = score
    if (rank := search.options.get("rank", "")).startswith(("?", "$")):
        text += f" BIND(1 AS {rank})"
    for option, operator in (("minRelevance", ">="), ("maxRelevance", "<=")):
        limit = search.options.get(option, "")
        if re.fullmatch(r"\d+(\.\d+)?", limit):
            text += f" FILTER({relevance} {operator} {limit})"
    return f"{text} "


def _has(literal: str, word: str) -> str:
    """A whole word, or with a star the beginning of one; the cheap look comes first."""
    bare = word.removesuffix("*")
    behind = "" if word.endswith("*") else f"({_BOUNDARY}|$)"
    return f'(CONTAINS({literal}, {_quoted(bare)}) && REGEX({literal}, "(^|{_BOUNDARY}){bare}{behind}"))'


def _quoted(text: str) -> str:
    """A SPARQL string literal (SPARQL 1.1, section 19.7)."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return f'"{escaped}"'
