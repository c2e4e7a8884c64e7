"""The calls by which the page on a device gets a key of its own, which it keeps in a cookie that no script can read."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from agent.access.gate import PAGE_PREFIX, PageKey
from agent.frontends.http.app_keys import CALLER
from agent.frontends.http.body import read_form
from agent.frontends.http.guard import GATE, cookie_name, ends
from agent.frontends.http.requests import NoBody, PairBody, SignInBody
from agent.frontends.http.responses import SessionAnswer, SignedIn
from cast_http.negotiate import json_answer
from cast_http.proxies import is_proxied

COOKIE_AGE_S: Final = 400 * 24 * 3600
"""The longest that browsers keep a cookie; each sign-in makes a new one."""

_DEVICES: Final = ("iPhone", "iPad", "Android", "Windows", "Macintosh", "CrOS", "Linux")
"""Words in the User-Agent header that people know their devices by. Android says Linux, too."""


async def sign_in(request: web.Request) -> web.Response:
    """`POST /session`: a key for this device, in a cookie, in return for a key that is known."""
    wish = await read_form(request, SignInBody)
    peer, port = ends(request)
    made = await request.app[GATE].sign_in(
        wish.key, device=_device(request), peer=peer, port=port, proxied=is_proxied(request)
    )
    return _signed_in(request, made)


async def pair(request: web.Request) -> web.Response:
    """`POST /pair`: a key for this device, in a cookie, in return for the token of a pairing link."""
    wish = await read_form(request, PairBody)
    return _signed_in(request, await request.app[GATE].pair(wish.token, device=_device(request), peer=ends(request)[0]))


async def session(request: web.Request) -> web.Response:
    """`GET /session`: as whom the caller is signed in."""
    return _no_store(json_answer(SessionAnswer(name=request.get(CALLER)).model_dump_json()))


async def sign_out(request: web.Request) -> web.Response:
    """`DELETE /session`: the page of this device has no key any more. A key that is not of a page stays."""
    await read_form(request, NoBody)
    caller = request.get(CALLER)
    if caller is not None and caller.startswith(PAGE_PREFIX):
        await request.app[GATE].sign_out(caller)
    answer = _no_store(json_answer(SignedIn(name=None).model_dump_json()))
    answer.del_cookie(cookie_name(ends(request)[1]), httponly=True, samesite="Strict")
    return answer


def _signed_in(request: web.Request, made: PageKey | None) -> web.Response:
    answer = _no_store(json_answer(SignedIn(name=None if made is None else made.name).model_dump_json()))
    if made is not None:
        answer.set_cookie(
            cookie_name(ends(request)[1]),
            made.key,
            max_age=COOKIE_AGE_S,
            httponly=True,
            samesite="Strict",
            secure=request.secure,
        )
    return answer


def _device(request: web.Request) -> str:
    agent = request.headers.get("User-Agent", "")
    return next((word.lower() for word in _DEVICES if word in agent), "browser")


def _no_store(answer: web.Response) -> web.Response:
    answer.headers["Cache-Control"] = "no-store"
    return answer
