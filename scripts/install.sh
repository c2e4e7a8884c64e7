#!/usr/bin/env bash
# Installs cast-agent for good on Debian 12 or 13 or Raspberry Pi OS, upgrades it, takes an upgrade back, or removes it.
# With --central in front it does the same for cast-central, under that name everywhere below, and without a screen.
# usage: scripts/install.sh install [--desktop USER | --console | --no-display] [--with-pages] | rollback | uninstall [--purge]
#        scripts/install.sh --central install | rollback | uninstall [--purge]
#
#   /opt/cast-agent/releases/…    all that one installation is, so that a rollback takes all of it back: a virtual
#                                 environment, the units, and `screen`, which is `console`, `desktop USER` or `none`;
#                                 `started` is there once it has run. The last two are kept.
#   /opt/cast-agent/current       the one that runs; /opt/cast-agent/previous the one before, if that ever ran
#   /opt/cast-agent/install.sh    this script, for `rollback` and `uninstall`
#   /etc/cast-agent/config.toml   the configuration: its text is made once and never touched again; who may read it
#                                 follows the user of the service
#   /var/lib/cast-agent           what the agent keeps: its id, its keys, what is on; of cast-central the database and the
#                                 videos, which only --purge removes
set -euo pipefail
umask 022 # what is installed is for everybody to read and run, also where root's files usually are not

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd) program=cast-agent
[ "$here" != /opt/cast-central ] || program=cast-central
if [ "${1:-}" = --central ]; then program=cast-central && shift; fi
readonly here program opt=/opt/$program etc=/etc/$program state=/var/lib/$program units=/etc/systemd/system
readonly user=$program service=$program.service display_unit=$program-display.service command=/usr/local/bin/$program
readonly drop_in=$units/$service.d/50-screen.conf screen_up_s=10

say() { printf '==> %s\n' "$*"; }
fail() { printf 'install.sh: %s\n' "$*" >&2; exit 1; }
is_central() { [ $program = cast-central ]; }
target() { if is_central; then echo "$1-central"; else echo "$1"; fi; } # what make calls it
has_systemd() { [ -d /run/systemd/system ]; } # sd_booted(3)

usage() {
  ! is_central || fail "usage: $0 --central install | rollback | uninstall [--purge]"
  fail "usage: $0 install [--desktop USER | --console | --no-display] [--with-pages] | rollback | uninstall [--purge]"
}

# --- what install does, in its order ---

install_packages() {
  local packages=(python3-venv ca-certificates ffmpeg)
  is_central || packages=(python3-venv libvlc5 vlc-plugin-base vlc-plugin-video-output mpv libxcb1 fonts-dejavu-core ca-certificates)
  [ -z "$with_pages" ] || packages+=(chromium)
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
  ! is_central || return 0
  local group
  for group in video audio render input; do # a machine without a graphics card has no group render
    ! getent group $group >/dev/null || usermod --append --groups $group $user
  done
}

install_release() {
  release=$opt/releases/$(date -u +%Y%m%d-%H%M%S)
  say "Installing $program into $release (a minute or two)"
  mkdir -p $opt/releases
  trap 'rm -rf "$release"' EXIT # half a release is none
  "${PYTHON:-python3}" -m venv "$release"
  "$release/bin/pip" install --quiet --disable-pip-version-check "$source$(! is_central || echo '[central]')"
  cp -r "$source/README.md" "$source/docs" "$source/systemd" "$(example)" "$release/"
  echo "$screen${desktop_user:+ $desktop_user}" >"$release/screen"
  chmod -R a+rX "$release" # the checkout may be for its owner alone
  "$release/bin/$program" --version >/dev/null
  trap - EXIT
  install -m 755 "$source/scripts/install.sh" $opt/install.sh
}

example() { # the configuration that explains itself
  if is_central; then echo "$source/central/config.example.toml"; else echo "$source/config.example.toml"; fi
}

write_configuration() {
  install -d -m 755 $etc
  [ -e $etc/config.toml ] && return
  say "Writing $etc/config.toml"
  # The state directory by name, so that `cast-agent key` and the like find it without systemd.
  sed "s|^# dir = \"$state\"|dir = \"$state\"|" "$(example)" | install -m 640 -g $user /dev/stdin $etc/config.toml
}

# --- what makes a release the one that runs, and back; no `set -e` inside of `if`, so steps are joined by && ---

