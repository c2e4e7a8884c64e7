"""Reports to the central API that this box is registered with, and to webhooks: nothing on the box ever waits for
that."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from agent.config.settings import CentralSettings, WebhookSettings
from agent.events.bus import Event, EventBus
from agent.events.timestamp import Timestamp, timestamp
from agent.health import ReportingStatus, WebhookStatus
from agent.reporting.central.credentials import Credentials, EnrolmentError, read_enrolment
from agent.reporting.central.enrol import enrol
from agent.reporting.central.link import READER, Link
from agent.reporting.central.state import View
from agent.reporting.http.errors import ENROL_COMMAND
from agent.reporting.http.resolver import FindLocal
from agent.reporting.outbox.journal import Journal
from agent.reporting.outbox.reader import OutboxStatus, Reader
from agent.reporting.webhooks.webhooks import Webhooks
from agent.snapshot import TrackerSnapshot
from agent.types import DeviceInfo
from agent.util.threads import in_thread
from cast_util.tasks import Supervisor

LOOK_S: Final = 3.0
"""The interval at which two things are checked: whether the box has been registered or deregistered (a command does
that beside the agent), and whether a receiver of webhooks refuses more of them."""

ENROL_AGAIN_S: Final = 60.0
"""The pause after a registration by the configuration that failed."""

FIND_OUT_S: Final = 1.0
"""The longest wait for the disk to say at the start whether the box is registered; 1 ms is usual."""

CLOSE_S: Final = 0.5
"""The longest wait for the disk to take the last events; the daemon has 5 s for all of its end."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ReportedBox:
    """The box whose events are reported."""

    device: DeviceInfo
    restores: bool
    """Its sessions outlive the agent."""
    view: Callable[[], View]
    """The box as it is now."""
    bus: EventBus
    """Tells what changes."""


