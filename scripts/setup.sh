#!/usr/bin/env bash
# Installs what is missing: Debian packages (through apt, with sudo where needed) and the virtual environment.
# usage: scripts/setup.sh run|central|test      quick when there is nothing to do
set -euo pipefail
cd "$(dirname "$0")/.."

purpose=${1:?usage: scripts/setup.sh run|central|test}
python=${PYTHON:-python3}

packages=(
  python3-venv             # the virtual environment
  ca-certificates          # https
)
[ "$purpose" = central ] || packages+=(
  libvlc5                  # the media library
  vlc-plugin-base          # demuxers, decoders, HTTP, HLS, PulseAudio and ALSA
  vlc-plugin-video-output  # X11 and OpenGL
  mpv                      # RTSP cameras, which Debian's VLC cannot play
  libxcb1                  # the X connection of the stage
  fonts-dejavu-core        # text in subtitles
  xvfb                     # a virtual screen, where there is no real one
)
if [ "$purpose" = test ]; then
  packages+=(
    curl                   # the documentation types it
    ffmpeg                 # makes the clips of the tests
    pulseaudio             # a sound server of the tests' own
    pulseaudio-utils       # pactl and parec
    x11-xserver-utils      # xrandr
    iproute2               # networks of the tests' own, to be found in
    systemd                # its journal, which is asked what it makes of our log
    dbus avahi-daemon avahi-utils  # another mDNS than ours, to be found by
    postgresql             # the other database of the central API
    redis-server           # its cache
    nginx-light haproxy    # proxies in front of the central API
    vlc-bin                # what `make bench` compares with, beside mpv
    python3-gi             # the RTSP cameras of the tests, with the four below
    gir1.2-gst-rtsp-server-1.0
    gstreamer1.0-plugins-base
    gstreamer1.0-plugins-good
    gstreamer1.0-plugins-bad
    gir1.2-gupnp-1.6       # another DLNA controller than Home Assistant's
    chromium               # shows web pages, and opens the page at / for the tests
    sway cage xwayland grim  # Wayland sessions, and pictures of them from outside
  )
fi

[ "$purpose" != test ] || ! apt-cache show labwc >/dev/null 2>&1 || packages+=(
  labwc                    # one more Wayland session; Debian has it from 13 on
)

missing=()
for package in "${packages[@]}"; do
  if [ "$package" = python3-venv ] && "$python" -c 'import ensurepip' 2>/dev/null; then continue; fi
  status=$(dpkg-query -W -f='${Status}' "$package" 2>/dev/null || true)
  [ "$status" = "install ok installed" ] || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  echo "==> Installing Debian packages: ${missing[*]}"
  sudo=()
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || { echo "Please run this as root, or install: ${missing[*]}" >&2; exit 1; }
    sudo=(sudo)
  fi
  "${sudo[@]}" apt-get update -qq
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
fi

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  { echo "cast-agent needs Python 3.11 or newer; this is $("$python" --version). Try: make PYTHON=python3.12 ${purpose/central/run-central}" >&2; exit 1; }

stamp=.venv/.installed-$purpose
if [ ! -e "$stamp" ] || [ pyproject.toml -nt "$stamp" ]; then
  if [ ! -x .venv/bin/python ]; then
    echo "==> Making the virtual environment .venv"
    "$python" -m venv .venv
  fi
  echo "==> Installing cast-agent and its libraries into .venv"
  what=(--editable .)
  [ "$purpose" = run ] || what=(--editable '.[central]')
  [ "$purpose" = test ] && what+=(--group dev)
  pip=(.venv/bin/python -m pip install --quiet --disable-pip-version-check)
  # With all that the tests need, uv is quicker by half a minute, which each run of CI waits for.
  if [ "$purpose" != test ] || ! { "${pip[@]}" uv && .venv/bin/uv pip install --quiet --python .venv/bin/python "${what[@]}"; }; then
    "${pip[@]}" --upgrade 'pip>=25.1'
    "${pip[@]}" "${what[@]}"
  fi
  touch "$stamp"
fi
