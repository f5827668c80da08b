"""The server around the pages: own routes, under any prefix; headers; one sentence where descriptors run out."""

import asyncio
import errno
import logging
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import streamlit as st
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bon_core.explorer import IN_NOTEBOOK

NONE_LEFT = (
    "The explorer has no file descriptors left, so some requests go unanswered; close tabs, or start it with a higher"
    " limit (ulimit -n 1024)."
)
log = logging.getLogger("explorer")


def under_the_prefix(routes: Sequence[Route]) -> list[Route]:
    """The routes as they are, for a proxy that strips its prefix, and below `server.baseUrlPath` if there is one."""
    prefix = (st.get_option("server.baseUrlPath") or "").strip("/")
    below = [Route(f"/{prefix}{route.path}", route.endpoint) for route in routes] if prefix else []
    return [*routes, *below]


def middleware() -> list[Middleware]:
    """Of all answers: known hosts alone are served, and no other site may frame the pages, but a notebook may."""
    found = [Middleware(TrustedHostMiddleware, allowed_hosts=st.get_option("server.allowedHosts") or ["*"])]
    if not os.environ.get(IN_NOTEBOOK):
        found.append(Middleware(NotFramed))
    return [*found, Middleware(Spared)]


class NotFramed:
    """Forbids other sites to show the pages inside theirs, where a click could be stolen."""

    HEADERS = ((b"content-security-policy", b"frame-ancestors 'self'"), (b"x-frame-options", b"SAMEORIGIN"))

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *self.HEADERS]
            await send(message)

        await self.app(scope, receive, sent if scope["type"] == "http" else send)


class Spared:
    """Answers 503 where a file cannot be opened for want of descriptors."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def sent(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, receive, sent)
        except OSError as error:
            if not none_left(error) or scope["type"] != "http" or started:
                raise
            say_none_left()
            await PlainTextResponse(NONE_LEFT, status_code=503)(scope, receive, send)


def none_left(error: BaseException | None) -> bool:
    """Whether an error is owed to the limit of open files, of the process or of the system."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
            return True
        error = error.__cause__ or error.__context__
    return False


_said = False


def say_none_left() -> None:
    """Once in the life of the server."""
    global _said
    if not _said:
        _said = True
        log.error(NONE_LEFT)


class OncePerServer(logging.Filter):
    """Lets no traceback through that is owed to the limit of open files."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and none_left(record.exc_info[1]):
            say_none_left()
            return False
        return True


@asynccontextmanager
async def lifespan(app: st.App) -> AsyncIterator[dict[str, Any]]:
    """While the server is up, errors of the event loop that are owed to the limit of open files are said once."""
    loop = asyncio.get_running_loop()

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if none_left(context.get("exception")):
            say_none_left()
        else:
            loop.default_exception_handler(context)

    loop.set_exception_handler(handle)
    for name in ("uvicorn.error", "asyncio", "concurrent.futures", *logging.root.manager.loggerDict):
        logging.getLogger(name).addFilter(OncePerServer())
    yield {}
