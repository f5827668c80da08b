"""Arrays on their way to the browser. Each is kept under the hash of its content: GET /points/HASH.

An address never means anything else, so a browser may keep what it fetched for ever, and nobody can ask for anything
that a page has not put here. What was used least recently goes once MAX_BYTES are kept; the next run of a page that
needs it puts it back.
"""

import hashlib
from collections import OrderedDict
from threading import Lock

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

MAX_BYTES = 256 << 20

_kept: OrderedDict[str, bytes] = OrderedDict()
_lock = Lock()


class Buffer:
    """Bytes and the name they go by; the name costs a hash, so keep the Buffer where the bytes live long."""

    def __init__(self, content: bytes):
        self.content = content
        self.name = hashlib.blake2b(content, digest_size=16).hexdigest()

    @property
    def address(self) -> str:
        """Where a browser finds the bytes, from now on, seen from a page."""
        with _lock:
            _kept[self.name] = self.content
            _kept.move_to_end(self.name)
            size = sum(map(len, _kept.values()))
            while size > MAX_BYTES and len(_kept) > 1:
                size -= len(_kept.popitem(last=False)[1])
        return f"points/{self.name}"


def route() -> Route:
    """GET /points/HASH."""
    return Route("/points/{name}", _serve)


async def _serve(request: Request) -> Response:
    with _lock:
        content = _kept.get(request.path_params["name"])
    if content is None:
        return Response(status_code=404)
    headers = {
        "Cache-Control": "private, max-age=31536000, immutable",
        "Content-Encoding": "identity",  # or the server would zip arrays that hardly shrink, 0.1 s for 4 MB
    }
    return Response(content, media_type="application/octet-stream", headers=headers)
