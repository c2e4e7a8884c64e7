"""Calls an agent over HTTP. It follows no redirects: a key must not wander."""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from agent.cli.exits import BY_STATUS, CliError, Exit

CONNECT_TIMEOUT_S: Final = 3.0
"""The longest wait for each address. A machine on the LAN answers in milliseconds; one that is switched off never
does."""

ANSWER_TIMEOUT_S: Final = 15.0
"""A snapshot of a 4K screen takes a Raspberry Pi 2 s, and a display that hangs is given up after 10."""

SILENCE_S: Final = 40.0
"""Without a word from /events, where a heartbeat comes each 15 s: the agent or the network is gone."""

LINE_LIMIT: Final = 1024 * 1024
"""Bytes of one event: some 10 KB are usual."""

ANSWER_LIMIT: Final = 64 * 1024 * 1024
"""Bytes. A 4K screen of noise as PNG has 25 MB."""


@dataclass(frozen=True, slots=True)
class Agent:
    """The address of an agent, and the key for it."""

    addresses: tuple[str, ...]
    """The addresses of one machine; the first that answers is used."""
    port: int
    tls: bool = False
    key: str | None = field(default=None, repr=False)
    own: bool = False
    """True for the agent of this machine."""
    timeout_s: float = ANSWER_TIMEOUT_S

    @property
    def url(self) -> str:
        return f"http{'s' * self.tls}://{_host(self.addresses[0])}:{self.port}"

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None, *, wait_s: float = 0.0) -> Any:
        """The JSON of an answer, which may take `wait_s` longer than usual. Raises CliError."""
        content = self.content(method, path, body, wait_s=wait_s)
        try:
            return json.loads(content)
        except ValueError as error:
            raise self._stranger() from error

    def content(self, method: str, path: str, body: Mapping[str, Any] | None = None, *, wait_s: float = 0.0) -> bytes:
        """Like `call`, with the body as bytes."""
        headers = {} if self.key is None else {"Authorization": f"Bearer {self.key}"}
        data = None if body is None else json.dumps(body)
        connection = self._connect()
        try:
            assert connection.sock is not None
            connection.sock.settimeout(self.timeout_s + wait_s)
            connection.request(method, path, data, headers)
            answer = connection.getresponse()
            content = answer.read(ANSWER_LIMIT)
        except http.client.HTTPException as error:
            raise self._stranger() from error
        except TimeoutError as error:
            text = f"{self.url} does not answer. If that goes on, restart cast-agent there."
            raise CliError(Exit.UNAVAILABLE, "agent_timeout", text) from error
        except OSError as error:
            raise self._unreachable(error) from error
        finally:
            connection.close()
        if answer.getheader("X-Request-ID") is None:
            raise self._stranger()
        if answer.status >= 300:
            raise self._refusal(answer.status, content)
        return content

    def events(self, last: str = "") -> Iterator[tuple[str, str, Any]]:
        """Kind, id and data of each message of /events, from the one after `last` on, until the agent goes away. Raises
        CliError."""
        headers = {"Last-Event-ID": last} if last else {}
        if self.key is not None:
            headers["Authorization"] = f"Bearer {self.key}"
        connection = self._connect()
        try:
            assert connection.sock is not None
            connection.sock.settimeout(SILENCE_S)
            connection.request("GET", "/events", headers=headers)
            answer = connection.getresponse()
            if answer.getheader("X-Request-ID") is None:
                raise self._stranger()
            if answer.status >= 300:
                raise self._refusal(answer.status, answer.read(ANSWER_LIMIT))
            yield from _messages(answer)
        except http.client.RemoteDisconnected as error:  # it goes away just now
            raise self._unreachable(error) from error
        except (http.client.HTTPException, ValueError) as error:
            raise self._stranger() from error
        except OSError:  # it went away, or says nothing any more
            return
        finally:
            connection.close()

    def _connect(self) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self.tls else http.client.HTTPConnection
        failures: list[OSError] = []
        for address in self.addresses:
            connection = kind(address, self.port, timeout=CONNECT_TIMEOUT_S)
            try:
                connection.connect()
            except OSError as error:
                failures.append(error)
            else:
                return connection
        raise self._unreachable(failures[0]) from failures[0]

    def _unreachable(self, error: OSError) -> CliError:
        reason = error.strerror or str(error)
        if self.own:
            from agent.config.loader import SYSTEM_CONFIG

            advice = "Start it with `cast-agent run` or `systemctl start cast-agent`, or name another with --on."
            if SYSTEM_CONFIG.exists() and not os.access(SYSTEM_CONFIG, os.R_OK):
                advice += f" If {SYSTEM_CONFIG}, which you may not read, names another port: use sudo."
            text = f"No agent answers on this machine, at {self.url} ({reason}). {advice}"
        else:
            advice = "Is it switched on, and cast-agent running? `cast-agent discover` lists those that are found."
            text = f"No agent answers at {self.url} ({reason}). {advice}"
        return CliError(Exit.UNAVAILABLE, "agent_unreachable", text)

    def _stranger(self) -> CliError:
        text = f"The server at {self.url} is not a cast-agent. Check the address and the port."
        return CliError(Exit.PROTOCOL, "not_an_agent", text)

    def _refusal(self, status: int, content: bytes) -> CliError:
        try:
            problem = json.loads(content)
            code, detail = str(problem["code"]), str(problem["detail"])
        except (ValueError, KeyError, TypeError):
            return self._stranger()
        exit_ = BY_STATUS.get(status, Exit.REFUSED)
        if code == "unauthorized":
            key = "The agent rejected the key." if self.key else "It needs a key."
            kept = " `sudo cast-agent key add here --keep` keeps one for this machine's commands." if self.own else ""
            detail = f"{key} Give one with --key-file FILE or CAST_AGENT_KEY.{kept} ({detail})"
        return CliError(exit_, code, detail, problem)


def _messages(answer: http.client.HTTPResponse) -> Iterator[tuple[str, str, Any]]:
    """https://html.spec.whatwg.org/multipage/server-sent-events.html, as the agent writes it. Raises ValueError."""
    fields: dict[str, str] = {}
    while line := answer.readline(LINE_LIMIT):
        name, _, value = line.decode().rstrip("\r\n").partition(": ")
        if name:
            fields[name] = value
        elif "data" in fields:
            yield fields.get("event", "message"), fields.get("id", ""), json.loads(fields["data"])
            fields = {}


def _host(address: str) -> str:
    return f"[{address}]" if ":" in address else address
