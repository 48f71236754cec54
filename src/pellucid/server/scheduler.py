"""One thread decodes for everybody: requests join while others run, and leave when they end or are cancelled."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from typing import Any

from pellucid.errors import InputError
from pellucid.generation.conversation import SpeechCutter
from pellucid.generation.decoding import Decoding, Draft, FinishReason, Token
from pellucid.generation.engine import Engine
from pellucid.server.errors import Busy, log
from pellucid.server.limits import RUNNING, WAITING


@dataclasses.dataclass(frozen=True)
class Piece:
    """A token of a reply, and the text that it lets be shown, often "".

    Args:
        text: what can be shown since the piece before.
        finish_reason: of the last piece.
    """

    text: str
    token: Token
    finish_reason: FinishReason | None = None


class Ending(InputError):
    """The server stops."""


class Stream:
    """One request's reply, from the decoding thread to the event loop that made it.

    Iterate over it with `async for`; leaving the loop early, or `cancel`, stops the model at the next token.
    """

    def __init__(self, engine: Engine, draft: Draft, cutter: SpeechCutter | None) -> None:
        self.engine, self.draft, self.cutter = engine, draft, cutter
        self.loop = asyncio.get_running_loop()
        self.cancelled = False
        self._pieces: asyncio.Queue[Piece | Exception] = asyncio.Queue()  # no longer than its tokens

    def put(self, item: Piece | Exception) -> None:
        """Called in the event loop."""
        self._pieces.put_nowait(item)

    def cancel(self) -> None:
        self.cancelled = True

    async def pieces(self) -> AsyncGenerator[Piece]:
        """Every piece, the last with a finish reason.

        Raises:
            InputError: the model cannot go on.
        """
        try:
            while True:
                item = await self._pieces.get()
                if isinstance(item, Exception):
                    raise item
                yield item
                if item.finish_reason:
                    return
        finally:
            self.cancel()

    def take(self, token: Token) -> Piece:
        """What a new token means for whoever reads. Called in the decoding thread."""
        text, finish = token.text, self.draft.finish_reason
        if self.cutter is not None:
            text = self.cutter.push(text)
            if self.cutter.ended:
                finish = "stop"
            elif finish:
                text += self.cutter.flush()
        return Piece(text, token, finish)


class Streams:
    """The replies of one request, heard together."""

    def __init__(self, streams: Sequence[Stream]) -> None:
        self.streams = list(streams)

    def cancel(self) -> None:
        for stream in self.streams:
            stream.cancel()

    async def pieces(self) -> AsyncGenerator[tuple[int, Piece]]:
        """Every piece as it comes, with the number of its reply.

        Raises:
            InputError: the model cannot go on with one of them.
        """
        heard: asyncio.Queue[tuple[int, Piece | Exception]] = asyncio.Queue()
        hearers = [asyncio.ensure_future(_hear(i, each, heard)) for i, each in enumerate(self.streams)]
        n_ended = 0
        try:
            while n_ended < len(self.streams):
                index, item = await heard.get()
                if isinstance(item, Exception):
                    raise item
                n_ended += item.finish_reason is not None
                yield index, item
        finally:
            self.cancel()
            for hearer in hearers:
                hearer.cancel()
            await asyncio.gather(*hearers, return_exceptions=True)


async def _hear(index: int, stream: Stream, heard: asyncio.Queue[tuple[int, Piece | Exception]]) -> None:
    try:
        async for piece in stream.pieces():
            heard.put_nowait((index, piece))
    except Exception as error:
        heard.put_nowait((index, error))


class Scheduler:
    """Continuous batching: one decoding a model, a step of each in turn, while there is anything to write.

    Args:
        most_running: replies written at once, of all models together.
        most_waiting: that wait for a place.
    """

    def __init__(self, most_running: int = RUNNING, most_waiting: int = WAITING) -> None:
        self.most_running, self.most_waiting = most_running, most_waiting
        self._waiting: deque[Stream] = deque()
        self._running: dict[Draft, Stream] = {}  # changed by the thread alone
        self._decodings: dict[Engine, Decoding] = {}  # the same
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="decoding", daemon=True)
        self._thread.start()

    def submit(self, engine: Engine, draft: Draft, cutter: SpeechCutter | None = None) -> Stream:
        """Let `draft` be written as soon as there is a place. Called in an event loop.

        Args:
            engine: its model must be in evaluation mode.
            cutter: ends the reply with the speech; None writes on to the draft's own end.

        Raises:
            Busy: as many wait as may wait.
        """
        return self.submit_all(engine, [draft], [cutter]).streams[0]

    def submit_all(
        self, engine: Engine, drafts: Sequence[Draft], cutters: Sequence[SpeechCutter | None] | None = None
    ) -> Streams:
        """The same for the drafts of one request: all of them, or none.

        Raises:
            Busy: there are not so many places.
        """
        streams = [
            Stream(engine, *pair) for pair in zip(drafts, cutters or [None] * len(drafts), strict=True)
        ]
        with self._changed:
            if self._closed:
                raise Busy("the server is stopping")
            self._waiting = deque(other for other in self._waiting if not other.cancelled)
            n_places = self.most_running + self.most_waiting - len(self._waiting) - len(self._running)
            if len(streams) > n_places:
                raise Busy(
                    f"{self.most_running} replies are being written and {self.most_waiting} wait: try again soon"
                )
            self._waiting += streams
            self._changed.notify()
        return Streams(streams)

    @property
    def n_running(self) -> int:
        return len(self._running)

    @property
    def n_waiting(self) -> int:
        return len(self._waiting)

    def close(self) -> None:
        """Stop at the next token; whoever still waits is told. May be called again."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    # ------------------------------------------------------------------ in the thread

    def _work(self) -> None:
        while (outgoing := self._admit()) is not None:
            for engine, decoding in list(self._decodings.items()):
                outgoing += self._step(engine, decoding)
            self._deliver(outgoing)
        ending = Ending("the server is stopping")
        self._deliver([(stream, ending) for stream in (*self._running.values(), *self._waiting)])
        self._running.clear()
        self._decodings.clear()

    def _admit(self) -> list[tuple[Stream, Piece | Exception]] | None:
        """Wait until there is something to write, and let in whoever has a place.

        Returns:
            Those that could not be let in, and why; None when the server stops.
        """
        with self._changed:
            while not (self._closed or self._waiting or self._running):
                self._changed.wait()
            if self._closed:
                return None
            admitted: list[Stream] = []
            while self._waiting and len(self._running) < self.most_running:
                stream = self._waiting.popleft()
                if not stream.cancelled:
                    self._running[stream.draft] = stream
                    admitted.append(stream)
        refused: list[tuple[Stream, Piece | Exception]] = []
        for stream in admitted:
            try:
                if stream.engine not in self._decodings:
                    self._decodings[stream.engine] = stream.engine.decoding()
                self._decodings[stream.engine].join([stream.draft])
            except Exception as error:  # as when memory runs out: the others go on
                del self._running[stream.draft]
                refused.append((stream, error))
        return refused

    def _step(self, engine: Engine, decoding: Decoding) -> list[tuple[Stream, Piece | Exception]]:
        """One token for every reply that this model writes; what goes wrong, goes wrong for those alone."""
        outgoing: list[tuple[Stream, Piece | Exception]] = []
        drafts = list(decoding.drafts)
        try:
            self._leave(decoding, {draft for draft in drafts if self._running[draft].cancelled})
            for draft, token in decoding.step():
                outgoing.append((self._running[draft], self._running[draft].take(token)))
            outgoing += [(self._running[draft], draft.problem) for draft in drafts if draft.problem]
        except Exception as error:  # whatever it is, nobody must wait for ever
            outgoing = [(self._running[draft], error) for draft in drafts if draft in self._running]
            decoding.drafts.clear()
        self._leave(decoding, {stream.draft for stream, item in outgoing if _is_last(item)})
        if not decoding.drafts:
            del self._decodings[engine]  # and with it its cache
        return outgoing

    def _leave(self, decoding: Decoding, drafts: set[Draft]) -> None:
        decoding.drop(drafts)
        for draft in drafts:
            self._running.pop(draft, None)

    def _deliver(self, items: list[tuple[Stream, Any]]) -> None:
        """Hand pieces to the event loops that wait for them, all of a loop at once."""
        loops: dict[asyncio.AbstractEventLoop, list[tuple[Stream, Any]]] = {}
        for stream, item in items:
            loops.setdefault(stream.loop, []).append((stream, item))
        for loop, own in loops.items():
            try:
                loop.call_soon_threadsafe(_put_all, own)
            except RuntimeError:  # that loop is closed: nobody reads any more
                log.debug("a reply has lost its reader")
                for stream, _ in own:
                    stream.cancel()


def _is_last(item: Piece | Exception) -> bool:
    return isinstance(item, Exception) or item.finish_reason is not None


def _put_all(items: list[tuple[Stream, Piece | Exception]]) -> None:
    for stream, item in items:
        stream.put(item)
