"""The bytes of a scripted page: JSON-LD written well or badly, where the script says, in a landing page of HTML."""

from __future__ import annotations

import html
import json
from typing import Any

from sheaf.demo.script import Answer, Script

PLACES_IN_HTML = ("head", "body", "after_html")


def script_text(script: Script) -> str:
    """The text of one script, with its quirks; placeholders such as ``${base}`` are still in it."""
    if "empty" in script.quirks:
        return ""
    text = "{}" if "empty_object" in script.quirks else json.dumps(_value(script), indent=2, ensure_ascii=False)
    if "raw_newline" in script.quirks:
        text = text.replace('"description": "', '"description": "First line\nsecond line: ', 1)
    if "trailing_comma" in script.quirks:
        text = text[:-2] + ",\n" + text[-1]
    if "missing_value" in script.quirks:
        text = text.replace("{", '{\n  "alternateName": ,', 1)
    if "broken" in script.quirks:
        text = text[: len(text) // 2]
    if "entities" in script.quirks:
        text = html.escape(text, quote=True)
    if "comment" in script.quirks:
        text = f"<!--\n{text}\n-->"
    if "cdata" in script.quirks:
        text = f"//<![CDATA[\n{text}\n//]]>"
    return "\ufeff" + text if "bom" in script.quirks else text


def _value(script: Script) -> Any:
    documents = list(script.documents)
    if script.shape == "array":
        return documents
    if script.shape == "nested_array":
        return [documents]
    if script.shape == "graph":
        bare = [{key: value for key, value in doc.items() if key != "@context"} for doc in documents]
        return {"@context": documents[0].get("@context", "https://schema.org/"), "@graph": bare}
    return documents[0] if documents else {}


def written_documents(answer: Answer) -> list[str]:
    """What a reader may find on the page, in its order: one text a script, and one an item of an array."""
    found: list[str] = []
    for script in answer.scripts:
        if script.shape in ("array", "nested_array"):
            found.extend(json.dumps(document) for document in script.documents)
        else:
            found.append(script_text(script))
    return found


def page_body(answer: Answer, base: str) -> bytes:
    """The body of an answer on a site that runs at ``base``, before any content encoding."""
    if answer.body is not None:
        text = answer.body
    elif any(script.place == "raw" for script in answer.scripts):
        text = script_text(answer.scripts[0])
    else:
        text = _html_page(answer)
    return text.replace("${base}", base).encode(answer.charset)


def page_type(answer: Answer) -> str:
    """The Content-Type header of an answer."""
    if answer.content_type:
        kind = answer.content_type
    else:
        raw = any(script.place == "raw" for script in answer.scripts)
        kind = "application/ld+json" if raw else "text/html"
    charset = answer.charset if answer.declared_charset is None else answer.declared_charset
    return f"{kind}; charset={charset}" if charset and "charset" not in kind else kind


def _html_page(answer: Answer) -> str:
    title, text = html.escape(answer.title), html.escape(answer.text)
    placed = {place: "".join(_element(s) for s in answer.scripts if s.place == place) for place in PLACES_IN_HTML}
    made = "".join(_javascript(script) for script in answer.scripts if script.place == "javascript")
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<title>{title}</title>\n{placed["head"]}</head>\n'
        f"<body>\n<h1>{title}</h1>\n<p>{text}</p>\n{placed['body']}{made}</body>\n</html>\n{placed['after_html']}"
    )


def _element(script: Script) -> str:
    return f'<script type="{script.type}">{script_text(script)}</script>\n'


def _javascript(script: Script) -> str:
    # The type is put together, so that no reader of the source text finds a JSON-LD script in it.
    return (
        "<script>\n"
        f"const data = {script_text(script)};\n"
        "const made = document.createElement('script');\n"
        "made.type = ['application', 'ld+json'].join('/');\n"
        "made.textContent = JSON.stringify(data);\n"
        "setTimeout(() => document.head.appendChild(made), 50);\n"
        "</script>\n"
    )
