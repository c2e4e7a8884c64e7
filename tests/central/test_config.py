"""Settings: file, environment, the usual names, and what is wrong said in words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from central.config import load_settings, settings_beside
from central.core.errors import ConfigError
from central.settings import Settings

EXAMPLE = Path(__file__).parents[2] / "central" / "config.example.toml"


def test_defaults_need_nothing(tmp_path: Path) -> None:
    """SQLite in the state directory."""
    settings = load_settings(environ={})
    assert settings.api.port == 8080
    assert settings.state.directory({"XDG_STATE_HOME": str(tmp_path)}) == tmp_path / "cast-central"
    assert settings.state.directory({"STATE_DIRECTORY": "/var/lib/cast-central"}) == Path("/var/lib/cast-central")


def test_the_page_may_call_the_bucket() -> None:
    """At the address by which browsers reach it, without a path; nothing else is needed where there is none."""
    assert load_settings(environ={}).page_origins() == ()
    environ = {"CAST_CENTRAL_S3__BUCKET": "films", "CAST_CENTRAL_S3__REGION": "eu-north-1"}
    assert "https://s3.eu-north-1.amazonaws.com" in load_settings(environ=environ).page_origins()
    environ |= {
        "CAST_CENTRAL_S3__URL": "http://127.0.0.1:7070",
        "CAST_CENTRAL_S3__PUBLIC_URL": "https://s3.example.org/x",
    }
    assert load_settings(environ=environ).page_origins() == ("https://s3.example.org",)


def test_the_usual_names_are_taken_and_ours_win(tmp_path: Path) -> None:
    """Ours, then the usual ones, then the file."""
    file = tmp_path / "config.toml"
    file.write_text('[api]\nport = 1\nhost = "127.0.0.1"\n[mediamtx]\npublic_url = "http://file"')
    environ = {
        "DATABASE_URL": "postgres://user:pw@db/central",
        "API_SECRET": "a secret of 16 or more".replace(" ", "-"),
        "API_PORT": "2",
        "CAST_CENTRAL_API__PORT": "3",
        "MEDIAMTX_API_URL": "http://media:9997/",
        "MEDIAMTX_PUBLIC_URL": "http://media.example",
        "CAST_CENTRAL_MEDIAMTX__ADDRESSES": '["10.0.0.0/8"]',
    }
    settings = load_settings(file, environ=environ)
    assert (settings.api.host, settings.api.port) == ("127.0.0.1", 3)
    assert settings.database_url() == "postgresql+asyncpg://user:pw@db/central"
    assert settings.api.secret == "a-secret-of-16-or-more"
    # What this name was for before 0.2.
    assert settings.mediamtx.secret == "a-secret-of-16-or-more"
    assert (settings.mediamtx.api_url, settings.mediamtx.public_url) == ("http://media:9997", "http://media.example")
    assert settings.mediamtx.addresses == ("10.0.0.0/8",)


def test_mediamtx_has_a_secret_of_its_own(tmp_path: Path) -> None:
    """The secret of the API is not its secret, wherever that is set."""
    file = tmp_path / "config.toml"
    file.write_text('[mediamtx]\nsecret = "the-secret-in-the-file"')
    environ = {"API_SECRET": "the-secret-of-the-api"}
    assert load_settings(file, environ=environ).mediamtx.secret == "the-secret-in-the-file"
    environ["MEDIAMTX_SECRET"] = "the-secret-of-mediamtx"
    settings = load_settings(file, environ=environ)
    assert (settings.api.secret, settings.mediamtx.secret) == ("the-secret-of-the-api", "the-secret-of-mediamtx")


def test_a_name_from_before_meets_what_is_no_section(tmp_path: Path) -> None:
    """The mistake is told, as without that name."""
    file = tmp_path / "config.toml"
    file.write_text("mediamtx = 3")
    with pytest.raises(ConfigError, match="mediamtx: this is a section; write \\[mediamtx\\]"):
        load_settings(file, environ={"API_SECRET": "the-secret-of-the-api"})


def test_the_usual_words_for_an_encrypted_connection_are_taken() -> None:
    """The words are those that hosting environments write; and the folder of a socket."""
    settings = load_settings(environ={"DATABASE_URL": "postgres://u:p@db/central?sslmode=require"})
    assert settings.database_url() == "postgresql+asyncpg://u:p@db/central?ssl=require"
    settings = load_settings(environ={"DATABASE_URL": "postgres:///central?host=/run/postgresql"})
    assert settings.database_url() == "postgresql+asyncpg:///central?host=%2Frun%2Fpostgresql"


def test_a_command_works_on_the_database_of_the_installed_service(tmp_path: Path) -> None:
    """Its configuration counts, and else its state directory, where there is one; an own one and a named file win."""
    file, state = tmp_path / "config.toml", tmp_path / "state"

    def database(path: Path | None = None, **environ: str) -> str:
        environ.setdefault("XDG_STATE_HOME", "/home/me")
        settings = settings_beside(path, environ=environ, system_config=file, system_state=state)
        return str(settings.state.directory(environ))

    assert database() == "/home/me/cast-central"
    state.mkdir()
    assert database() == str(state)
    assert database(STATE_DIRECTORY="/srv/state") == "/srv/state"
    file.write_text('[state]\ndir = "/srv/elsewhere"\n')
    assert database() == "/srv/elsewhere"
    other = tmp_path / "other.toml"
    other.write_text("")
    assert database(other) == "/home/me/cast-central"


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        (
            {"CAST_CENTRAL_API__PROT": "1"},
            "CAST_CENTRAL_API__PROT: there is no such setting; did you mean CAST_CENTRAL_API__PORT?",
        ),
        ({"CAST_CENTRAL_API__PORT": "many"}, "environment: CAST_CENTRAL_API__PORT: "),
        ({"API_PORT": "70000"}, "environment: API_PORT: "),
        ({"DATABASE_URL": "mysql://x/y"}, "should begin with postgresql:// or sqlite:///"),
        ({"DATABASE_URL": "sqlite://"}, "should name a file"),
        ({"DATABASE_URL": "postgresql://x/y?sslrootcert=z"}, "should have nothing behind a ? but sslmode"),
        ({"API_SECRET": "short"}, "cannot be used; allowed: 16 to 200 printable ASCII characters"),
        ({"MEDIAMTX_API_URL": "media:9997"}, "should begin with http:// or https:// and a host"),
        ({"MEDIAMTX_PUBLIC_URL": "http://user:pw@media"}, "should hold no user name and no password"),
        ({"CAST_CENTRAL_MEDIAMTX__ADDRESSES": "10.0.0.1"}, "allowed: a list of IP addresses or networks"),
        ({"CAST_CENTRAL_RETENTION__EVENTS": "3"}, "allowed: days, from 8 to 3650"),
        (
            {"CAST_CENTRAL_S3__BUCKET": "a", "CAST_CENTRAL_S3__PREFIX": "/"},
            "a folder in the bucket that ends with a slash",
        ),
        ({"CAST_CENTRAL_S3__URL": "http://s3"}, "needs a bucket"),
        (
            {"CAST_CENTRAL_S3__BUCKET": "cast", "CAST_CENTRAL_S3__SECRET_KEY": "pw"},
            "needs both access_key and secret_key",
        ),
    ],
)
def test_mistakes_in_the_environment_are_told(environ: dict[str, str], said: str) -> None:
    """With the variable, and what is allowed."""
    with pytest.raises(ConfigError) as caught:
        load_settings(environ=environ)
    assert said in str(caught.value)
    assert "pw" not in str(caught.value)


def test_mistakes_in_the_file_are_told_all_at_once(tmp_path: Path) -> None:
    """Each with its place, and what may have been meant."""
    file = tmp_path / "config.toml"
    file.write_text('[api]\nprot = 1\nport = "x"\n[apy]\nhost = ""\n')
    with pytest.raises(ConfigError) as caught:
        load_settings(file, environ={})
    text = str(caught.value)
    for said in (
        "api.prot: there is no such key; did you mean api.port?",
        "apy: ",
        "did you mean api?",
        "api.port: ",
    ):
        assert said in text


def test_the_example_holds_every_key_with_its_default() -> None:
    """Whoever uncomments everything gets what is there without a file."""
    assert load_settings(EXAMPLE, environ={}) == load_settings(environ={})
    text = EXAMPLE.read_text()
    settings = load_settings(environ={})
    for section in type(settings).model_fields:
        assert f"[{section}]" in text
        for key in type(getattr(settings, section)).model_fields:
            assert f"\n{key} = " in text or f"\n# {key} = " in text, f"{section}.{key}"


@pytest.mark.parametrize("value", ['"a b/c"', '""', "-1", "99999999", "1.5", "nan", "true", "[5]", "{x = 1}"])
def test_what_is_wrong_is_told_in_words(tmp_path: Path, value: str) -> None:
    """Whatever stands at whichever key: what is allowed there, and no expression."""
    file, told = tmp_path / "config.toml", []
    for section, content in Settings.model_fields.items():
        assert isinstance(content.annotation, type)
        for key in content.annotation.model_fields:
            file.write_text(f"[{section}]\n{key} = {value}\n")
            try:
                load_settings(file, environ={})
            except ConfigError as error:
                told.append(str(error))
    assert len(told) > 10
    assert all("; allowed: " in text for text in told)
    assert not [text for text in told if re.search(r"pattern|\^|valid|parse", text)]
