"""The server around the pages: who may frame them, and what is said when descriptors run out."""

import errno
import logging

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from app import server
from app.server import NONE_LEFT


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch):
    monkeypatch.setattr(server, "_said", False)


def client(monkeypatch, answer, *, notebook: bool = False) -> TestClient:
    if notebook:
        monkeypatch.setenv("BON_IN_NOTEBOOK", "1")
    else:
        monkeypatch.delenv("BON_IN_NOTEBOOK", raising=False)
    app = Starlette(routes=[Route("/", answer)], middleware=server.middleware())
    return TestClient(app, base_url="http://localhost", raise_server_exceptions=False)


async def fine(request):
    return PlainTextResponse("fine")


async def starved(request):
    raise OSError(errno.EMFILE, "Too many open files")


def test_no_other_site_may_frame_the_pages_but_a_notebook_may(monkeypatch):
    headers = client(monkeypatch, fine).get("/").headers
    assert headers["x-frame-options"] == "SAMEORIGIN"
    assert headers["content-security-policy"] == "frame-ancestors 'self'"
    headers = client(monkeypatch, fine, notebook=True).get("/").headers
    assert not {"x-frame-options", "content-security-policy"} & set(headers)


def test_a_server_without_descriptors_answers_and_says_so_once(monkeypatch, caplog):
    asked = client(monkeypatch, starved)
    for _ in range(3):
        answer = asked.get("/")
        assert (answer.status_code, answer.text) == (503, NONE_LEFT)
    assert [record.message for record in caplog.records if record.levelno >= logging.ERROR] == [NONE_LEFT]


def test_tracebacks_owed_to_descriptors_alone_are_kept_out_of_the_log(caplog):
    logger = logging.getLogger("tests.starved")
    logger.addFilter(server.OncePerServer())
    for number in (errno.EMFILE, errno.ENFILE, errno.ENOENT):
        try:
            try:
                raise OSError(number, "no")
            except OSError as error:
                raise RuntimeError("a view failed") from error
        except RuntimeError:
            logger.exception("it went wrong")
    assert [record.message for record in caplog.records] == [NONE_LEFT, "it went wrong"]
