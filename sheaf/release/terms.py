"""Terms as N-Triples writes them: read, made, compared. A literal's text stays escaped, to go out as it came in."""

from __future__ import annotations

import re
from typing import Final

RDF_TYPE: Final = "<http://www.w3.org/1999/02/22-rdf-syntax-ns#type>"
SCHEMA: Final = "https://schema.org/"
SCHEMAS: Final = (SCHEMA, "http://schema.org/")
XSD_DECIMAL: Final = "http://www.w3.org/2001/XMLSchema#decimal"

_START = re.compile(r"^(?:\s|\\[tnr])+")
_ESCAPED = re.compile(r"\\(?:u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|.)")
_LETTERS = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_BLANKS = ("\\n", "\\t", "\\r")
_ESCAPES = str.maketrans(
    {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f", "\x7f": "\\u007F"}
    | {chr(code): f"\\u{code:04X}" for code in range(0x20) if code not in (8, 9, 10, 12, 13)}
)


def is_node(term: str) -> bool:
    """Whether a term is an IRI or a blank node."""
    return term[0] in "<_"


def text_of(term: str) -> str:
    """The escaped text of a literal or of an IRI, without white space around it; empty for a blank node."""
    if term[0] == '"':
        text = term[1 : term.rindex('"')]
    elif term[0] == "<":
        text = term[1:-1]
    else:
        return ""
    # One text in a hundred has white space around it; these looks tell which.
    if text and (text[0] == "\\" or text[0].isspace() or text[-1].isspace() or text[-2:] in _BLANKS):
        text = _trimmed(_START.sub("", text))
    return text


def _trimmed(text: str) -> str:
    while True:
        shorter = text.rstrip()
        # An even number of backslashes before the letter is the text's own: "C:\\new" is no line break.
        stem = shorter[:-1]
        if shorter[-2:] in _BLANKS and (len(stem) - len(stem.rstrip("\\"))) % 2:
            shorter = shorter[:-2]
        if shorter == text:
            return text
        text = shorter


def language_of(term: str) -> str:
    """A literal's language tag in lower case, empty when it has none."""
    if term[0] != '"' or term[-1] in '">':
        return ""
    return term[term.rindex('"') + 2 :].lower()


def literal(escaped: str) -> str:
    """A plain literal of text that is escaped already."""
    return f'"{escaped}"'


def escape(text: str) -> str:
    """Text as canonical N-Triples escapes it in a literal."""
    return text.translate(_ESCAPES)


def unescape(escaped: str) -> str:
    """The text that escaped text stands for."""
    return _ESCAPED.sub(lambda found: _unescaped(found[0]), escaped) if "\\" in escaped else escaped


def _unescaped(escape: str) -> str:
    return chr(int(escape[2:], 16)) if escape[1] in "uU" else _LETTERS.get(escape[1], escape[1])


def decimal(number: float) -> str:
    """An ``xsd:decimal`` in canonical form, seven digits after the point (a centimetre on the ground)."""
    text = f"{number:.7f}".rstrip("0").rstrip(".")
    return f'"{"0" if text in ("", "-0") else text}"^^<{XSD_DECIMAL}>'


def iri(text: str) -> str:
    """An IRI of our own making, in angle brackets."""
    return f"<{text}>"


def schema(name: str) -> str:
    """A term of schema.org, under https."""
    return f"<{SCHEMA}{name}>"