class Reporter:
    """The reporting to the central API and to webhooks. Without a registration and without webhooks it writes and sends
    nothing; with any of them it has a journal, and a link or webhooks that pass it on. `webhooks` are those of the
    current configuration."""

    def __init__(
        self,
        box: ReportedBox,
        *,
        folder: Path,
        runtime: Path,
        settings: CentralSettings,
        webhooks: Callable[[], Sequence[WebhookSettings]],
        supervisor: Supervisor | None = None,
        find_local: FindLocal | None = None,
    ) -> None:
        self._supervisor = supervisor or Supervisor()
        self._find_local = find_local
        self._folder = folder
        self._runtime = runtime
        self._settings = settings
        self._wanted_webhooks = webhooks
        self._box = box
        self._enrolment: Credentials | None = None
        self._is_known = False
        """True once the registration of the box, or its absence, could be read."""
        self._readers: Mapping[str, Reader] = {}
        self._journal: Journal | None = None
        self._link: Link | None = None
        self._webhooks = Webhooks(folder=folder, device=box.device, supervisor=self._supervisor, find_local=find_local)
        self._task: asyncio.Task[None] | None = None
        self._to_look = asyncio.Event()
        self._problem: str | None = None
        self._looked = asyncio.Event()
        """Set once it is known whether the box is registered."""
        self._early: tuple[TrackerSnapshot, Timestamp, int] | None = None
        """The sessions at the start, and the last event before, until it is known whether the box is registered."""

    @property
    def status(self) -> ReportingStatus:
        if self._link is not None:
            return self._link.status
        return ReportingStatus(enabled=self._settings.url is not None, url=self._settings.url, problem=self._problem)

    @property
    def webhooks(self) -> tuple[WebhookStatus, ...]:
        return self._webhooks.statuses(OutboxStatus() if self._journal is None else self._journal.outbox.status)

    async def find_out(self) -> None:
        """Look who is to be told, so that the journal begins in `start` and nothing can be seen before it does. That is
        given up after FIND_OUT_S: what is seen is remembered then until the disk answers."""
        with suppress(EnrolmentError, TimeoutError):
            async with asyncio.timeout(FIND_OUT_S):
                enrolment = await self._registered()
                await self._webhooks.follow(self._wanted_webhooks())
                self._readers = self._readers_with(enrolment)

    def start(self) -> None:
        """Start, once the sessions from before a restart are restored."""
        self._box.bus.listen(self._heard)
        self._early = (self._box.view().snapshot, timestamp(), self._box.bus.last_id)
        if self._readers:
            self._journal = self._begin()
        self._task = self._supervisor.start(self._run, name="reporter")

    def _heard(self, event: Event) -> None:
        if self._journal is not None:
            self._journal.take(event)
        if self._link is not None:
            self._link.changed()

    async def registered(self) -> Credentials | None:
        """The registration of this box, as soon as it is known; None if there is none."""
        await self._looked.wait()
        return self._enrolment

    def look(self) -> None:
        """Look at once whether other webhooks are configured."""
        self._to_look.set()

    def farewell(self) -> None:
        """Begin to say the last word; `stop` waits for its end. Idempotent."""
        if self._task is not None:
            self._task.cancel()
        if self._link is not None:
            self._link.farewell()

    async def stop(self) -> None:
        """Everything has ended. Idempotent."""
        self.farewell()
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)
        await self._webhooks.stop()
        await self._hang_up()
        await self._close_journal()

    async def _run(self) -> None:
        """Follow the recipients."""
        while True:
            pause_s = LOOK_S
            self._to_look.clear()
            try:
                enrolment = await self._registered()
                await self._tell_these(enrolment)
                if enrolment is None and (enrolment := await self._register()) is not None:
                    await self._tell_these(enrolment)
            except EnrolmentError as error:
                if self._problem != str(error):
                    log.warning("registration_failed", reason=str(error))
                self._problem = str(error)
                await self._tell_these(self._enrolment)
                if self._link is None and self._settings.token:
                    pause_s = ENROL_AGAIN_S
            self._early = None
            self._looked.set()
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._to_look.wait()

    async def _registered(self) -> Credentials | None:
        """The registration. Raises EnrolmentError if it cannot be read."""
        kept = await in_thread(lambda: read_enrolment(self._folder), name="enrolment")
        self._is_known = True
        url = self._settings.url
        return kept if kept is None or url is None else kept.model_copy(update={"url": url})

    async def _register(self) -> Credentials | None:
        """Register as the configuration says, if it does. Raises EnrolmentError."""
        url, token = self._settings.url, self._settings.token
        if url is None or token is None:
            advice = f"This box is not registered at {url}. Run {ENROL_COMMAND.format(url=url)}"
            self._problem = None if url is None else advice
            return None
        done = await enrol(url, token, folder=self._folder, name=self._box.device.name, find_local=self._find_local)
        log.info("device_registered", url=url, device_id=done.enrolment.device_id)
        return done.enrolment

    async def _tell_these(self, enrolment: Credentials | None) -> None:
        """The central API that the box is registered with, the webhooks that are configured, and nobody else."""
        await self._webhooks.follow(self._wanted_webhooks())
        if enrolment != self._enrolment:
            await self._hang_up()
            self._enrolment = enrolment
        journal = await self._journal_for(self._readers_with(enrolment))
        if journal is None:
            return
        self._webhooks.start(journal.outbox)
        if enrolment is not None and self._link is None:
            self._problem = None
            log.info("reporting_started", url=enrolment.url, device_id=enrolment.device_id)
            self._link = Link(
                enrolment,
                journal=journal,
                view=self._box.view,
                heartbeat_s=self._settings.heartbeat,
                supervisor=self._supervisor,
                find_local=self._find_local,
            )
            self._link.start()

    def _readers_with(self, enrolment: Credentials | None) -> Mapping[str, Reader]:
        """The readers, with the central API's if its registration cannot be read: its undelivered events must not be
        lost."""
        if enrolment is None and self._is_known:
            return self._webhooks.readers
        return {**self._webhooks.readers, READER: Reader(enrolment.device_id if enrolment else None)}

    async def _journal_for(self, readers: Mapping[str, Reader]) -> Journal | None:
        """One that these read; none where there is nobody."""
        before, self._readers = self._readers, readers
        if not readers:
            await self._close_journal()
        elif self._journal is None:
            self._journal = self._begin()
        elif readers != before:
            self._journal.outbox.follow(readers)
        return self._journal

    def _begin(self) -> Journal:
        """Begin with the events since the start, if they are known; otherwise with the current state."""
        early, self._early = self._early, None
        since = None if early is None else self._box.bus.since(early[2])
        journal = Journal(
            folder=self._folder,
            runtime=self._runtime,
            device=self._box.device,
            readers=self._readers,
            restores=self._box.restores,
        )
        if early is None or since is None:
            journal.start(self._box.view().snapshot, timestamp())
        else:
            journal.start(early[0], early[1], since)
        return journal

    async def _hang_up(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            await link.stop()

    async def _close_journal(self) -> None:
        journal, self._journal = self._journal, None
        if journal is not None:
            await journal.stop(CLOSE_S)
