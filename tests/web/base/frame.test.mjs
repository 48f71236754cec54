import assert from "node:assert/strict";
import { test } from "node:test";
import { readFrame } from "../../../src/pellucid/web/base/frame.js";

/** A frame as the contract has it, written out byte by byte. */
function frame(header, body) {
  const text = new TextEncoder().encode(JSON.stringify(header));
  const start = Math.ceil((4 + text.length) / 8) * 8;
  const buffer = new ArrayBuffer(start + body.length);
  new DataView(buffer).setUint32(0, text.length, true);
  new Uint8Array(buffer).set(text, 4);
  new Uint8Array(buffer).set(body, start);
  return buffer;
}

const HEADER = {
  note: "é",
  arrays: [
    { name: "weights", dtype: "float32", shape: [1, 2], offset: 0 },
    { name: "visible", dtype: "uint8", shape: [3], offset: 8 },
  ],
};
const BODY = [...new Uint8Array(new Float32Array([0.1, -2]).buffer), 1, 0, 1];

test("header and arrays are read, whatever the header's length leaves to pad", () => {
  for (let pad = 0; pad < 9; pad++) {
    const { header, arrays } = readFrame(frame({ ...HEADER, pad: "x".repeat(pad) }, BODY));
    assert.equal(header.note, "é");
    assert.deepEqual(arrays.weights.shape, [1, 2]);
    assert.deepEqual([...arrays.weights.data], [Math.fround(0.1), -2]);
    assert.deepEqual([...arrays.visible.data], [1, 0, 1]);
  }
});

test("what is cut short or unknown is refused", () => {
  const whole = frame(HEADER, BODY);
  assert.throws(() => readFrame(whole.slice(0, 3)), /shorter/);
  assert.throws(() => readFrame(whole.slice(0, 20)), /header/);
  assert.throws(() => readFrame(whole.slice(0, whole.byteLength - 1)), /visible/);
  assert.throws(() => readFrame(frame({ arrays: [{ name: "a", dtype: "int64", shape: [1], offset: 0 }] }, BODY)), /int64/);
});
