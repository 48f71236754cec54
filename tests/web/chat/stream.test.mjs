import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiError } from "../../../src/pellucid/web/base/api.js";
import { askReply } from "../../../src/pellucid/web/chat/stream.js";
import { EventReader } from "../../../src/pellucid/web/base/sse.js";

/** Calls as api.js makes them, answered from `streams` and `answers`; what was asked is written down. */
function server({ stream, plain }) {
  const asked = [];
  return {
    asked,
    async *events(path, ask) {
      asked.push([path, ask.body]);
      yield* stream();
    },
    async json(path, ask) {
      asked.push([path, ask.body]);
      return plain();
    },
  };
}

const event = (said) => ({ event: "message", id: "", data: JSON.stringify(said) });

/** Ask, and collect all that is heard. */
async function ask(calls, signal = new AbortController().signal) {
  const heard = { pieces: [], notes: [] };
  const work = askReply({ message: "hi", tokens: true }, {
    ...calls, signal, onPiece: (piece) => heard.pieces.push(piece), onNotes: (notes) => heard.notes.push(...notes),
  });
  return { heard, work };
}

test("a streamed reply is heard piece by piece, and says why it ended", async () => {
  const token = { id: 3, text: "b", bits: 1.5, rank: 2 };
  const calls = server({
    *stream() {
      yield event({ notes: ["cropped"] });
      yield event({ delta: "a" });
      yield event({ delta: "", token });
      yield event({ done: true, finish_reason: "length", notes: [] });
      yield event({ delta: "never heard" });
    },
  });
  const { heard, work } = await ask(calls);
  assert.equal(await work, "length");
  assert.deepEqual(heard, { pieces: [{ delta: "a", token: undefined }, { delta: "", token }], notes: ["cropped"] });
  assert.deepEqual(calls.asked.map(([path]) => path), ["/api/chat/stream"]);
});

test("a server whose stream answers 404 is asked by the plain call, with the same words", async () => {
  const calls = server({
    *stream() {
      throw new ApiError("Not Found", "not_found", 404);
    },
    plain: () => ({ reply: "whole 🙂", finish_reason: "stop", notes: ["n"] }),
  });
  const { heard, work } = await ask(calls);
  assert.equal(await work, "stop");
  assert.deepEqual(heard, { pieces: [{ delta: "whole 🙂" }], notes: ["n"] });
  assert.deepEqual(calls.asked, [["/api/chat/stream", { message: "hi", tokens: true }], ["/api/chat", { message: "hi", tokens: false }]]);
});

test("where the plain call answers 404 too, what it says is the error", async () => {
  const gone = () => {
    throw new ApiError("there is no run called x", "not_found", 404);
  };
  const { work } = await ask(server({ stream: gone, plain: gone }));
  await assert.rejects(work, { message: "there is no run called x", status: 404 });
});

for (const status of [0, 400, 429, 500]) {
  test(`a stream refused with ${status} is not asked again`, async () => {
    const calls = server({
      *stream() {
        throw new ApiError("refused", "busy", status, 3);
      },
      plain: () => assert.fail("the plain call was made"),
    });
    const { work } = await ask(calls);
    await assert.rejects(work, { message: "refused", status, retryAfter: 3 });
  });
}

test("an error in the middle is told in the server's words, and what came before is kept", async () => {
  const { heard, work } = await ask(server({
    *stream() {
      yield event({ delta: "so far" });
      yield event({ error: { message: "the run was deleted", type: "not_found" } });
    },
  }));
  await assert.rejects(work, { message: "the run was deleted" });
  assert.equal(heard.pieces.length, 1);
});

for (const [how, fault] of [["ends", null], ["fails", new TypeError("network error")]]) {
  test(`a stream that ${how} before its end is a broken connection`, async () => {
    const { work } = await ask(server({
      *stream() {
        yield event({ delta: "so far" });
        if (fault) throw fault;
      },
    }));
    await assert.rejects(work, { type: "broken", message: /before the reply was complete/ });
  });
}

test("what is stopped raises what fetch raises, and no plain call follows", async () => {
  const control = new AbortController();
  const calls = server({
    *stream() {
      yield event({ delta: "a" });
      control.abort();
      throw new DOMException("stopped", "AbortError");
    },
    plain: () => assert.fail("the plain call was made"),
  });
  const { work } = await ask(calls, control.signal);
  await assert.rejects(work, { name: "AbortError" });
});

test("an emoji arrives whole, wherever the network cuts the stream", async () => {
  const bytes = new TextEncoder().encode('data: {"delta": "a👩‍👩‍👧é"}\n\ndata: {"done": true, "finish_reason": "stop"}\n\n');
  for (let cut = 0; cut <= bytes.length; cut++) {
    const { heard, work } = await ask(server({
      *stream() {
        const reader = new EventReader();
        yield* reader.push(bytes.slice(0, cut));
        yield* reader.push(bytes.slice(cut));
      },
    }));
    assert.equal(await work, "stop");
    assert.equal(heard.pieces.map((piece) => piece.delta).join(""), "a👩‍👩‍👧é");
  }
});