run_release() { # its directory: its units, its screen, what it may read, and the service anew
  local kind who
  if has_systemd && [ -e $units/$service ]; then # now, because what it writes at its end needs its old owner
    systemctl stop $service
  fi
  read -r kind who <"$1/screen" &&
    point current "$1" &&
    install -m 644 "$1/systemd/$program"*.service $units/ &&
    ln -sfn $opt/current/bin/$program $command &&
    { is_central || take_screen "$1" "$kind" "$who"; } &&
    own_files "${who:-$user}" &&
    start_units "$kind" &&
    touch "$1/started"
}

take_screen() { # the directory of a release, its kind of screen, and whose desktop it is
  local home uid group
  mkdir -p "$(dirname $drop_in)"
  case $2 in
    console) install -m 644 "$1/systemd/console.conf" $drop_in ;;
    desktop)
      home=$(getent passwd "$3" | cut -d: -f6) && uid=$(id -u "$3") && group=$(id -gn "$3") &&
        sed -e "s|@USER@|$3|g; s|@GROUP@|$group|g; s|@UID@|$uid|g; s|@HOME@|$home|g" "$1/systemd/desktop.conf" |
        install -m 644 /dev/stdin $drop_in
      ;;
    none) echo '# screen: none' | install -m 644 /dev/stdin $drop_in ;;
  esac
}

own_files() { # the user of the service reads the configuration and has the state, whoever did before
  local group
  group=$(id -gn "$1") &&
    chown "root:$group" $etc/config.toml &&
    chmod u+rw,g+r,g-w,o-w $etc/config.toml &&
    { [ ! -d $state ] || chown -R --no-dereference "$1:$group" $state; }
}

point() { # a link that is never missing, also when the power fails in between
  ln -sfn "$2" "$opt/$1.new"
  mv -T "$opt/$1.new" "$opt/$1"
}

start_units() { # the kind of screen
  if ! has_systemd; then
    say "systemd does not run here, so nothing is started; it will be at the next boot"
    systemctl --root=/ enable --quiet $service &&
      if [ "$1" = console ]; then systemctl --root=/ enable --quiet $display_unit; fi
    return
  fi
  systemctl daemon-reload
  if [ "$1" = console ]; then
    systemctl enable --quiet $display_unit
    systemctl start $display_unit || true # whether it has a screen is looked at in the end
  elif [ -e $units/$display_unit ]; then # it would take the console from whoever has it now
    systemctl disable --quiet --now $display_unit 2>/dev/null || true
  fi
  systemctl reset-failed $service 2>/dev/null || true # one that was tried in vain is not to keep this one off
  systemctl enable --quiet $service &&
    systemctl start $service # Type=notify: returns when the agent answers, or has failed
}

forget_old_releases() {
  local kept
  kept=$(readlink -f $opt/current $opt/previous 2>/dev/null || true)
  find $opt/releases -mindepth 1 -maxdepth 1 -type d | sort | while read -r old; do
    grep -qxF "$old" <<<"$kept" || rm -rf "$old"
  done
}

choose_screen() { # console, desktop or none
  ! is_central || screen=none
  if [ -n "$screen" ]; then return; fi
  if [ -e $opt/current/screen ]; then # as it was chosen before
    read -r screen desktop_user <$opt/current/screen || true
  elif [ -e $units/display-manager.service ]; then
    screen=desktop desktop_user=${SUDO_USER:-}
    case $desktop_user in '' | root)
      fail "This machine has a desktop. Say whose it is: $0 install --desktop USER (who is logged in on its screen)" ;;
    esac
  else
    screen=console
  fi
  [ "$screen" != desktop ] || getent passwd "$desktop_user" >/dev/null ||
    fail "The desktop was that of $desktop_user, who is no user of this machine any more. Say whose it is: $0 install --desktop USER"
}

complete_release() { # one of a version that kept its screen elsewhere
  [ ! -e "$1/screen" ] || return 0
  local kind=none who=
  if [ -e $drop_in ]; then
    kind=$(sed -n 's/^# screen: //p' $drop_in)
    who=$(sed -n 's/^User=//p' $drop_in)
  fi
  touch "$1/started"
  echo "$kind${who:+ $who}" >"$1/screen"
}

release_at() { # the directory that a link names; nothing when there is none
  [ ! -e "$opt/$1" ] || readlink "$opt/$1"
}

