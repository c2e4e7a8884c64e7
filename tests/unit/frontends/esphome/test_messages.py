"""The messages of the ESPHome API."""

from __future__ import annotations

import subprocess
import sys

import pytest

from agent.frontends.esphome.messages import KINDS, MessageError, api, number_of, parse


def test_messages_have_the_numbers_of_the_protocol() -> None:
    """The numbers are what a client expects in a frame."""
    assert number_of(api.HelloResponse) == 2
    assert number_of(api.MediaPlayerCommandRequest()) == 65
    assert KINDS[42] is api.ExecuteServiceRequest


def test_what_only_a_device_sends_is_not_read() -> None:
    """A client that sends an answer, or a message of another time, is not understood and does no harm."""
    assert parse(number_of(api.DeviceInfoResponse), b"") is None
    assert parse(60000, b"whatever") is None


def test_a_damaged_message_is_an_error_of_the_protocol() -> None:
    """Bytes that are no message raise the error that ends a connection."""
    with pytest.raises(MessageError):
        parse(number_of(api.HelloRequest), b"\xff\xff\xff")


def test_what_it_needs_is_imported_only_where_the_face_is_on() -> None:
    """A box without Home Assistant is spared 15 MB; one with it, a whole client."""
    script = (
        "import sys, agent.daemon, agent.cli.esphome, agent.cli.setup\n"
        "assert not {'google.protobuf', 'noise', 'cryptography'} & set(sys.modules), 'imported by the daemon'\n"
        "import agent.frontends.esphome.face\n"
        "assert 'google.protobuf' in sys.modules\n"
        "assert 'aioesphomeapi' not in sys.modules, 'imported by the face'\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
