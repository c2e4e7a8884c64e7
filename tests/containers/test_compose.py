"""The files in `deploy/`, built and run: what docs/central.md says about containers, command by command.

The service and its worker are the real images. The servers beside it are those of `images/`: the official ones are made
elsewhere.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.containers.engine import Engine, missing
from tests.support.documentation import blocks

ROOT = Path(__file__).parents[2]
QUICKSTART, _, BACKUP, LARGER = [
    block.text for block in blocks(ROOT / "docs" / "central.md", kind="sh") if block.heading == "With containers"
]
"""The commands of the documentation. The second block is for a person: it has ids to be filled in."""
FULL = "export COMPOSE_FILE=compose.yaml:compose.full.yaml"
FILM = ROOT / "examples" / "first-picture.mp4"
READY_S = 30.0


@pytest.fixture(autouse=True)
def _no_leaks() -> None:
    """Instead of the one for all tests: all that an engine starts ends with it."""


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    if reason := missing():
        pytest.skip(f"NOT TESTED, the containers: {reason}")
    with Engine() as engine:
        yield engine


@pytest.fixture
def checkout(engine: Engine, tmp_path: Path) -> Iterator[Path]:
    """A checkout as somebody has it who just got it. What was started in it is removed at the end."""
    files = subprocess.run(
        ["git", "-C", ROOT, "ls-files", "-z", "-co", "--exclude-standard"], capture_output=True, check=True
    ).stdout
    for name in filter(None, files.decode().split("\0")):
        if (ROOT / name).is_file():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tmp_path / name)
    yield tmp_path
    engine.run("docker compose --project-name cast-central down --volumes", tmp_path)


def call(engine: Engine, deploy: Path, path: str, *options: str) -> Any:
    """A call of the API with the secret of .env."""
    curl = f'. ./.env; curl -sS --fail-with-body -H "X-API-Key: $API_SECRET" http://127.0.0.1:8080{path}'
    return json.loads(engine.run(f"{curl} {' '.join(options)}", deploy))


def test_the_files_are_valid_and_name_what_is_missing(engine: Engine, checkout: Path) -> None:
    deploy = checkout / "deploy"
    with pytest.raises(AssertionError, match="is missing a value: write it into"):
        engine.run("docker compose config --quiet", deploy)
    names = ("API_SECRET", "MEDIAMTX_SECRET", "PUBLIC_HOST", "POSTGRES_PASSWORD", "S3_SECRET", "REDIS_PASSWORD")
    (deploy / ".env").write_text("".join(f"{name}=x\n" for name in (*names, "RABBITMQ_PASSWORD")))
    engine.run(f"docker compose config --quiet; {FULL}; docker compose config --quiet", deploy)


def test_the_quickstart(engine: Engine, checkout: Path) -> None:
    """A publisher is let in, its stream has a code, and all of it is there again after the volumes were lost."""
    deploy = checkout / "deploy"
    assert '"status":"healthy"' in engine.run(QUICKSTART, checkout)
    assert (deploy / ".env").stat().st_mode & 0o077 == 0
    engine.wait_until_healthy("central")
    open_ports = engine.run("ss -ltn", deploy)
    assert ":8080 " in open_ports
    assert ":9997 " not in open_ports  # the control API of MediaMTX

    broadcaster = call(engine, deploy, "/broadcasters", """-d '{"name": "Front door"}'""")["id"]
    key = call(engine, deploy, "/stream-keys", f"""-d '{{"broadcaster_id": "{broadcaster}"}}'""")["key_value"]
    picture = "ffmpeg -v error -re -f lavfi -i testsrc=rate=25 -c:v libx264 -g 25 -pix_fmt yuv420p"
    publisher = subprocess.Popen(
        [*picture.split(), "-f", "rtsp", "-rtsp_transport", "tcp", f"rtsp://any:{key}@127.0.0.1:8554/live/door"]
    )
    try:
        engine.wait(
            '. ./.env; curl -sS -H "X-API-Key: $API_SECRET" http://127.0.0.1:8080/streams | grep \'"status":"active"\'',
            deploy,
            timeout_s=READY_S,
        )
        [stream] = call(engine, deploy, "/streams")["items"]
        assert (stream["path"], len(stream["code"])) == ("live/door", 6)
        assert "cast-agent enrol" in engine.run("docker compose exec -T central cast-central enrol", deploy)
    finally:
        publisher.kill()
        publisher.wait()

    taken, _, put_back = BACKUP.partition("\n")
    engine.run(taken, deploy)
    engine.run("docker compose down --volumes; docker compose up --detach", deploy)
    engine.wait_until_healthy("central")
    assert call(engine, deploy, "/broadcasters")["items"] == []
    engine.run(put_back, deploy)
    engine.wait_until_healthy("central")
    assert [one["name"] for one in call(engine, deploy, "/broadcasters")["items"]] == ["Front door"]


def test_the_larger_installation(engine: Engine, checkout: Path) -> None:
    """Every server is used and says that it is well. A film goes to the S3 server, and the worker makes its poster."""
    deploy = checkout / "deploy"
    settings = QUICKSTART.partition("docker compose up")[0]
    engine.run(f"{settings}\n{LARGER}", checkout)
    for name in ("central", "postgres", "s3", "redis", "rabbitmq"):
        engine.wait_until_healthy(name)
    servers = ("database", "mediamtx", "cache", "broker", "workers")
    available = " && ".join(f'grep -q \'"{name}":{{"status":"available"\' health' for name in servers)
    engine.wait(f"curl -sS -o health http://127.0.0.1:8080/health && {available}", deploy, timeout_s=READY_S)

    body = json.dumps({"title": "Film", "type": "video/mp4", "size": FILM.stat().st_size})
    reserved = call(engine, deploy, "/api/v1/videos", f"-d '{body}'")
    video = f"/api/v1/videos/{reserved['id']}"
    [part] = call(engine, deploy, f"{video}/upload")["parts"]
    host = engine.run(". ./.env; echo $PUBLIC_HOST", deploy).strip()
    assert part["url"].startswith(f"http://{host}:7070/cast/")
    engine.run(f"curl -sS --fail-with-body -T {FILM} '{part['url']}'", deploy)
    call(engine, deploy, f"{video}/complete", "-X POST")
    seen = f'. ./.env; curl -sS -H "X-API-Key: $API_SECRET" http://127.0.0.1:8080{video}'
    engine.wait(f'{seen} | grep \'"state":"ready"\'', deploy, timeout_s=READY_S)
    engine.wait(f"{seen}/poster -L --fail -o poster.jpg", deploy, timeout_s=READY_S)
    assert (deploy / "poster.jpg").read_bytes()[:3] == b"\xff\xd8\xff"
    assert "job_finished" in engine.run(f"{FULL}; docker compose logs worker", deploy)

    with_worker = BACKUP.replace("stop central", "stop central worker").replace("start central", "start central worker")
    engine.run(f"{FULL}; {with_worker}", deploy)
    engine.wait_until_healthy("central")
    assert call(engine, deploy, video)["state"] == "ready"
