"""The files of the page: the same for everyone, small, and from nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from cast_http.page_files import page_files
from central.page import feature
from tests.central.support.service import served

SIZE_LIMIT = 100_000

FILES = page_files(Path(feature.__file__).parent / "files")


def test_the_page_is_small() -> None:
    """Less than 100 kB in all; a file of a kind that is not served does not load."""
    assert sum(len(file.text.encode()) for file in FILES.values()) < SIZE_LIMIT


def test_the_page_asks_nobody_else() -> None:
    """No address of another host but the name of a format; no script or style within the page; each module is named
    there, so that none waits for another to be found."""
    for name, file in FILES.items():
        assert "://" not in file.text.replace("http://www.w3.org/2000/svg", ""), name
    page = FILES["index.html"].text
    assert " style=" not in page
    assert "<style" not in page
    assert page.count("<script") == page.count('<script type="module" src=') == 1
    assert [name for name in FILES if name.endswith(".js") and f'"page/{name}"' not in page] == []


async def test_files_are_open_to_all_and_sent_when_they_are_new(sqlite_url: str) -> None:
    """With a policy that allows the page its own origin; a name that is no file of it is not found."""
    async with served(sqlite_url) as central:
        answer = await central.anybody("GET", "/")
        assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        again = await central.anybody("GET", "/", headers={"If-None-Match": answer.headers["Etag"]})
        assert (again.status, again.body, again.headers["Etag"]) == (304, "", answer.headers["Etag"])
        module = await central.anybody("GET", "/page/page.js")
        assert (module.status, module.headers["Content-Type"]) == (200, "text/javascript; charset=utf-8")
        for name in ("nothing.js", "..%2Ffeature.py", "%2Fetc%2Fpasswd"):
            assert (await central.anybody("GET", f"/page/{name}"))["code"] == "not_found"


def test_a_name_is_of_one_file(tmp_path: Path) -> None:
    """One that all pages have is not replaced unseen."""
    (tmp_path / "base.css").write_text("")
    with pytest.raises(ValueError, match=r"has the name of one"):
        page_files(tmp_path)
