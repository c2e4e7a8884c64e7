"""`python libavcodec.py h264 aac`: those of these codecs that the libavcodec of this system decodes, one in a line.

A program of its own: the memory of what it loads (15 MB) is free again at its end, and a library that crashes takes
nothing along. It imports nothing of ours. Source of the calls: libavcodec/codec.h and codec_desc.h.
"""

from __future__ import annotations

import ctypes
import sys
from ctypes.util import find_library
from typing import Final

NOT_FOUND: Final = 3
"""The exit code without a libavcodec."""
HARDWARE_ALONE: Final = {b"av1"}
"""Names of decoders that decode nothing themselves: without another for the same codec, it takes a GPU that does."""


class Codec(ctypes.Structure):
    """The beginning of AVCodec."""

    _fields_ = [("name", ctypes.c_char_p)]


class Descriptor(ctypes.Structure):
    """The beginning of AVCodecDescriptor."""

    _fields_ = [("id", ctypes.c_int)]


def main(names: list[str]) -> int:
    """Print those that can be decoded. Returns the exit code."""
    found = find_library("avcodec")
    if found is None:
        return NOT_FOUND
    library = ctypes.CDLL(found)
    described = library.avcodec_descriptor_get_by_name
    described.argtypes, described.restype = [ctypes.c_char_p], ctypes.POINTER(Descriptor)
    decoder = library.avcodec_find_decoder
    decoder.argtypes, decoder.restype = [ctypes.c_int], ctypes.POINTER(Codec)
    for name in names:
        codec = described(name.encode())
        decodes = decoder(codec.contents.id) if codec else None
        if decodes and decodes.contents.name not in HARDWARE_ALONE:
            print(name)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
