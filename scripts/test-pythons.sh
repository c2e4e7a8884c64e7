#!/usr/bin/env bash
# Runs the unit tests with the oldest and the newest supported Python of this machine, where those are others than that of
# .venv: nothing may depend on the Python. Looks for them on the PATH and among pyenv's.
set -euo pipefail
cd "$(dirname "$0")/.."

supported=(3.11 3.12 3.13)
main=$(.venv/bin/python -c 'import sys; print("%d.%d" % sys.version_info[:2])')

find_python() { # the path of one of this version that can make virtual environments
  local candidate
  for candidate in "$(command -v "python$1" || true)" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$1".*/bin/python3; do
    [ -x "$candidate" ] || continue
    if "$candidate" -c "import sys, ensurepip; sys.exit('%d.%d' % sys.version_info[:2] != '$1')" 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
}

there=()
for version in "${supported[@]}"; do
  if [ "$version" = "$main" ] || [ -n "$(find_python "$version")" ]; then there+=("$version"); fi
done
others=$(printf '%s\n' "${there[@]:0:1}" "${there[@]: -1}" | sort -u | grep -vxF "$main" || true)
if [ -z "$others" ]; then
  echo "==> There is no older or newer Python here than $main: the unit tests were NOT TRIED with another one."
  exit 0
fi
for version in $others; do
  venv=.cache/venv-$version
  if [ ! -e "$venv/.installed" ] || [ pyproject.toml -nt "$venv/.installed" ]; then
    echo "==> Installing cast-agent and its libraries into $venv"
    "$(find_python "$version")" -m venv --clear "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --editable '.[central]' --group dev
    touch "$venv/.installed"
  fi
  echo "==> The unit tests, with Python $version"
  "$venv/bin/python" -m pytest -q -p no:cacheprovider -n "${TEST_WORKERS:-3}" --dist loadfile \
    tests/unit tests/central/test_openapi.py tests/central/core/test_pipelining.py tests/central/core/test_wording.py
done
