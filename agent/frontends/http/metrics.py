"""`GET /metrics`: numbers for Prometheus. No address, title or id of a session is in them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, NamedTuple

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, Metric
from prometheus_client.openmetrics import exposition
from prometheus_client.samples import Sample

from agent.casting.service import CastingService
from agent.events.bus import Event, EventBus, SlowFollowerError
from agent.frontends.http.app_keys import CAMERAS, CASTING, DEVICE, PLAYERS, REPORTING, STAGE, STORAGE, TASKS, TOLD
from agent.frontends.http.cache import CACHE
from agent.frontends.http.sums import Sum, Sums, sums_of_players
from agent.host.processes import children_use, daemon_use
from agent.types import EndReason, ErrorCode, PlayerState
from cast_wire.kinds import EventKind

LAG_LOOK_S: Final = 1.0
"""The interval at which the lag of the event loop is measured."""

FIRST_FRAME_BUCKETS: Final = (0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 60.0)

_END: Final = b"# EOF\n"
"""The last line of the format."""


class _Only(NamedTuple):
    """A registry of one family, as far as its text needs one."""

    family: Metric

    def collect(self) -> tuple[Metric]:
        return (self.family,)


class Metrics:
    """One set for each application. Counts what the bus tells; everything else is read when it is asked for."""

    def __init__(self, bus: EventBus, *, version: str) -> None:
        self._bus = bus
        self._states: dict[str, str] = {}
        """The playback state of each session that has not ended."""
        self._lag_s = 0.0
        self._counted = CollectorRegistry()
        self._counted_text = b""
        """Empty after an event. Writing takes most of the time of a scrape, and most numbers are those of the one
        before."""
        self._current = CollectorRegistry()
        self._written: dict[str, tuple[list[Sample], bytes]] = {}
        """The numbers of each current family when it was written last, and its text."""
        Info("cast_agent", "The agent.", registry=self._counted).info({"version": version})

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"cast_agent_{name}", text, labels, registry=self._counted)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"cast_agent_{name}", text, labels, registry=self._current)

        self._ended = counter("sessions", "Sessions that have ended.", "reason", "code")
        self._first_frame = Histogram(
            "cast_agent_first_frame_seconds",
            "Time from the acceptance of a start to its first frame.",
            ("engine", "scheme"),
            registry=self._counted,
            buckets=FIRST_FRAME_BUCKETS,
        )
        self._stalls = counter("stalls", "Times that a playing stream stood still.")
        self._retries = counter("retries", "Attempts after a failure.", "code")
        # Prometheus sees no rise from a series that was not there: the first failure would be counted by nobody.
        for reason in EndReason:
            if reason is not EndReason.FAILED:
                self._ended.labels(reason.value, "")
        for code in ErrorCode:
            self._ended.labels(EndReason.FAILED.value, code.value)
            self._retries.labels(code.value)
        self._missed = counter("metrics_events_missed", "Times that these counters missed events.")
        self._sessions = gauge("sessions_active", "Sessions that have not ended, by state.", "state")
        self._spare = gauge("spare_ready", "1 if a spare player is ready.")
        self._display = gauge("display_available", "1 if there is a display.")
        self._covered = gauge("display_covered", "1 if another program covers the stream.")
        self._healthy = gauge("check_available", "1 if this part of the agent works.", "check")
        self._lag = gauge("event_loop_lag_seconds", "Longest delay of the event loop since the last scrape.")
        self._cache_used = gauge("cache_bytes", "Bytes that kept videos of the library take.")
        self._cameras = gauge("ready_cameras", "Cameras to be kept ready, by whether they are.", "ready")
        self._camera_bytes = gauge("ready_camera_bytes", "Bytes of cameras that are kept in memory.")
        self._queued = gauge("outbox_events", "Events that the central API does not have yet.")
        self._central = gauge("central_connected", "1 if the central API answered the last call.")
        self._webhooks = gauge("webhooks", "Webhooks, by whether the last call was answered.", "connected")
        self._webhook_events = gauge("webhook_events", "Events that wait for webhooks.")
        self._memory = gauge("memory_resident_bytes", "Resident memory.", "process")
        self._processes = gauge("processes", "Processes.", "process")
        self._sums = Sums()
        self._current.register(self._sums)

    async def follow(self) -> None:
        """Count for ever. To be run as a supervised task."""
        while True:
            follower = self._bus.subscribe()
            try:
                while True:
                    self._count(await follower.next())
                    self._counted_text = b""
            except SlowFollowerError:
                self._missed.inc()
                self._counted_text = b""
            finally:
                follower.close()

    async def measure_lag(self) -> None:
        """Measure the lag of the event loop for ever. To be run as a supervised task."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + LAG_LOOK_S
            await asyncio.sleep(LAG_LOOK_S)
            self._lag_s = max(self._lag_s, loop.time() - due)

    def text(self, app: web.Application) -> bytes:
        """All numbers as they are now, in the OpenMetrics format."""
        daemon, players = daemon_use(), children_use()
        for name, use in (("daemon", daemon), ("players", players)):
            self._memory.labels(name).set(use.resident_bytes)
            self._processes.labels(name).set(use.count)
        cpu_s: dict[tuple[str, ...], float] = {("daemon",): daemon.cpu_s, ("players",): players.cpu_s}
        self._set_sessions(app[CASTING])
        health, display = app[PLAYERS].health, app[STAGE].health
        self._spare.set(health.spare_ready)
        self._display.set(display.available)
        self._covered.set(display.covered)
        for check, available in (
            ("player", health.available),
            ("display", display.available),
            ("tasks", app[TASKS]().available),
            ("storage", app[STORAGE]().available),
            ("cache", app[CACHE].health.available),
        ):
            self._healthy.labels(check).set(available)
        self._set_reporting(app)
        cameras = app[CAMERAS]()
        for ready in (True, False):
            self._cameras.labels(str(ready).lower()).set(sum(camera.ready is ready for camera in cameras))
        self._camera_bytes.set(sum(camera.size for camera in cameras))
        cache = app[CACHE]
        self._cache_used.set(cache.used)
        self._lag.set(self._lag_s)
        self._lag_s = 0.0
        self._sums.take(
            *sums_of_players(app[PLAYERS].totals),
            Sum("black_seconds", "Time without a picture between two.", (), {(): app[CASTING].black_s}),
            Sum(
                "outbox_dropped",
                "Events that the central API will never have.",
                (),
                {(): app[REPORTING]().dropped},
                begins_anew=True,  # when the box is enrolled anew
            ),
            Sum("cache_hits", "Videos of the library that came on from the cache.", (), {(): cache.hits}),
            Sum("cache_misses", "Videos of the library that came on from the central API.", (), {(): cache.misses}),
            Sum("processor_seconds", "Processor time.", ("process",), cpu_s),
        )
        if not self._counted_text:
            self._counted_text = _text_of(self._counted)
        return self._counted_text + b"".join(map(self._current_text, self._current.collect())) + _END

    def _current_text(self, family: Metric) -> bytes:
        samples, text = self._written.get(family.name, ([], b""))
        if not text or samples != family.samples:
            text = _text_of(_Only(family))
            self._written[family.name] = family.samples, text
        return text

    def _set_sessions(self, casting: CastingService) -> None:
        sessions = casting.snapshot().sessions
        for state in PlayerState:
            self._sessions.labels(state.value).set(sum(session.state is state for session in sessions))

    def _set_reporting(self, app: web.Application) -> None:
        reporting, webhooks = app[REPORTING](), app[TOLD]()
        self._queued.set(reporting.queued)
        self._central.set(reporting.connected)
        for connected in (True, False):
            self._webhooks.labels(str(connected).lower()).set(sum(hook.connected is connected for hook in webhooks))
        self._webhook_events.set(sum(hook.queued for hook in webhooks))

    def _count(self, event: Event) -> None:
        data, session = event.data, event.session_id or ""
        match event.kind:
            case EventKind.FIRST_FRAME:
                seconds = float(data["seconds"] or 0.0)
                self._first_frame.labels(data["engine"] or "", data["scheme"]).observe(seconds)
            case EventKind.SESSION_FAILING:
                self._retries.labels(data["code"]).inc()
            case EventKind.PLAYBACK_CHANGED:
                before, state = self._states.get(session), str(data["state"])
                if before == PlayerState.PLAYING and state == PlayerState.BUFFERING:
                    self._stalls.inc()
                self._states[session] = state
            case EventKind.SESSION_ENDED:
                self._states.pop(session, None)
                self._ended.labels(data["reason"], data["code"] or "").inc()


def _text_of(families: CollectorRegistry | _Only) -> bytes:
    text: bytes = exposition.generate_latest(families)  # type: ignore[no-untyped-call]
    return text.removesuffix(_END)


METRICS: Final = web.AppKey[Metrics]("metrics")


async def metrics(request: web.Request) -> web.Response:
    """`GET /metrics`: for this machine without a key, and for others with any."""
    text = request.app[METRICS].text(request.app)
    return web.Response(
        body=text, headers={"Content-Type": exposition.CONTENT_TYPE_LATEST, "Cache-Control": "no-store"}
    )


def make_metrics(app: web.Application, bus: EventBus, start: Callable[..., asyncio.Task[None]]) -> None:
    """Give the application its metrics; `start` runs a long-lived task by name while the application is served."""
    app[METRICS] = made = Metrics(bus, version=app[DEVICE].version)
    tasks: list[asyncio.Task[None]] = []

    async def begin(_app: web.Application) -> None:
        tasks.append(start(made.follow, name="metrics"))
        tasks.append(start(made.measure_lag, name="loop-lag"))

    async def end(_app: web.Application) -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    app.on_startup.append(begin)
    app.on_cleanup.append(end)
