"""The page at `/`: files that are the same for everyone. What the page shows it asks for itself."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from aiohttp import web

from cast_http.negotiate import has_already

FOLDER: Final = Path(__file__).parent / "page"

TYPES: Final = MappingProxyType(
    {
        ".html": "text/html; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
        ".css": "text/css; charset=utf-8",
        ".svg": "image/svg+xml",
        ".webmanifest": "application/manifest+json",
    }
)
"""Named here, because a machine may lack the list that Python guesses by."""

MEDIA_TYPES: Final = tuple(kind.partition(";")[0] for kind in TYPES.values())

HEADERS: Final = MappingProxyType(
    {
        "Cache-Control": "no-cache",  # asked for each time and answered 304: an upgrade shows at once
        "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
        "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
)


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    type: str
    tag: str
    """A hash of its content, for caches."""


def _read(file: Path) -> _File:
    content = file.read_bytes()
    return _File(content, TYPES[file.suffix], hashlib.sha256(content).hexdigest()[:32])


_FILES: Final = {file.name: _read(file) for file in FOLDER.iterdir() if file.suffix in TYPES}
"""All of them, less than 100 kB: nobody who opens the page waits for a disk."""


async def page(request: web.Request) -> web.Response:
    """`GET /` and `GET /pair`: the page."""
    return _answer(request, "index.html")


async def page_file(request: web.Request) -> web.Response:
    """`GET /page/{name}`: a file of the page."""
    return _answer(request, request.match_info["name"])


def _answer(request: web.Request, name: str) -> web.Response:
    file = _FILES.get(name)
    if file is None:
        raise web.HTTPNotFound
    answer = web.Response(status=304) if has_already(request, file.tag) else web.Response(body=file.content)
    answer.headers.update(HEADERS)
    answer.headers["Content-Type"] = file.type
    answer.etag = file.tag
    return answer
