"""An answer on its way to the client: small ones at once, big ones from the file they were written into."""

from __future__ import annotations

from collections.abc import Iterator

from starlette.responses import Response, StreamingResponse

from sheaf.graph.server.answers import IN_MEMORY, Answer

CHUNK = 256 * 1024


def send(answer: Answer, media: str, head: bool = False) -> Response:
    """The response for a finished answer; for HEAD its headers alone."""
    answer.file.seek(0)
    content_type = f"{media}; charset=utf-8" if media.startswith("text/") else media
    headers = {"Content-Type": content_type, "Vary": "Accept, Accept-Encoding"}
    if head:
        answer.file.close()
        return Response(headers=headers | {"Content-Length": str(answer.size)})
    if answer.size <= IN_MEMORY:
        with answer.file as file:
            return Response(file.read(), headers=headers)
    return StreamingResponse(_blocks(answer), headers=headers | {"Content-Length": str(answer.size)})


def _blocks(answer: Answer) -> Iterator[bytes]:
    with answer.file as file:
        while block := file.read(CHUNK):
            yield block
