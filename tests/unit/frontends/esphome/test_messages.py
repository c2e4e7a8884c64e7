"""The messages of the ESPHome API."""

from __future__ import annotations

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
