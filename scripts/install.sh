#!/usr/bin/env bash
# Installs cast-agent for good on Debian 12 or Raspberry Pi OS, upgrades it, takes an upgrade back, or removes it.
# usage: scripts/install.sh install [--desktop USER | --console | --no-display] | rollback | uninstall [--purge]
#
#   /opt/cast-agent/releases/…    one virtual environment for each installation; the last two are kept
#   /opt/cast-agent/current       the one that runs; /opt/cast-agent/previous the one before
#   /opt/cast-agent/install.sh    this script, for `rollback` and `uninstall`
#   /etc/cast-agent/config.toml   the configuration: made once, never touched again
#   /var/lib/cast-agent           what the agent keeps: its id, its keys, what is on
set -euo pipefail

readonly opt=/opt/cast-agent etc=/etc/cast-agent state=/var/lib/cast-agent units=/etc/systemd/system
readonly user=cast-agent command=/usr/local/bin/cast-agent
readonly drop_in=$units/cast-agent.service.d/50-screen.conf

say() { printf '==> %s\n' "$*"; }
fail() { printf 'install.sh: %s\n' "$*" >&2; exit 1; }
has_systemd() { [ -d /run/systemd/system ]; } # sd_booted(3)

usage() { fail "usage: $0 install [--desktop USER | --console | --no-display] | rollback | uninstall [--purge]"; }

# --- what install does, in its order ---

install_packages() {
  local packages=(python3-venv libvlc5 vlc-plugin-base vlc-plugin-video-output mpv libxcb1 fonts-dejavu-core ca-certificates)
  [ "$screen" = console ] && packages+=(xserver-xorg-core libpam-systemd dbus)
  local missing=() package
  for package in "${packages[@]}"; do
    [ "$(dpkg-query -W -f='${Status}' "$package" 2>/dev/null || true)" = 'install ok installed' ] || missing+=("$package")
  done
  [ ${#missing[@]} = 0 ] && return
  say "Installing Debian packages: ${missing[*]}"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
}

make_user() {
  getent passwd $user >/dev/null || {
    say "Making the user $user"
    useradd --system --user-group --home-dir $state --no-create-home --shell /usr/sbin/nologin $user
  }
  local group
  for group in video audio render input; do # a machine without a graphics card has no group render
    ! getent group $group >/dev/null || usermod --append --groups $group $user
  done
}

install_release() {
  release=$opt/releases/$(date -u +%Y%m%d-%H%M%S)
  say "Installing cast-agent into $release (a minute or two)"
  mkdir -p $opt/releases
  trap 'rm -rf "$release"' EXIT # half a release is none
  "${PYTHON:-python3}" -m venv "$release"
  "$release/bin/pip" install --quiet --disable-pip-version-check "$source"
  cp -r "$source/README.md" "$source/docs" "$source/config.example.toml" "$source/systemd" "$release/"
  "$release/bin/cast-agent" --version >/dev/null
  trap - EXIT
  install -m 755 "$source/scripts/install.sh" $opt/install.sh
}

write_configuration() {
  install -d -m 755 $etc
  [ -e $etc/config.toml ] && return
  say "Writing $etc/config.toml"
  # The state directory by name, so that `cast-agent key` and the like find it without systemd.
  sed "s|^# dir = .*|dir = \"$state\"|" "$source/config.example.toml" | install -m 640 -g $user /dev/stdin $etc/config.toml
}

install_screen() { # the choice is kept in the first line of the drop-in
  mkdir -p "$(dirname $drop_in)"
  case $screen in
    console) install -m 644 "$source/systemd/console.conf" $drop_in ;;
    desktop)
      local home uid
      home=$(getent passwd "$desktop_user" | cut -d: -f6)
      uid=$(id -u "$desktop_user")
      sed -e "s|@USER@|$desktop_user|g; s|@GROUP@|$(id -gn "$desktop_user")|g; s|@UID@|$uid|g; s|@HOME@|$home|g" \
        "$source/systemd/desktop.conf" >$drop_in
      chown -f "root:$(id -gn "$desktop_user")" $etc/config.toml
      ;;
    none) echo '# screen: none' >$drop_in ;;
  esac
}

