"""What the server answers when it cannot do what was asked: one plain sentence, in the shape the client reads."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from pellucid.errors import InputError
from pellucid.server.complaints import complaint, field

log = logging.getLogger("pellucid.server")

# what /api calls a status, and what OpenAI does
TYPES = {
    400: ("bad_input", "invalid_request_error"),
    401: ("unauthorized", "invalid_request_error"),
    403: ("forbidden", "invalid_request_error"),
    404: ("not_found", "invalid_request_error"),
    405: ("bad_input", "invalid_request_error"),
    409: ("busy", "invalid_request_error"),
    413: ("too_large", "invalid_request_error"),
    429: ("busy", "rate_limit_error"),
    500: ("internal", "server_error"),
}
MOST_SAID = 300  # characters of a message; what a client sent may be quoted in it
RETRY_AFTER = "1"  # seconds: a reply in front of the queue takes about so long


class Refusal(InputError):
    """A request that is refused; subclasses say with which status.

    Args:
        message: as of InputError.
        param: the field that is wrong, where it is one.
    """

    status = 400
    code: str | None = None  # OpenAI's word for it, where clients know one

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


class Impossible(Refusal):
    """A field that would change the answer, and that nobody here can do.

    Args:
        param: its name.
        why: and what to do instead.
    """

    def __init__(self, param: str, why: str) -> None:
        super().__init__(f"{param} is not possible here: {why}", param)


class NotFound(Refusal):
    status = 404
    code = "model_not_found"  # where OpenAI's clients ask, what is not found is a run


class TooLong(Refusal):
    """A text that the model cannot see as a whole."""

    code = "context_length_exceeded"


class Conflict(Refusal):
    """What was asked cannot be done now, as with a run that is being trained."""

    status = 409


class TooLarge(Refusal):
    status = 413


class Busy(Refusal):
    """As many wait as may wait: the client may try again in `Retry-After` seconds."""

    status = 429
    code = "rate_limit_exceeded"


def status_of(error: Exception) -> int:
    """The HTTP status that stands for an exception."""
    if isinstance(error, Refusal):
        return error.status
    return 400 if isinstance(error, InputError) else 500


def told(error: Exception) -> str:
    """What a client is told of an exception: of our own mistakes, only that there was one."""
    if isinstance(error, InputError):
        return shown(str(error))
    log.error("a request failed", exc_info=error)
    return "something went wrong in the server: its window says what"


def error_body(
    status: int, message: str, openai: bool = False, param: str | None = None, code: str | None = None
) -> dict[str, Any]:
    """The JSON of an error, in the shape of /api or of OpenAI's API.

    Args:
        param, code: of OpenAI's shape: the field that is wrong, and a word for what is wrong.
    """
    ours, theirs = TYPES.get(status, TYPES[400])
    if not openai:
        return {"error": {"message": message, "type": ours}}
    code = "invalid_api_key" if status == 401 else code
    return {"error": {"message": message, "type": theirs, "param": param, "code": code}}


def openai_error(error: Exception) -> dict[str, Any]:
    """The JSON of an exception in the shape of OpenAI's API."""
    return error_body(status_of(error), told(error), True, *_details(error))


def _details(error: Exception) -> tuple[str | None, str | None]:
    """`param` and `code` of an exception."""
    return (error.param, error.code) if isinstance(error, Refusal) else (None, None)


def error_response(
    path: str,
    status: int,
    message: str,
    headers: Mapping[str, str] | None = None,
    param: str | None = None,
    code: str | None = None,
) -> JSONResponse:
    """An error's answer to a request of `path`; `param` and `code` as of `error_body`."""
    given = dict(headers or {})
    if status == 429:
        given["Retry-After"] = RETRY_AFTER
    return JSONResponse(error_body(status, message, is_openai(path), param, code), status, given)


def is_openai(path: str) -> bool:
    return path == "/v1" or path.startswith("/v1/")


def shown(text: str) -> str:
    """Text that can be sent whatever was in it: no lone surrogates, and not too long."""
    whole = text.encode("utf-8", "backslashreplace").decode()
    return whole if len(whole) <= MOST_SAID else whole[:MOST_SAID] + " …"


def install(app: FastAPI) -> None:
    """Let `app` answer every exception in this module's shapes."""

    async def refused(request: Request, error: Exception) -> JSONResponse:
        return error_response(request.url.path, status_of(error), told(error), None, *_details(error))

    async def invalid(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        message = shown(complaint(error.errors(), error.body))
        return error_response(request.url.path, 400, message, param=field(error.errors(), error.body))

    async def http(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        path = request.url.path
        known = {
            400: "the body cannot be read: send one JSON object in UTF-8",  # what FastAPI says of it is its own
            404: f"there is nothing at {path}",
            405: f"{request.method} is not possible at {path}",
        }
        message = known.get(error.status_code, str(error.detail))
        return error_response(path, error.status_code, shown(message), error.headers)

    app.add_exception_handler(InputError, refused)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(Exception, refused)
