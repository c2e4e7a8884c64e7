"""All webhooks of this box, as the configuration has them now."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import structlog

from agent.config.settings import WebhookSettings
from agent.health import WebhookStatus
from agent.reporting.http.resolver import FindLocal
from agent.reporting.outbox.outbox import Outbox
from agent.reporting.outbox.reader import OutboxStatus, Reader
from agent.reporting.webhooks.webhook import Webhook
from agent.types import DeviceInfo
from agent.util.files import write_whole
from agent.util.threads import in_thread
from cast_util.tasks import Supervisor

FILE: Final = "webhooks.json"

READ_LIMIT: Final = 16 * 1024
"""Bytes. The file has at most some hundred."""

log = structlog.get_logger(__name__)


class Webhooks:
    """Keeps in `folder` which of them their receivers do not want any more: those are not sent anything, over restarts
    too, until they are configured otherwise."""

    def __init__(
        self,
        *,
        folder: Path,
        device: DeviceInfo,
        supervisor: Supervisor | None = None,
        find_local: FindLocal | None = None,
    ) -> None:
        self._supervisor = supervisor or Supervisor()
        self._find_local = find_local
        self._folder = folder
        self._device = device
        self._all: tuple[Webhook, ...] = ()
        self._kept: frozenset[str] | None = None
        """The webhooks that are disabled, as on the disk; None if that is not known yet."""
        self._fails = False

    @property
    def readers(self) -> Mapping[str, Reader]:
        """The readers of the webhooks to call."""
        return {webhook.name: webhook.reader for webhook in self._all if not webhook.is_disabled}

    def statuses(self, outbox: OutboxStatus) -> tuple[WebhookStatus, ...]:
        """The statuses, in the order of the configuration."""
        return tuple(webhook.status(outbox) for webhook in self._all)

    async def follow(self, wanted: Sequence[WebhookSettings]) -> None:
        """Set the webhooks. Those that are unchanged continue undisturbed."""
        if self._kept is None and wanted:
            self._kept = await self._read()
        there = {webhook.settings: webhook for webhook in self._all}
        self._all = tuple(there.pop(settings) if settings in there else self._made(settings) for settings in wanted)
        await asyncio.gather(*(webhook.stop() for webhook in there.values()))
        await self._keep()

    def start(self, outbox: Outbox) -> None:
        """Idempotent."""
        for webhook in self._all:
            webhook.start(outbox)

    async def stop(self) -> None:
        """Idempotent."""
        await asyncio.gather(*(webhook.stop() for webhook in self._all))

    def _made(self, settings: WebhookSettings) -> Webhook:
        is_disabled = fingerprint(settings) in (self._kept or ())
        return Webhook(
            settings,
            device=self._device,
            is_disabled=is_disabled,
            supervisor=self._supervisor,
            find_local=self._find_local,
        )

    async def _read(self) -> frozenset[str]:
        try:
            return await in_thread(lambda: disabled_in(self._folder), name="webhooks")
        except (OSError, ValueError) as error:
            hint = "Those that were disabled are tried again."
            log.warning("webhook_file_read_failed", file=str(self._folder / FILE), reason=str(error), hint=hint)
            return frozenset()

    async def _keep(self) -> None:
        disabled = frozenset(fingerprint(webhook.settings) for webhook in self._all if webhook.is_disabled)
        if self._kept is None or disabled == self._kept:
            return
        try:
            await in_thread(lambda: _write(self._folder, disabled), name="webhooks")
        except OSError as error:
            if not self._fails:
                hint = "After a restart those that were disabled are tried again."
                log.warning(
                    "webhook_file_write_failed", file=str(self._folder / FILE), reason=error.strerror, hint=hint
                )
            self._fails = True
        else:
            self._kept, self._fails = disabled, False


def fingerprint(settings: WebhookSettings) -> str:
    """A hash that changes with any setting of the webhook."""
    return hashlib.sha256(json.dumps([settings.url, settings.secret, settings.events]).encode()).hexdigest()


def disabled_in(folder: Path) -> frozenset[str]:
    """The fingerprints that are kept in this state directory. Blocks. Raises OSError, and ValueError when the file is
    damaged."""
    try:
        with (folder / FILE).open("rb") as stream:
            return frozenset(map(str, json.loads(stream.read(READ_LIMIT))["disabled"]))
    except FileNotFoundError:
        return frozenset()
    except (TypeError, KeyError) as error:
        raise ValueError("it is not what was written there") from error


def _write(folder: Path, disabled: Iterable[str]) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(folder / FILE, json.dumps({"disabled": sorted(disabled)}) + "\n")
