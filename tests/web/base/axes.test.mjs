import assert from "node:assert/strict";
import { test } from "node:test";
import { duration, makeAxis, marks, place, valueAt } from "../../../src/pellucid/web/base/axes.js";
import { extent, nearest, smooth, thin } from "../../../src/pellucid/web/base/series.js";

for (const kind of ["linear", "log"]) {
  test(`a ${kind} axis places its ends at its ends, and values come back`, () => {
    const axis = makeAxis(kind, 2, 5000, 40, 640);
    assert.equal(place(axis, 2), 40);
    assert.equal(place(axis, 5000), 640);
    for (const value of [2, 3.7, 100, 4999]) assert.ok(Math.abs(valueAt(axis, place(axis, value)) - value) < 1e-9 * value);
  });
}

test("the middle of a logarithmic axis is the geometric mean", () => {
  assert.ok(Math.abs(place(makeAxis("log", 1, 10000, 0, 100), 100) - 50) < 1e-9);
});

test("axes may run upwards, and empty or single ranges have room", () => {
  assert.ok(place(makeAxis("linear", 0, 1, 100, 0), 0.75) === 25);
  for (const kind of ["linear", "log"]) {
    for (const [low, high] of [[3, 3], [NaN, NaN], [0, 0], [-1, -1]]) {
      const axis = makeAxis(kind, low, high, 0, 100);
      assert.ok(axis.high > axis.low, `${kind} ${low}`);
      assert.ok(Number.isFinite(place(axis, low || 0)));
    }
  }
});

test("a logarithmic axis keeps what is not above zero at its beginning", () => {
  const axis = makeAxis("log", 0, 1000, 10, 110);
  assert.equal(place(axis, 0), 10);
  assert.equal(place(axis, -5), 10);
});

test("marks lie on the axis, are round, and are about as many as asked", () => {
  for (const [kind, low, high] of [["linear", 0, 546751], ["linear", 1.42, 4.28], ["linear", 0, 0.003], ["log", 1, 546751], ["log", 1.42, 4.28], ["log", 1e-6, 3e-3], ["log", 900, 1100]]) {
    const axis = makeAxis(kind, low, high, 0, 500);
    const found = marks(axis, 6);
    assert.ok(found.length >= 3 && found.length <= 13, `${kind} ${low}–${high}: ${found}`);
    assert.ok(found.every((mark) => mark >= low * 0.999 && mark <= high * 1.001));
    assert.deepEqual([...found].sort((a, b) => a - b), found);
    assert.ok(found.every((mark) => String(mark).replace(/^0\.0*|e.*|\.|0+$/g, "").length <= 4), String(found));
  }
});

test("a clock", () => {
  assert.deepEqual([0, 0.5, 2.04, 59.4, 60, 185, 3600, 7830].map(duration), ["0 s", "0.5 s", "2 s", "59 s", "1 min", "3 min 5 s", "1 h", "2 h 10 min"]);
});

test("thinning keeps both ends, every extreme and the order, and bounds the number", () => {
  const points = Array.from({ length: 10_000 }, (_, x) => ({ x, y: Math.sin(x / 7) }));
  points[4321].y = 50; // one spike
  points[8765].y = -50;
  const thinned = thin(points, 200);
  assert.ok(thinned.length <= 4 * 201);
  assert.equal(thinned[0], points[0]);
  assert.equal(thinned.at(-1), points.at(-1));
  assert.ok(thinned.includes(points[4321]) && thinned.includes(points[8765]));
  assert.ok(thinned.every((point, n) => n === 0 || point.x > thinned[n - 1].x));
  for (let start = 0; start < 10_000; start += 50) {
    const [all, kept] = [points, thinned].map((list) => extent(list.filter((p) => p.x >= start && p.x < start + 50).map((p) => p.y)));
    assert.ok(Math.abs(all[1] - kept[1]) < 0.8 && Math.abs(all[0] - kept[0]) < 0.8);
  }
});

test("few points stay as they are; equal places do no harm", () => {
  const few = [{ x: 0, y: 1 }, { x: 1, y: 2 }];
  assert.equal(thin(few, 10), few);
  const same = Array.from({ length: 100 }, (_, y) => ({ x: 5, y }));
  assert.deepEqual(thin(same, 2).map((point) => point.y), [0, 99]);
});

test("along a logarithmic axis, buckets are equal in logarithms", () => {
  const points = Array.from({ length: 10_000 }, (_, n) => ({ x: n + 1, y: n % 2 }));
  const early = (list) => list.filter((point) => point.x <= 100).length;
  assert.ok(early(thin(points, 100, Math.log)) > 4 * early(thin(points, 100)));
});

test("smoothing starts at the first value, leaves a constant alone and tends to a step's height", () => {
  const line = Array.from({ length: 200 }, (_, x) => ({ x, y: x < 100 ? 4 : 2 }));
  const smoothed = smooth(line, 0.9);
  assert.ok(smoothed.slice(0, 100).every((point) => Math.abs(point.y - 4) < 1e-12));
  assert.ok(smoothed[105].y < 4 && smoothed[105].y > 2);
  assert.ok(Math.abs(smoothed[199].y - 2) < 1e-3);
  assert.deepEqual(smooth(line, 0), line);
  assert.equal(smooth([{ x: 3, y: 1, step: 7 }], 0.5)[0].step, 7, "a smoothed point is still that step's");
});

test("the nearest point is found by halves", () => {
  const points = [1, 2, 4, 8].map((x) => ({ x }));
  assert.deepEqual([-5, 1.4, 1.6, 3.1, 7, 99].map((x) => nearest(points, x)), [0, 0, 1, 2, 3, 3]);
  assert.equal(nearest([], 3), -1);
  assert.equal(nearest([{ x: 7 }], 0), 0);
});

test("the extent of nothing is no number", () => {
  assert.deepEqual(extent([]), [NaN, NaN]);
  assert.deepEqual(extent([3, -1, NaN, 2]), [-1, 3]);
});
