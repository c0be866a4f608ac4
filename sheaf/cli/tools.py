"""``sheaf tools``: what a harvest and a release make of one document, without a project or a store."""

from __future__ import annotations

import sys
from typing import Any, BinaryIO

import click
import orjson

from sheaf.config.sources import IDENTIFIER_TYPES
from sheaf.errors import BadInput
from sheaf.harvest.contexts import ContextCache, http_fetch
from sheaf.harvest.documents import MAX_DEPTH
from sheaf.harvest.extract import Undecodable, decode
from sheaf.harvest.fixups import fix
from sheaf.harvest.identifiers import identify
from sheaf.harvest.json_spans import depth, load
from sheaf.harvest.repair import NotJson, repair
from sheaf.release.rdf import canonical_nquads, convert

_FILE = click.argument("file", type=click.File("rb"), metavar="FILE|-")
_JSON = click.option("--json", "as_json", is_flag=True, help="print JSON")


@click.group()
def tools() -> None:
    """One document: its id, its fixed-up text, its N-Quads."""


@tools.command("id")
@click.option(
    "--type",
    "kind",
    type=click.Choice([*IDENTIFIER_TYPES, "jsonsha"]),
    default="identifiersha",
    show_default=True,
    help="identifiertype of the source",
)
@click.option("--path", default="", help="identifierpath of the source: JSONPaths with commas, the last tried first")
@_JSON
@_FILE
def identifier(file: BinaryIO, kind: str, path: str, as_json: bool) -> None:
    """Print the identifier that a harvest gives the JSON-LD document in FILE."""
    text, value, _ = _fixed(file)
    paths = tuple(reversed([part.strip() for part in path.split(",") if part.strip()]))
    found = identify(text, value, kind, paths)
    if not as_json:
        click.echo(found.id)
        return
    _print_json(
        {
            "identifiertype": found.type,
            "jsonsha": found.json_sha,
            "matchedpath": found.matched_path,
            "matchedstring": found.matched_string,
            "uniqueid": found.id,
        }
    )


@tools.command("jsonld")
@_JSON
@_FILE
def jsonld(file: BinaryIO, as_json: bool) -> None:
    """Print the document in FILE as a harvest stores it: repaired and fixed up, its own formatting kept."""
    text, _, repaired = _fixed(file)
    if as_json:
        _print_json({"text": text, "repaired": list(repaired)})
    else:
        _print_exactly(text)


@tools.command("rdf")
@click.option("--no-fixups", is_flag=True, help="convert the document as it is")
@click.option("--base", default="", metavar="IRI", help="resolve relative IRIs against this one")
@_JSON
@_FILE
def rdf(file: BinaryIO, no_fixups: bool, base: str, as_json: bool) -> None:
    """Print the document in FILE as canonical N-Quads (RDFC-1.0)."""
    text = _mended(file)[0] if no_fixups else _fixed(file)[0]
    nquads = canonical_nquads(text, base, fixups=not no_fixups).decode()
    if as_json:
        found = convert(text, base, fixups=not no_fixups, relative_types=True)
        counts = {"iris": found.iris, "languages": found.languages, "left_out": found.left_out, "values": found.values}
        _print_json({"nquads": nquads, "quads": nquads.count("\n"), "mended": counts})
    else:
        _print_exactly(nquads)


def _fixed(file: BinaryIO) -> tuple[str, dict[str, Any], tuple[str, ...]]:
    """The fixed-up text, its value and the repair codes."""
    text, value, repaired = _mended(file)
    text, value = fix(text, value, contexts=ContextCache(http_fetch))
    return text, value, repaired


def _mended(file: BinaryIO) -> tuple[str, dict[str, Any], tuple[str, ...]]:
    name = "standard input" if file is sys.stdin.buffer else str(file.name)
    try:
        text, repaired = decode(file.read(), "application/ld+json")
    except Undecodable as error:
        raise BadInput(f"{name}: {error}; save it as UTF-8") from error
    try:
        value = load(text)
    except orjson.JSONDecodeError as error:
        try:
            text, mended = repair(text)
        except NotJson as second:
            raise BadInput(f"{name}: {error}, and it could not be mended: {second}") from error
        value, repaired = load(text), repaired + mended
    if depth(text) > MAX_DEPTH:
        raise BadInput(f"{name}: nested deeper than {MAX_DEPTH} levels; a harvest refuses that too")
    if not isinstance(value, dict):
        raise BadInput(f"{name}: not a JSON object but {text.strip()[:20]!r}; give one document, not an array of them")
    return text, value, repaired


def _print_exactly(text: str) -> None:
    """To a file or a pipe not a byte more than the text, so that digests of it are right."""
    click.echo(text, nl=sys.stdout.isatty() and not text.endswith("\n"))


def _print_json(value: dict[str, Any]) -> None:
    click.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())