do_install() {
  source=$(dirname "$here")
  [ -e "$source/pyproject.toml" ] || fail "to install or upgrade, run this from a checkout: sudo make $(target install)"
  local was before
  was=$(release_at current) before=$(release_at previous)
  [ -z "$before" ] || complete_release "$before"
  [ -z "$was" ] || complete_release "$was"
  choose_screen
  install_packages
  make_user
  install_release
  write_configuration
  [ -z "$was" ] || [ -e "$was/started" ] || was= # it never ran: nothing to go back to
  [ -z "$was" ] || point previous "$was"
  if ! run_release "$release"; then
    [ -n "$was" ] || fail "$program is installed, but it does not start. What it says: journalctl -u $program -n 20"
    say "The new version does not start; going back to the one before. What it said:"
    journalctl -u $program -n 20 --no-pager >&2 || true
    go_back "$was" "$before"
    rm -rf "$release"
    fail "the upgrade was taken back"
  fi
  forget_old_releases
  say "$program $("$command" --version | cut -d' ' -f2) is installed"
  if [ -z "$was" ] && is_central; then
    echo "    Next: sudo cast-central key add NAME   (an admin key, shown once)"
    echo "          sudo cast-central enrol          (a token with which one box registers)"
  elif [ -z "$was" ]; then
    echo "    Next: sudo cast-agent setup    (makes a key and prints what to paste into Home Assistant)"
    echo "          sudo cast-agent doctor   (what works on this machine, and what to do about what does not)"
  fi
  is_central || look_at_screen
}

go_back() { # to a release, and to the one that was the one before it; both as they were
  if [ -n "$2" ]; then point previous "$2"; else rm -f $opt/previous; fi
  run_release "$1" || fail "the version before does not start any more either. What it says: journalctl -u $program -n 20"
}

look_at_screen() { # the agent says in its status when it has none
  has_systemd || return 0
  local waited status
  for ((waited = 0; waited < screen_up_s; waited++)); do
    status=$(systemctl show --property=StatusText --value $service)
    case $status in 'No screen: '*) ;; *) return 0 ;; esac
    [ "$screen" = console ] || break # nobody else's screen comes because of this installation
    sleep 1
  done
  echo "    It shows nothing yet. $status"
  [ "$screen" != console ] || fail "cast-agent runs, but its screen does not: journalctl -u cast-agent-display -n 30"
}

do_rollback() {
  local was to
  was=$(release_at current) to=$(release_at previous)
  [ -n "$to" ] || fail "there is no version before this one"
  complete_release "$to"
  complete_release "$was"
  say "Going back to $to"
  if [ -e "$was/started" ]; then point previous "$was"; else rm -f $opt/previous; fi
  run_release "$to" && return
  say "It does not start; going on with $was. What it said:"
  journalctl -u $program -n 20 --no-pager >&2 || true
  go_back "$was" "$to"
  fail "nothing was rolled back"
}

do_uninstall() {
  if has_systemd; then
    systemctl disable --quiet --now $service $display_unit 2>/dev/null || true
  else
    systemctl --root=/ disable --quiet $service $display_unit 2>/dev/null || true
  fi
  rm -rf $units/$service $units/$display_unit "$(dirname $drop_in)" $opt /run/$program $etc/cli-key
  is_central && [ "$purge" = no ] || rm -rf $state
  [ "$(readlink $command || true)" != $opt/current/bin/$program ] || rm -f $command
  ! has_systemd || systemctl daemon-reload
  # They may hold secrets, and the numbers of their user and group may be given to others.
  [ ! -e $etc/config.toml ] || chown root:root $etc/config.toml
  [ ! -e $state ] || chown -R --no-dereference root:root $state
  ! getent passwd $user >/dev/null || userdel $user || say "The user $user stays, because something still runs as it"
  if [ "$purge" = yes ]; then
    rm -rf $etc
    say "$program is removed, and its configuration"
  else
    say "$program is removed, but for $etc$(! is_central || echo " and $state") (uninstall --purge removes that, too)"
  fi
}

# --- what was asked for ---

what=${1:-}
shift || true
screen='' desktop_user='' with_pages='' purge=no
while [ $# -gt 0 ]; do
  case $program:$what:$1 in
    cast-agent:install:--desktop)
      screen=desktop desktop_user=${2:-}
      getent passwd "$desktop_user" >/dev/null || fail "--desktop needs the name of a user of this machine"
      shift
      ;;
    cast-agent:install:--console) screen=console ;;
    cast-agent:install:--no-display) screen=none ;;
    cast-agent:install:--with-pages) with_pages=yes ;;
    *:uninstall:--purge) purge=yes ;;
    *) usage ;;
  esac
  shift
done
case $what in install | rollback | uninstall) ;; *) usage ;; esac
[ "$(id -u)" = 0 ] || fail "please run this as root: sudo make $(target "$what")"
"do_$what"
