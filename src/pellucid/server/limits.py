"""How much one request may be, and where the server is: every number in one place."""

from __future__ import annotations

PORT = 7860

PROMPT_CHARACTERS = 100_000  # of one message or prompt
TURNS = 1_000  # of a history
MAX_TOKENS = 4_096  # of one reply
REPLIES = 32  # of one request: its prompts, times the replies to each
NAME = 200  # characters of a run's, a speaker's or a file's name

BODY_BYTES = 4 << 20  # of a request
CHAT_BYTES = 32 << 20  # of a kept chat, which says much of every token
UPLOAD_BYTES = 1 << 30  # of one upload's files together
UPLOAD_FILES = 10_000
HEADER_BYTES = 16 << 10  # all headers together
ADDRESS_BYTES = 8 << 10  # path and query

RUNNING = 32  # replies that are written at once
WAITING = 64  # that wait for a place; more are sent away
LOADED_MODELS = 4
LOADED_BYTES = 4 << 30  # of weights; the one in use stays whatever its size
LOOKING = 2  # views that are computed at once
LOOKING_OR_WAITING = 16
