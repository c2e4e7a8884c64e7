"""The files in `deploy/`, compared with the program and the example of MediaMTX. No container is run here."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from central.cli import main
from central.config import ALIASES, LOADER, load_settings
from central.core.settings import ApiSettings
from central.description import OPERATIONS
from central.streams.urls import PlayUrls

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
GIVEN = {"API_SECRET": "a" * 48, "MEDIAMTX_SECRET": "b" * 48, "PUBLIC_HOST": "192.0.2.10"}
"""The variables that the operator writes into .env."""
LARGER = dict.fromkeys(("POSTGRES_PASSWORD", "S3_SECRET", "REDIS_PASSWORD", "RABBITMQ_PASSWORD"), "c" * 48)
"""Those for the larger installation."""
SERVERS = ("postgres", "s3", "redis", "rabbitmq")


@pytest.fixture(scope="module")
def compose() -> Any:
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]


@pytest.fixture(scope="module")
def larger() -> Any:
    return yaml.safe_load((DEPLOY / "compose.full.yaml").read_text())["services"]


@pytest.fixture(scope="module")
def dockerfile() -> list[list[str]]:
    """Instructions and their words."""
    text = (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ")
    return [line.split(maxsplit=1) for line in text.splitlines() if line and not line.startswith("#")]


def filled(environment: dict[str, str]) -> dict[str, str]:
    """The file as compose fills it in; a variable that .env lacks is an error."""
    return {
        name: re.sub(r"\$\{(\w+)(:\?[^}]*)?\}", lambda found: (GIVEN | LARGER)[found[1]], str(text))
        for name, text in environment.items()
    }


def ports(service: dict[str, Any]) -> set[str]:
    """Those inside that are published."""
    return {published.rpartition(":")[2].partition("/")[0] for published in service["ports"]}


def test_the_service_understands_its_environment(compose: Any) -> None:
    """Every name, and it means what it should."""
    environ = filled(compose["central"]["environment"])
    assert all(name in ALIASES or name.startswith(LOADER.prefix) for name in environ)
    settings = load_settings(environ=environ)
    assert (settings.api.secret, settings.mediamtx.secret) == (GIVEN["API_SECRET"], GIVEN["MEDIAMTX_SECRET"])
    assert settings.mediamtx.api_url == "http://mediamtx:9997"
    assert settings.mediamtx.public_url == "http://192.0.2.10"
    [volume] = compose["central"]["volumes"]
    assert str(settings.state.directory(environ)) == volume.partition(":")[2]
    assert ports(compose["central"]) == {str(settings.api.port)}


def test_the_image_has_what_it_is_made_of_and_runs_the_command(compose: Any, dockerfile: list[list[str]]) -> None:
    """The files that are copied are there and not ignored; its command is the project's."""
    build = compose["central"]["build"]
    context = (DEPLOY / build["context"]).resolve()
    assert (context, context / build["dockerfile"]) == (ROOT, DEPLOY / "Dockerfile")
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    copied = [word for kind, rest in dockerfile if kind == "COPY" for word in rest.split()[:-1]]
    for name in copied:
        assert (ROOT / name).exists()
        assert f"!{name}" in ignored
    document = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project, packages = document["project"], document["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert {*packages, project["readme"], *project["license-files"], "pyproject.toml"} == set(copied)
    said = dict(pair for pair in dockerfile if pair[0] in ("ENTRYPOINT", "CMD", "EXPOSE", "VOLUME"))
    [command] = json.loads(said["ENTRYPOINT"])
    assert project["scripts"][command] == "central.cli:main"
    assert main([*json.loads(said["CMD"]), "--help"]) == 0
    assert said["EXPOSE"] == str(ApiSettings().port)
    assert said["VOLUME"] == compose["central"]["environment"]["CAST_CENTRAL_STATE__DIR"]
    [environment] = [rest for kind, rest in dockerfile if kind == "ENV"]
    load_settings(environ=dict(word.split("=", 1) for word in shlex.split(environment)))


def test_mediamtx_asks_the_service_and_publishes_what_viewers_are_told(compose: Any) -> None:
    """With its secret, and with the settings of the example but for the hooks, which nothing there could run."""
    service = compose["mediamtx"]
    [mount] = service["volumes"]
    file, _, inside = mount.partition(":")
    assert inside == "/mediamtx.yml:ro"
    settings = yaml.safe_load((DEPLOY / file).read_text())
    example = yaml.safe_load((ROOT / "central" / "mediamtx.example.yml").read_text())
    example["pathDefaults"] = {k: v for k, v in example["pathDefaults"].items() if not k.startswith("runOn")}
    own = {"authHTTPAddress", "apiAddress", "rtspTransports"}
    assert {k: v for k, v in settings.items() if k not in own} == {k: v for k, v in example.items() if k not in own}

    environ = filled(service["environment"])
    address = environ["MTX_AUTHHTTPADDRESS"]
    assert address == f"http://mediamtx:{GIVEN['MEDIAMTX_SECRET']}@central:{ApiSettings().port}/auth"
    assert settings["authHTTPAddress"] == address.replace(f"mediamtx:{GIVEN['MEDIAMTX_SECRET']}@", "")
    assert "/auth" in {operation.path for operation in OPERATIONS}
    assert re.fullmatch(r"bluenviron/mediamtx:1\.(19|[2-9]\d)\.\d+", service["image"])
    assert service["depends_on"] == ["central"]

    told = PlayUrls(public="http://192.0.2.10", hls=None, webrtc=None, rtsp=None).of("x").values()
    assert {re.findall(r":(\d+)/", url)[0] for url in told} <= ports(service)
    assert settings["apiAddress"].lstrip(":") not in ports(service)


def test_the_larger_installation_is_understood(compose: Any, larger: Any) -> None:
    """The service and its worker use the servers that are there, by their names and with their secrets."""
    for name in ("central", "worker"):
        environ = filled(compose["central"]["environment"] | larger[name]["environment"])
        assert all(name in ALIASES or name.startswith(LOADER.prefix) for name in environ)
        settings = load_settings(environ=environ)
        urls = (settings.database.url, settings.s3.url, settings.cache.url, settings.broker.url)
        assert tuple(urlsplit(str(url)).hostname for url in urls) == SERVERS
        assert set(larger[name]["depends_on"]) <= set(SERVERS)
    assert str(settings.state.directory(environ)) == larger["worker"]["volumes"][0].partition(":")[2]
    assert main([*larger["worker"]["command"], "--help"]) == 0
    secrets = {value for name in SERVERS for value in filled(larger[name]["environment"]).values() if len(value) == 48}
    assert secrets == set(LARGER.values())
    assert urlsplit(str(settings.database.url)).username == larger["postgres"]["environment"]["POSTGRES_USER"]
    assert settings.s3.public_url == f"http://{GIVEN['PUBLIC_HOST']}:{ports(larger['s3']).pop()}"
    assert larger["s3"]["volumes"] == [f"videos:/data/{settings.s3.bucket}"]


def test_servers_are_pinned_and_say_whether_they_are_well(larger: Any) -> None:
    for name in SERVERS:
        assert re.search(r":v?\d", larger[name]["image"]), name
        assert larger[name]["healthcheck"]["test"], name


def test_the_quickstart_names_what_has_to_be_given() -> None:
    """In the documentation and beside the file."""
    documentation = (ROOT / "docs" / "central.md").read_text()
    for file, names in (("compose.yaml", GIVEN), ("compose.full.yaml", LARGER)):
        for name in names:
            assert f"{name}=" in (DEPLOY / file).read_text()
            assert name in documentation
