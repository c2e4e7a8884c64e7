"""nginx and HAProxy as Debian has them, in front of a service, on free ports of the loopback."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.sockets import free_port
from tests.support.tools import end, need, wait_until

START_S = 10.0

NGINX = """
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://127.0.0.1:{upstream};
            {more}
        }}
    }}
}}
"""
HAPROXY = """
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
    {more}
frontend all
    bind 127.0.0.1:{port}
    default_backend central
backend central
    server central 127.0.0.1:{upstream}
"""
RECOMMENDED = {
    "nginx": "proxy_set_header Host $host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; "
    "proxy_set_header X-Forwarded-Proto $scheme;",
    "haproxy": "option forwardfor",
}
"""The lines that docs/central.md has for each."""


@contextmanager
def proxy(kind: str, upstream: int, *, more: str = "") -> Iterator[str]:
    """Its address. `more` goes to where a request is passed on."""
    folder, port = Path(tempfile.mkdtemp(prefix=f"{kind}-")), free_port()
    folder.chmod(0o755)  # nginx's workers are another user
    form = NGINX if kind == "nginx" else HAPROXY
    (folder / "conf").write_text(form.format(folder=folder, port=port, upstream=upstream, more=more))
    # Debian puts them into /usr/sbin, which is not in every user's path.
    program = shutil.which(kind, path="/usr/sbin:/usr/bin") or need(kind)
    command = [program, "-c", str(folder / "conf"), "-p", str(folder), "-g", "daemon off;"]
    if kind == "haproxy":
        command = [program, "-f", str(folder / "conf"), "-db", "-q"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        wait_until(lambda: _listens(port), timeout_s=START_S, what=kind)
        yield f"http://127.0.0.1:{port}"
    finally:
        end(process)
        shutil.rmtree(folder, ignore_errors=True)


def _listens(port: int) -> bool:
    import socket

    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
