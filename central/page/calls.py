"""The calls of the page: its files, and logging in and out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cast_http.operations import NoQuery
from cast_http.page_files import PageFile
from central.core.errors import MissingError
from central.core.operations import Call
from central.core.replies import Reply
from central.core.secrets import SESSION_COOKIE
from central.core.types import Caller
from central.page import models
from central.page.models import SessionBody
from central.page.service import Page
from central.page.sessions import VALID_FOR

_COOKIE: Final = "{name}={token}; Path=/; Max-Age={age_s}; HttpOnly; SameSite=Strict{secure}"


async def get_page(call: Call[Page, None, NoQuery]) -> Reply:
    return _file(call.service, call.service.files["index.html"])


async def get_page_file(call: Call[Page, None, NoQuery]) -> Reply:
    file = call.service.files.get(call.path["name"])
    if file is None:
        raise MissingError("The page has no such file.")
    return _file(call.service, file)


async def log_in(call: Call[Page, SessionBody, NoQuery]) -> Reply:
    token, caller = await call.service.sessions.log_in(call.body.key, address=call.address)
    return Reply(_session(caller), headers=_cookie(token, int(VALID_FOR.total_seconds()), is_secure=call.is_secure))


async def get_session(call: Call[Page, None, NoQuery]) -> Reply:
    return Reply(_session(call.caller))


async def log_out(call: Call[Page, None, NoQuery]) -> Reply:
    await call.service.sessions.log_out(call.caller)
    return Reply(status=204, headers=_cookie("", 0, is_secure=call.is_secure))


def _file(page: Page, file: PageFile) -> Reply:
    return Reply(text=file.text, content_type=file.type, headers=page.headers, tag=file.tag)


def _session(caller: Caller) -> models.Session:
    return models.Session.model_validate(caller, from_attributes=True)


def _cookie(token: str, age_s: int, *, is_secure: bool) -> Mapping[str, str]:
    secure = "; Secure" if is_secure else ""
    return {"Set-Cookie": _COOKIE.format(name=SESSION_COOKIE, token=token, age_s=age_s, secure=secure)}
