"""The browser's files: small on the wire, kept for good under a path of their own, and asked for again under any other."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

import noc_web
from noc_web.static_files import Folder, StaticFiles
from tests.web.conftest import Service

FOLDER = Path(noc_web.__file__).parent / "static"


def _of_the_page(service: Service) -> list[str]:
    page = service.by("viewer").ask("GET", "/").text
    return re.findall(r'(?:href|src)="(/static/[^"]+)"', page)


def test_every_file_of_a_page_is_kept_for_good_and_sent_compressed(shared_service: Service) -> None:
    paths = _of_the_page(shared_service)
    sent = plain = 0
    for path in set(paths):
        answer = shared_service.by("anonymous").ask("GET", path, headers={"Accept-Encoding": "gzip"})
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        body = gzip.decompress(answer.data) if answer.headers.get("Content-Encoding") == "gzip" else answer.data
        assert body == (FOLDER / path.split("/", 3)[3]).read_bytes()
        sent += len(answer.data)
        plain += len(body)
    assert {path.rpartition(".")[2] for path in paths} == {"css", "js", "svg"}
    assert sent < 0.4 * plain


def test_a_page_names_every_module_so_that_none_waits_for_another(shared_service: Service) -> None:
    named = {path.split("/", 3)[3] for path in _of_the_page(shared_service)}
    assert {str(script.relative_to(FOLDER)) for script in (FOLDER / "js").rglob("*.js")} <= named


def test_without_the_hash_a_file_is_asked_for_each_time(shared_service: Service) -> None:
    answer = shared_service.by("anonymous").ask("GET", "/static/js/main.js")
    assert answer.headers["Cache-Control"] == "no-cache"
    again = shared_service.by("anonymous").ask(
        "GET", "/static/js/main.js", headers={"If-None-Match": answer.headers["ETag"]}
    )
    assert (again.status_code, again.data) == (304, b"")


def test_the_path_of_another_version_is_not_there(shared_service: Service) -> None:
    assert shared_service.by("anonymous").ask("GET", "/static/0123456789abcdef/js/main.js").status_code == 404


def test_a_client_that_takes_nothing_compressed_gets_it_plain(shared_service: Service) -> None:
    answer = shared_service.by("anonymous").ask("GET", "/static/js/main.js")
    assert "Content-Encoding" not in answer.headers
    assert answer.data == (FOLDER / "js/main.js").read_bytes()


def _nothing(*_: object) -> list[bytes]:
    return []


@pytest.mark.parametrize("change", ["content", "name", "a file more"])
def test_any_change_of_the_folder_changes_the_path_of_all(tmp_path: Path, change: str) -> None:
    (tmp_path / "one.js").write_text("1")
    (tmp_path / "two.css").write_text("2")
    before = StaticFiles(Folder(tmp_path), {}, _nothing).url("two.css")
    if change == "content":
        (tmp_path / "one.js").write_text("3")
    elif change == "name":
        (tmp_path / "one.js").rename(tmp_path / "other.js")
    else:
        (tmp_path / "three.js").write_text("")
    assert StaticFiles(Folder(tmp_path), {}, _nothing).url("two.css") != before
