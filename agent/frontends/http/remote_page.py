"""The page at `/`: files that are the same for everyone. What the page shows it asks for itself."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from aiohttp import web

from cast_http.negotiate import has_already
from cast_http.page_files import page_files, page_headers

FILES: Final = page_files(Path(__file__).parent / "page")
_HEADERS: Final = page_headers()


async def page(request: web.Request) -> web.Response:
    """`GET /` and `GET /pair`: the page."""
    return _answer(request, "index.html")


async def page_file(request: web.Request) -> web.Response:
    """`GET /page/{name}`: a file of the page."""
    return _answer(request, request.match_info["name"])


def _answer(request: web.Request, name: str) -> web.Response:
    file = FILES.get(name)
    if file is None:
        raise web.HTTPNotFound
    is_known = has_already(request, file.tag)
    answer = web.Response(status=304) if is_known else web.Response(text=file.text, content_type=file.type)
    answer.headers.update(_HEADERS)
    answer.etag = file.tag
    return answer