switch_to() { # the directory of a release, with its units; `previous` becomes what ran
  [ "$(readlink $opt/current || true)" = "$1" ] && return
  [ ! -e $opt/current ] || point previous "$(readlink $opt/current)"
  point current "$1"
  install -m 644 "$1"/systemd/*.service $units/
  ln -sfn $opt/current/bin/cast-agent $command
}

point() { # a link that is never missing, also when the power fails in between
  ln -sfn "$2" "$opt/$1.new"
  mv -T "$opt/$1.new" "$opt/$1"
}

start_units() {
  if ! has_systemd; then
    say "systemd does not run here, so nothing is started; it will be at the next boot"
    systemctl --root=/ enable --quiet cast-agent.service
    [ "$screen" != console ] || systemctl --root=/ enable --quiet cast-agent-display.service
    return
  fi
  systemctl daemon-reload
  if [ "$screen" = console ]; then
    systemctl enable --quiet cast-agent-display.service
    systemctl start cast-agent-display.service || say "The display does not start yet: journalctl -u cast-agent-display"
  fi
  systemctl enable --quiet cast-agent.service
  systemctl restart cast-agent.service # Type=notify: returns when the agent answers, or has failed
}

forget_old_releases() {
  local kept
  kept=$(readlink -f $opt/current $opt/previous 2>/dev/null || true)
  find $opt/releases -mindepth 1 -maxdepth 1 -type d | sort | while read -r old; do
    grep -qxF "$old" <<<"$kept" || rm -rf "$old"
  done
}

choose_screen() { # console, desktop or none
  if [ -n "$screen" ]; then return; fi
  if [ -e $drop_in ]; then # as it was chosen before
    screen=$(sed -n 's/^# screen: //p' $drop_in)
    desktop_user=$(sed -n 's/^User=//p' $drop_in)
  elif [ -e $units/display-manager.service ]; then
    screen=desktop desktop_user=${SUDO_USER:-}
    case $desktop_user in '' | root)
      fail "This machine has a desktop. Say whose it is: $0 install --desktop USER (who is logged in on its screen)" ;;
    esac
  else
    screen=console
  fi
}

do_install() {
  source=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
  [ -e "$source/pyproject.toml" ] || fail "to install or upgrade, run this from a checkout: sudo make install"
  choose_screen
  install_packages
  make_user
  install_release
  write_configuration
  install_screen
  local first=yes
  [ ! -e $opt/current ] || first=no
  switch_to "$release"
  if ! start_units; then
    if [ $first = yes ]; then
      fail "cast-agent is installed, but it does not start. What it says: journalctl -u cast-agent -n 20"
    fi
    say "The new version does not start; going back to the one before. What it said:"
    journalctl -u cast-agent -n 20 --no-pager >&2 || true
    do_rollback
    fail "the upgrade was taken back"
  fi
  forget_old_releases
  say "cast-agent $("$command" --version | cut -d' ' -f2) is installed"
  if [ $first = yes ]; then
    echo "    Next: sudo cast-agent setup    (makes a key and prints what to paste into Home Assistant)"
    echo "          sudo cast-agent doctor   (what works on this machine, and what to do about what does not)"
  fi
}

do_rollback() {
  choose_screen
  [ -e $opt/previous ] || fail "there is no version before this one"
  local to
  to=$(readlink $opt/previous)
  say "Going back to $to"
  switch_to "$to"
  start_units
}

do_uninstall() {
  if has_systemd; then
    systemctl disable --quiet --now cast-agent.service cast-agent-display.service 2>/dev/null || true
  else
    systemctl --root=/ disable --quiet cast-agent.service cast-agent-display.service 2>/dev/null || true
  fi
  rm -rf $units/cast-agent.service $units/cast-agent-display.service "$(dirname $drop_in)" $opt $state /run/cast-agent $etc/cli-key
  [ "$(readlink $command || true)" != $opt/current/bin/cast-agent ] || rm -f $command
  ! has_systemd || systemctl daemon-reload
  ! getent passwd $user >/dev/null || userdel $user || say "The user $user stays, because something still runs as it"
  if [ "$purge" = yes ]; then
    rm -rf $etc
    say "cast-agent is removed, and its configuration"
  else
    say "cast-agent is removed; its configuration is still in $etc (uninstall --purge removes it too)"
  fi
}

# --- what was asked for ---

what=${1:-}
shift || true
screen='' desktop_user='' purge=no
while [ $# -gt 0 ]; do
  case $what:$1 in
    install:--desktop)
      screen=desktop desktop_user=${2:-}
      getent passwd "$desktop_user" >/dev/null || fail "--desktop needs the name of a user of this machine"
      shift
      ;;
    install:--console) screen=console ;;
    install:--no-display) screen=none ;;
    uninstall:--purge) purge=yes ;;
    *) usage ;;
  esac
  shift
done
case $what in install | rollback | uninstall) ;; *) usage ;; esac
[ "$(id -u)" = 0 ] || fail "please run this as root: sudo make $what"
"do_$what"
