"""Reports to the central API that this box is registered with, if it is: nothing on the box ever waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

import structlog

from agent.reporting.enrol import enrol
from agent.reporting.enrolment import Enrolment, EnrolmentError, read_enrolment
from agent.reporting.journal import Journal
from agent.reporting.link import READER, Link
from agent.reporting.moment import Moment, moment
from agent.reporting.outbox_file import Reader
from agent.reporting.trouble import ENROL_COMMAND
from agent.reporting.view import View
from agent.threads import in_thread
from agent.types import DeviceInfo, ReportingStatus, TrackerSnapshot

LOOK_S: Final = 3.0
"""How often it is looked whether the box has been registered, or is no more: a command does that beside the agent."""

ENROL_AGAIN_S: Final = 60.0
"""After a registration by the configuration that failed."""

EARLY_LIMIT: Final = 100
"""Looks that are kept while the disk does not say whether the box is registered."""

CLOSE_S: Final = 0.5
"""For the disk to take what happened at the end; the daemon has 5 s for all of its end."""

log = structlog.get_logger(__name__)


class Settings(Protocol):
    """The [central] section."""

    @property
    def url(self) -> str | None: ...

    @property
    def token(self) -> str | None:
        """An enrolment token."""

    @property
    def heartbeat(self) -> float:
        """Seconds."""


class Reporter:
    """Without a registration it writes nothing and says nothing; with one it has a journal and a link. `view` is the
    box as it is now; with `restores` sessions outlive the agent."""

    def __init__(
        self,
        *,
        folder: Path,
        settings: Settings,
        device: DeviceInfo,
        restores: bool,
        view: Callable[[], View],
    ) -> None:
        self._folder = folder
        self._settings = settings
        self._device = device
        self._restores = restores
        self._view = view
        self._enrolment: Enrolment | None = None
        self._journal: Journal | None = None
        self._link: Link | None = None
        self._task: asyncio.Task[None] | None = None
        self._problem: str | None = None
        self._looked = asyncio.Event()
        """Once it is known whether the box is registered."""
        self._early: list[tuple[TrackerSnapshot, Moment]] | None = None
        """What is seen until it is known whether the box is registered: the file is being read."""

    @property
    def status(self) -> ReportingStatus:
        if self._link is not None:
            return self._link.status
        return ReportingStatus(enabled=self._settings.url is not None, url=self._settings.url, problem=self._problem)

    def start(self) -> None:
        """To be called when what was on before a restart is there again."""
        self._early = [(self._view().snapshot, moment())]
        self._task = asyncio.create_task(self._run(), name="reporter")
        self._task.add_done_callback(_tell_of_a_mistake)

    def changed(self, snapshot: TrackerSnapshot) -> None:
        """To be called after each change on the box; takes microseconds."""
        if self._journal is not None:
            self._journal.look(snapshot, moment())
        elif self._early is not None:
            self._early.append((snapshot, moment()))
            self._early = self._early if len(self._early) < EARLY_LIMIT else None
        if self._link is not None:
            self._link.changed()

    async def registered(self) -> Enrolment | None:
        """What this box is registered as, as soon as that is known; None when it is not."""
        await self._looked.wait()
        return self._enrolment

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
        await self._hang_up()

    async def _run(self) -> None:
        """Follow what the box is registered as."""
        while True:
            try:
                enrolment = await self._registered()
            except EnrolmentError as error:
                if self._problem != str(error):
                    log.warning("not_registered", reason=str(error))
                self._problem, self._early = str(error), None
                self._looked.set()
                await asyncio.sleep(ENROL_AGAIN_S if self._link is None and self._settings.token else LOOK_S)
                continue
            if enrolment != self._enrolment:
                await self._hang_up()
                self._enrolment = enrolment
                if enrolment is not None:
                    self._begin(enrolment)
            self._early = None
            self._looked.set()
            await asyncio.sleep(LOOK_S)

    async def _registered(self) -> Enrolment | None:
        """Raises EnrolmentError when that cannot be found out, or made so."""
        kept = await in_thread(lambda: read_enrolment(self._folder), name="enrolment")
        url, token = self._settings.url, self._settings.token
        if kept is not None:
            return kept if url is None else kept.model_copy(update={"url": url})
        if url is None:
            return None
        if token is None:
            self._problem = f"This box is not registered there. Run {ENROL_COMMAND.format(url=url)}"
            return None
        done = await enrol(url, token, folder=self._folder, name=self._device.name)
        log.info("registered", url=url, device_id=done.enrolment.device_id)
        return done.enrolment

    def _begin(self, enrolment: Enrolment) -> None:
        self._problem = None
        log.info("reporting", url=enrolment.url, device_id=enrolment.device_id)
        self._journal = journal = Journal(
            folder=self._folder,
            device=self._device,
            readers={READER: Reader(enrolment.device_id)},
            restores=self._restores,
        )
        journal.start(self._early or [(self._view().snapshot, moment())])
        self._link = Link(enrolment, journal=journal, view=self._view, heartbeat_s=self._settings.heartbeat)
        self._link.start()

    async def _hang_up(self) -> None:
        if self._link is not None:
            await self._link.stop()
            self._link = None
        if self._journal is not None:
            await self._journal.stop(CLOSE_S)
            self._journal = None


def _tell_of_a_mistake(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("reporting_broken", exc_info=error)
