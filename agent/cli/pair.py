"""`cast-agent pair`: a link, and a code to scan, by which the page on a phone or a desktop signs in once."""

from __future__ import annotations

import argparse
import os
import sys

from agent.access.keys import KeysError
from agent.access.pairing import VALID_S, Pairing, link_to
from agent.cli.exits import CliError, Exit, as_json
from agent.cli.key import auth_now
from agent.cli.setup import box_url
from agent.config.loader import settings_beside
from agent.types import Auth
from cast_util.output import say


def pair(options: argparse.Namespace) -> int:
    """Make a link and show it."""
    settings = settings_beside(options.config)
    auth = auth_now(settings)
    if Auth.NONE in (settings.api.auth, auth):
        text = (
            f'auth = "none" under [api] lets everybody in, so no device needs to be paired: open {box_url(settings)}/'
        )
        raise CliError(Exit.FAILED, "pairing", text)
    try:
        link = link_to(box_url(settings), Pairing(settings.state.directory()).offer())
    except KeysError as error:
        raise CliError(Exit.FAILED, "pairing", str(error)) from error
    if options.json:
        print(as_json({"url": link, "valid_s": VALID_S}))
    else:
        if sys.stdout.isatty() and sys.stdout.encoding.lower() == "utf-8" and os.environ.get("TERM") != "dumb":
            import segno  # 20 ms, for a person alone

            segno.make_qr(link).terminal(out=sys.stdout, border=2, compact=True)
        print(link)
    say(f"Scan the code or open the link on the device within {VALID_S / 60:g} minutes. It works once.")
    if auth is None:
        say("No agent answers on this machine now: start it first.")
    elif auth == Auth.CLOSED:
        say(
            "With the first paired device the agent leaves protected mode. From then on every caller needs a key, "
            "programs on this machine, too: cast-agent key add NAME makes one."
        )
    return Exit.OK
