"""YAML read with the line and column of every value, keys in lower case (contracts.md, section 1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

import yaml

from sheaf.errors import BadInput

Path = tuple[str | int, ...]
SECRET_WORDS = ("secret", "password", "accesskey", "token", "apikey")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong, or worth a warning, in a config file; lines and columns count from 1."""

    file: str
    line: int
    column: int
    message: str
    fix: str
    where: str = ""

    def __str__(self) -> str:
        subject = f"{self.where}: " if self.where else ""
        return f"{self.file}, line {self.line}, column {self.column}: {subject}{self.message}. {self.fix}".rstrip()


class ConfigRefused(BadInput):
    """A config file with errors: ``problems`` lists all of them, the message shows them a line each."""

    def __init__(self, file: str, problems: list[Problem]) -> None:
        self.file = file
        self.problems = tuple(problems)
        errors = "1 error" if len(problems) == 1 else f"{len(problems)} errors"
        head = f"{file} is refused ({errors}); the last good one stays in force"
        super().__init__("\n".join([head, *(str(problem) for problem in problems[:20])]))


@dataclass(slots=True)
class Marked:
    """A YAML document as plain Python, with where each path stands, and what was wrong on the way."""

    file: str
    data: Any = None
    places: dict[Path, tuple[int, int]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def place(self, path: Path) -> tuple[int, int]:
        """Line and column of a path, or of its nearest parent that the file has."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, (1, 1))

    def problem(self, path: Path, message: str, fix: str, where: str = "") -> Problem:
        """A ``Problem`` at a path of this file."""
        line, column = self.place(path)
        return Problem(self.file, line, column, message, fix, where)


def read_marked(text: bytes, file: str) -> Marked:
    """Parse one YAML document; raises ``ConfigRefused`` when it is no YAML, or no mapping."""
    marked = Marked(file)
    try:
        decoded = text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        raise ConfigRefused(
            file, [Problem(file, line, 1, f"byte 0x{text[error.start]:02x} is not UTF-8", "Save the file as UTF-8.")]
        ) from error
    try:
        node = yaml.compose(decoded, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        raise ConfigRefused(file, [_syntax(error, decoded, file)]) from error
    except yaml.YAMLError as error:
        raise ConfigRefused(
            file, [Problem(file, 1, 1, f"this is no YAML: {error}", "Check it with a YAML linter.")]
        ) from error
    if not isinstance(node, yaml.MappingNode):
        raise ConfigRefused(
            file,
            [Problem(file, 1, 1, "the file holds no mapping at its top", "Start it with a key such as 'sources:'.")],
        )
    marked.data = _plain(node, (), marked)
    return marked


def _syntax(error: yaml.MarkedYAMLError, text: str, file: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    lines = text.splitlines()
    here = lines[line - 1].strip()[:80] if line <= len(lines) else ""
    text_here = "(hidden)" if _is_secret(here) else repr(here)
    name = ""
    for earlier in reversed(lines[: line - 1]):
        stripped = earlier.strip().removeprefix("- ").strip()
        if stripped.lower().startswith(("name:", "community:")):
            name = f"at or after {stripped}"
            break
    return Problem(
        file, line, column, f"this is no YAML: {error.problem or error} at {text_here}",
        "Check the indentation and the quotes here and in the line before.", name,
    )  # fmt: skip


def _plain(node: yaml.Node, path: Path, marked: Marked) -> Any:
    marked.places[path] = (node.start_mark.line + 1, node.start_mark.column + 1)
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, (*path, index), marked) for index, item in enumerate(node.value)]
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, marked)
    constructor = yaml.SafeLoader("")
    try:
        return constructor.construct_object(node)
    except (yaml.YAMLError, ValueError) as error:
        marked.problems.append(
            marked.problem(path, f"the value {str(node.value)[:80]!r} cannot be read: {error}", "Put it in quotes.")
        )
        return None


def _mapping(node: yaml.MappingNode, path: Path, marked: Marked) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = str(getattr(key_node, "value", "")).lower()
        child = (*path, key)
        if key == "<<" and isinstance(value_node, yaml.MappingNode):
            values = {**_mapping(value_node, path, marked), **values}
            continue
        if key in values:
            first = marked.places.get(child, (0, 0))[0]
            line, column = key_node.start_mark.line + 1, key_node.start_mark.column + 1
            marked.problems.append(
                Problem(
                    marked.file,
                    line,
                    column,
                    f"the key {key!r} stands here and in line {first} already",
                    "Keep one of the two.",
                )
            )
            continue
        values[key] = _plain(value_node, child, marked)
        marked.places[child] = (value_node.start_mark.line + 1, value_node.start_mark.column + 1)
    return values


def shown(field_name: str, value: Any) -> str:
    """A value as an error message may show it: short, and never a secret."""
    if _is_secret(field_name):
        return "(hidden)"
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _is_secret(text: str) -> bool:
    return any(word in text.lower() for word in SECRET_WORDS)


def near(word: str, known: list[str]) -> str:
    """``Did you mean a or b?`` for the nearest names, or the known ones when none is near."""
    close = get_close_matches(word, known, n=3, cutoff=0.6)
    if close:
        return f"Did you mean {' or '.join(close)}?"
    few = ", ".join(sorted(known)[:8]) + (", ..." if len(known) > 8 else "")
    return f"Known are: {few}." if known else ""
