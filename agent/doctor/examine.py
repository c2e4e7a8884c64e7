"""All that the doctor looks at. It needs no running agent, leaves nothing behind and draws nothing, so it may be run
while a film is on."""

from __future__ import annotations

import asyncio
import os
import stat
import tomllib
from pathlib import Path

from agent.config.loader import SYSTEM_CONFIG, Settings, installed_config, settings_beside
from agent.doctor.bounds import bounded
from agent.doctor.central import central
from agent.doctor.clock_fonts import clock, fonts
from agent.doctor.dlna import dlna
from agent.doctor.dns import name_servers
from agent.doctor.engines import players
from agent.doctor.findings import Finding, Level
from agent.doctor.home_assistant import home_assistant
from agent.doctor.lan import found_on_lan
from agent.doctor.logins import logins
from agent.doctor.machine import as_service, display, hardware, sound, state, user_group, user_name
from agent.doctor.pins import pins
from agent.doctor.port import listening
from agent.doctor.presets import presets
from agent.doctor.webhooks import webhooks
from agent.errors import ConfigError
from agent.media.redaction import redact
from agent.util.threads import in_thread


async def examine(config: Path | None = None, *, dev: Path = Path("/dev")) -> list[Finding]:
    """Look at everything that playing needs, as the user who calls this (root's command becomes the
    service's user first). Takes 10 s at most."""
    try:
        settings = settings_beside(config)
    except ConfigError as e:
        problems = [line.removeprefix("  - ") for line in str(e).splitlines()[1:]] or [str(e)]
        advice = "Fix it and run the doctor again: it checks the rest then."
        return [Finding(Level.FAIL, "configuration", problem, advice) for problem in problems]
    looks = (
        bounded("state folder", state(settings)),
        bounded("display", display(settings)),
        players(settings),
        bounded("hardware", in_thread(lambda: hardware(dev))),
        bounded("sound", sound(settings, dev)),
        bounded("fonts", in_thread(fonts)),
        presets(settings),
        logins(settings),
        pins(settings),
        bounded("port", listening(settings)),
        bounded("Home Assistant", home_assistant(settings)),
        bounded("DLNA", dlna(settings)),
        bounded("central API", central(settings)),
        webhooks(settings),
        bounded("mDNS", in_thread(lambda: found_on_lan(settings))),
        bounded("DNS", name_servers()),
        bounded("clock", in_thread(clock)),
    )
    found = await asyncio.gather(*looks)
    own = configuration(config or installed_config(), settings)
    return [own, *(finding for findings in found for finding in findings)]


def configuration(config: Path | None, settings: Settings) -> Finding:
    """The file that these settings came from, if there is one: it can be read, by those alone who may."""
    if config is not None:
        if _has_secrets(config, settings) and config.stat().st_mode & stat.S_IROTH:
            found = f"{config} holds secrets of webhooks, presets or log-ins, or a token, and every user can read it."
            advice = f"Let its owner and the group of who runs cast-agent read it alone: chmod 640 {config}"
            return Finding(Level.WARN, "configuration", found, advice)
        return Finding(Level.OK, "configuration", f"{config} is good.")
    if os.environ.get("INVOCATION_ID"):
        return Finding(Level.OK, "configuration", "It is good.")
    found = "No file was named: the defaults and the environment apply."
    if SYSTEM_CONFIG.exists() and as_service():
        found = f"The service runs as {user_name(os.geteuid())}, which may not read {SYSTEM_CONFIG}: it does not start."
        advice = (
            f"Give it to a group of that user: chown root:{user_group()} {SYSTEM_CONFIG}; chmod 640 {SYSTEM_CONFIG}"
        )
        return Finding(Level.FAIL, "configuration", found, advice)
    if SYSTEM_CONFIG.exists():
        advice = f"The service reads {SYSTEM_CONFIG}, and you may not: call the doctor with sudo."
        return Finding(Level.WARN, "configuration", found, advice)
    return Finding(Level.OK, "configuration", found)


def _has_secrets(config: Path, settings: Settings) -> bool:
    """Return True if these settings have secrets from this file; others come from the environment."""
    held = {
        "webhook": bool(settings.webhook),
        "central": bool(settings.central.token),
        "preset": any(redact(str(preset.url)) != str(preset.url) for preset in settings.preset),
        "login": any(login.secret for login in settings.login),
    }
    own = tomllib.loads(config.read_text(encoding="utf-8-sig"))
    return any(held[section] for section in held.keys() & own.keys())
