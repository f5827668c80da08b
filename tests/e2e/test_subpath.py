"""Behind a proxy, below a prefix that is kept or stripped: the map draws, its pictures come, links work."""

import re
import socket
import socketserver
import threading
from collections.abc import Callable
from contextlib import contextmanager, suppress
from urllib.parse import urlparse

import pytest

from tests.app.tiny import make_images, make_run
from tests.e2e.conftest import BASE, served

pytestmark = pytest.mark.e2e

DRAWN = ".map[data-drawn]"


@contextmanager
def proxy(port: int, *, strip: bool, refuse: str = "^$"):
    """A proxy that shows the server of `port` below /bon, one connection a request unless it is a WebSocket.

    Only the head is changed: the prefix is cut off if `strip`. What `refuse` matches is answered 404.
    """

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            method, path, version = self.rfile.readline().split(b" ", 2)
            lines = list(iter(self.rfile.readline, b"\r\n"))
            if not path.startswith(b"/bon") or re.search(refuse, path.decode()):
                self.wfile.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                return
            if strip:
                path = path.removeprefix(b"/bon") or b"/"
            if not any(line.lower().startswith(b"upgrade:") for line in lines):
                lines = [line for line in lines if not line.lower().startswith(b"connection:")]
                lines.append(b"Connection: close\r\n")
            with socket.create_connection(("127.0.0.1", port)) as behind:
                behind.sendall(b" ".join((method, path, version)) + b"".join(lines) + b"\r\n")
                up = threading.Thread(target=pass_on, args=(self.rfile.read1, behind), daemon=True)
                up.start()
                pass_on(behind.recv, self.connection)

    def pass_on(read: Callable[[int], bytes], to: socket.socket) -> None:
        with suppress(OSError, ValueError):
            while part := read(1 << 16):
                to.sendall(part)
            to.shutdown(socket.SHUT_WR)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads, block_on_close, allow_reuse_address = True, False, True

        def handle_error(self, request, client_address) -> None:
            """A browser that goes away is no error."""

    with Server(("127.0.0.1", 0), Handler) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield f"http://localhost:{listening.server_address[1]}/bon"
        listening.shutdown()


@pytest.fixture(scope="module")
def below(tmp_path_factory):
    """An explorer started with a base path."""
    with served(tmp_path_factory, f"{BASE}bon") as server:
        yield server


def make(server, tmp_path) -> None:
    if not (server.runs / "proxied").exists():
        make_run(server.runs, make_images(tmp_path), tmp_path / "tiny.npz", name="proxied")


def the_map_works(page, address: str) -> None:
    refused = []
    page.on("response", lambda answer: answer.status >= 400 and refused.append(answer.url))
    page.goto(f"{address}/?run=proxied")
    page.locator(DRAWN).wait_for()
    page.get_by_role("link", name="Map", exact=True).first.click()
    page.wait_for_url("**/bon/map?run=proxied")
    page.locator(DRAWN).wait_for()
    with page.expect_response(lambda answer: "/thumb/" in answer.url) as waiting:
        area = page.locator(DRAWN).bounding_box()
        for step in range(1, 40):
            page.mouse.move(area["x"] + area["width"] * step / 40, area["y"] + area["height"] * ((step * 7) % 40) / 40)
            page.wait_for_timeout(30)
    assert waiting.value.status == 200 and urlparse(waiting.value.url).path.startswith("/bon/thumb/proxied/")
    assert [address for address in refused if "favicon" not in address] == []


def test_a_proxy_that_keeps_the_prefix(page, below, tmp_path):
    make(below, tmp_path)
    with proxy(urlparse(below.address).port, strip=False) as address:
        the_map_works(page, address)


def test_a_proxy_that_strips_the_prefix(page, server, tmp_path):
    make(server, tmp_path)
    with proxy(urlparse(server.address).port, strip=True) as address:
        the_map_works(page, address)


def test_what_a_proxy_does_not_pass_on_is_named(page, server, tmp_path):
    make(server, tmp_path)
    with proxy(urlparse(server.address).port, strip=True, refuse="/webgl-map/") as address:
        page.goto(f"{address}/map?run=proxied")
        page.get_by_text("The map's program could not be fetched").wait_for()
        assert not page.get_by_text("offers no WebGL").count()
