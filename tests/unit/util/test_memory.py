"""The memory that is left: of the machine, and of every control group that this process is in."""

from __future__ import annotations

from pathlib import Path

from agent.util.memory import available_bytes

MIB = 1024 * 1024


def groups(folder: Path, **limits: str) -> Path:
    """A tree of groups, each inside the one before, with its limit. Half a MiB of each is used, and a MiB beside is
    cache that can be given up."""
    group = folder
    for name, limit in limits.items():
        group = group / name
        group.mkdir(parents=True)
        (group / "memory.max").write_text(f"{limit}\n")
        (group / "memory.current").write_text(f"{MIB // 2 + MIB}\n")
        (group / "memory.stat").write_text(f"anon {MIB // 2}\nfile {MIB}\ninactive_file {MIB}\nactive_file 0\n")
    return group


def left(tmp_path: Path, own: str) -> int:
    (tmp_path / "meminfo").write_text("MemTotal: 9000 kB\nMemFree: 1 kB\nMemAvailable: 8192 kB\n")
    (tmp_path / "own").write_text(own)
    return available_bytes(tmp_path / "meminfo", tmp_path / "own", tmp_path / "groups")


def test_the_tightest_limit_counts(tmp_path: Path) -> None:
    groups(tmp_path / "groups", slice=str(2 * MIB), service="max")
    assert left(tmp_path, "0::/slice/service\n") == 2 * MIB - MIB // 2
    (tmp_path / "groups/slice/service/memory.max").write_text("1024\n")
    assert left(tmp_path, "0::/slice/service\n") == 0


def test_without_limits_it_is_what_the_machine_has(tmp_path: Path) -> None:
    groups(tmp_path / "groups", service="max")
    assert left(tmp_path, "0::/service\n") == 8 * MIB
    assert left(tmp_path, "0::/\n") == 8 * MIB
    assert left(tmp_path, "4:memory:/old\n") == 8 * MIB


def test_this_machine_has_some() -> None:
    assert available_bytes() > MIB
