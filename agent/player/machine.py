"""The facts about this machine that players need."""

from __future__ import annotations

from pathlib import Path

from agent.types import VideoOutput

_AUTHORITIES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian and most others
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",  # Alpine
)

_GPU_DEVICES = ("dri/renderD*", "nvidia[0-9]*", "video1[0-9]", "vchiq")
"""Render nodes of Mesa and NVIDIA; the stateful codecs and VideoCore of a Raspberry Pi."""

INSTALLED_FOR_S = 1.0
"""The time for which an engine counts as installed, or not, once that was looked up. Each call of the API asks for it
some times, and people install engines while the agent runs."""


def has_gpu(dev: Path = Path("/dev")) -> bool:
    """Return True if the machine has a device that could decode video."""
    return any(any(dev.glob(pattern)) for pattern in _GPU_DEVICES)


def output_for(wanted: VideoOutput, dev: Path = Path("/dev")) -> VideoOutput:
    """GL or X11. Without a GPU, GL is drawn by the processor, at several times what X11 costs it."""
    if wanted is not VideoOutput.AUTO:
        return wanted
    return VideoOutput.GL if has_gpu(dev) else VideoOutput.X11


def authorities() -> str:
    """The file with the certificates that this system trusts, for FFmpeg, which may not know it."""
    return next((file for file in _AUTHORITIES if Path(file).exists()), _AUTHORITIES[0])
