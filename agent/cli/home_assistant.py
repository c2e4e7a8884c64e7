"""The Home Assistant package of one box: what to paste so that automations, and a media player, can use it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

SCAN_S = 5
"""The interval, in seconds, at which Home Assistant asks for the state."""


@dataclass(frozen=True, slots=True)
class Box:
    """Whom the package is for."""

    name: str
    """The name for people, such as `Living room`."""
    url: str
    """The address of its API, such as `http://192.168.1.20:8090`."""
    needs_key: bool = True

    @property
    def slug(self) -> str:
        """The name that entities and calls derive from, such as `living_room`."""
        return re.sub(r"[^a-z0-9]+", "_", self.name.lower()).strip("_") or "cast_agent"

    @property
    def secret(self) -> str:
        """The name of the key in secrets.yaml."""
        return f"{self.slug}_cast_authorization"


def secrets(box: Box, key: str) -> str:
    """The line for Home Assistant's secrets.yaml."""
    return f'{box.secret}: "Bearer {key}"\n'


def package(box: Box) -> str:
    """A package (https://www.home-assistant.io/docs/configuration/packages/), for Home Assistant 2024.10 or newer."""
    slug, name = box.slug, json.dumps(box.name, ensure_ascii=False)  # JSON's strings are YAML's, too
    plain = slug.replace("_", " ")  # what Home Assistant makes ids of, whatever alphabet the name is in
    calls = {
        "start": _START,
        "stop": '{{ {"session_id": session_id | default(""), "all": all | default(false)} | to_json }}',
        "pause": "",
        "resume": "",
        "seek": '{{ {"position": position} | to_json }}',
        "volume": '{{ {"volume_level": volume_level} | to_json }}',
        "mute": '{{ {"muted": muted} | to_json }}',
    }
    paths = {"mute": "volume"}
    commands = "\n".join(
        _call(f"{slug}_cast_{call}", f"{box.url}/{paths.get(call, call)}", payload, _headers(box, 4))
        for call, payload in calls.items()
    )
    return f"""\
rest_command:
{commands}

rest:
  - resource: {box.url}/status
    scan_interval: {SCAN_S}
{_headers(box, 4)}    sensor:
      - name: "{plain} cast"
        unique_id: {slug}_cast
        availability: "{_ANSWERED}"
        value_template: "{{{{ (value_json.stream | default({{}}, true)).state | default('idle') }}}}"
        json_attributes: [stream, interrupted, last]
      - name: "{plain} cast title"
        unique_id: {slug}_cast_title
        availability: "{_ANSWERED}"
        value_template: >-
          {{% set stream = value_json.stream | default({{}}, true) %}}
          {{{{ (stream.title | default(stream.url, true) | default(""))[:255] }}}}
      - name: "{plain} cast volume"
        unique_id: {slug}_cast_volume
        availability: "{_ANSWERED}"
        value_template: "{{{{ (value_json.volume | default({{}})).volume_level | default(0) }}}}"
    binary_sensor:
      - name: "{plain} cast muted"
        unique_id: {slug}_cast_muted
        availability: "{_ANSWERED}"
        value_template: "{{{{ (value_json.volume | default({{}})).muted | default(false) }}}}"

{_player(slug, name)}"""


def _player(slug: str, name: str) -> str:
    """A media player made of the sensors and commands above it."""
    return f"""\
media_player:
  - platform: universal
    name: {name}
    unique_id: {slug}_cast_player
    state_template: >-
      {{{{ {{"loading": "buffering", "buffering": "buffering", "playing": "playing", "paused": "paused",
          "covered": "on", "idle": "idle"}}.get(states("sensor.{slug}_cast"), "unavailable") }}}}
    attributes:
      volume_level: sensor.{slug}_cast_volume
      is_volume_muted: binary_sensor.{slug}_cast_muted
    commands:
      play_media:
        action: rest_command.{slug}_cast_start
        data:
          url: "{{{{ media_content_id }}}}"
      media_play:
        action: rest_command.{slug}_cast_resume
      media_pause:
        action: rest_command.{slug}_cast_pause
      media_stop:
        action: rest_command.{slug}_cast_stop
      turn_off:
        action: rest_command.{slug}_cast_stop
      volume_set:
        action: rest_command.{slug}_cast_volume
        data:
          volume_level: "{{{{ volume_level }}}}"
      volume_mute:
        action: rest_command.{slug}_cast_mute
        data:
          muted: "{{{{ is_volume_muted }}}}"
"""


_ANSWERED = "{{ value_json is defined and value_json.device is defined }}"
"""Home Assistant takes a refusal, such as that of a wrong key, for an answer: without this the box would look idle."""

_START = """\
{{ {"url": url | default(""), "code": code | default(""), "title": title | default(""),
          "duration": duration | default(""), "volume": volume | default(""), "quality": quality | default(""),
          "position": position | default(""), "interrupt": interrupt | default(false),
          "loop": loop | default(false), "refresh": refresh | default("")} | to_json }}"""
"""A field that a call leaves out is sent empty, and the agent takes an empty one as left out."""


def _call(name: str, url: str, payload: str, headers: str) -> str:
    body = f"    content_type: application/json\n    payload: >-\n      {payload}\n" if payload else ""
    return f"  {name}:\n    url: {url}\n    method: post\n{headers}{body}".rstrip()


def _headers(box: Box, indent: int) -> str:
    space = " " * indent
    return f"{space}headers:\n{space}  authorization: !secret {box.secret}\n" if box.needs_key else ""
