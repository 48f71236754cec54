import assert from "node:assert/strict";
import { test } from "node:test";
import { EventReader } from "../../../src/pellucid/web/base/sse.js";

const STREAM =
  ": hello\n\nid: 7\nevent: step\ndata: {\"a\": \"é🙂\"}\n\nretry: 250\r\ndata: one\r\ndata:two\r\n\r\ndata\n\nid: 8\n\nevent: gone\n\ndata: last\r\rdata: cut off";
const EVENTS = [
  { event: "step", data: '{"a": "é🙂"}', id: "7" },
  { event: "message", data: "one\ntwo", id: "7" },
  { event: "message", data: "", id: "7" },
  { event: "message", data: "last", id: "8" },
];
const bytes = new TextEncoder().encode(STREAM);

test("cut at any byte, the events are the same", () => {
  for (let cut = 0; cut <= bytes.length; cut++) {
    const reader = new EventReader();
    const events = [...reader.push(bytes.slice(0, cut)), ...reader.push(bytes.slice(cut))];
    assert.deepEqual(events, EVENTS, `cut at ${cut}`);
    assert.equal(reader.retry, 250);
  }
});

test("cut at every byte, the events are the same", () => {
  const reader = new EventReader();
  const events = [...bytes].flatMap((byte) => reader.push(Uint8Array.of(byte)));
  assert.deepEqual(events, EVENTS);
});
