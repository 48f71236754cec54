import assert from "node:assert/strict";
import { test } from "node:test";
import { kOfPlace, nextK, placeOfK } from "../../../src/pellucid/web/parts/sliders.js";

test("every k of a small vocabulary has its place, and the end is all", () => {
  for (let k = 1; k < 65; k++) assert.equal(kOfPlace(placeOfK(k, 65), 65), k);
  assert.equal(kOfPlace(1, 65), 0);
  assert.equal(placeOfK(0, 65), 1);
  assert.equal(placeOfK(99, 65), 1);
});

test("in a large vocabulary small k have most of the room", () => {
  for (const k of [1, 2, 25, 1000, 50_000]) assert.equal(kOfPlace(placeOfK(k, 50_257), 50_257), k);
  assert.ok(placeOfK(25, 50_257) > 0.25);
});

test("the arrow keys reach every small k and the whole vocabulary", () => {
  for (const vocabulary of [65, 50_257]) {
    let k = 1;
    const seen = new Set([k]);
    for (let i = 0; i < 1000 && k !== 0; i++) seen.add((k = nextK(k, true, vocabulary)));
    assert.equal(k, 0);
    for (let small = 1; small <= 20; small++) assert.ok(seen.has(small));
    for (let i = 0; i < 1000 && k !== 1; i++) k = nextK(k, false, vocabulary);
    assert.equal(k, 1);
    assert.equal(nextK(1, false, vocabulary), 1);
    assert.equal(nextK(0, true, vocabulary), 0);
  }
});
