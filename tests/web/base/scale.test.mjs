import assert from "node:assert/strict";
import { test } from "node:test";
import { bytes, colourScale, exact, inkOn, linear, percent, short, significant, signed, symmetric, ticks } from "../../../src/pellucid/web/base/scale.js";

const lightness = ([r, g, b]) => 0.2126 * (r / 255) ** 2.2 + 0.7152 * (g / 255) ** 2.2 + 0.0722 * (b / 255) ** 2.2;

test("the sequential scales change lightness in one direction only", () => {
  for (const theme of ["light", "dark"]) {
    const scale = colourScale({ kind: "sequential", domain: [0, 1], theme });
    const levels = Array.from({ length: 65 }, (_, i) => lightness(scale.rgb(i / 64)));
    const direction = Math.sign(levels[64] - levels[0]);
    levels.slice(1).forEach((level, i) => assert.ok((level - levels[i]) * direction >= 0, `${theme} ${i}`));
  }
});

test("the diverging scales are neutral at zero and differ in lightness from it on both sides", () => {
  for (const theme of ["light", "dark"]) {
    const scale = colourScale({ kind: "diverging", domain: [-2, 2], theme });
    const nothing = colourScale({ kind: "sequential", domain: [0, 1], theme }).rgb(0);
    scale.rgb(0).forEach((part, i) => assert.ok(Math.abs(part - nothing[i]) <= 3));
    for (const side of [-2, 2]) assert.ok(Math.abs(lightness(scale.rgb(side)) - lightness(scale.rgb(0))) > 0.25, theme);
  }
});

test("domains are fixed: what lies outside gets the colour of the end", () => {
  const scale = colourScale({ kind: "sequential", domain: [0, 1], theme: "light", shape: "root" });
  assert.deepEqual(scale.rgb(2), scale.rgb(1));
  assert.deepEqual(scale.rgb(-1), scale.rgb(0));
  assert.equal(scale.share(0.25), 0.5);
  const counts = colourScale({ kind: "sequential", domain: [0, 999], theme: "light", shape: "log" });
  assert.equal(counts.share(0), 0);
  assert.equal(counts.share(999), 1);
  assert.ok(Math.abs(counts.share(Math.sqrt(1000) - 1) - 0.5) < 1e-12);
});

test("a share of the colours leads back to its number", () => {
  for (const shape of ["linear", "root", "log"]) {
    const scale = colourScale({ kind: "sequential", domain: [0, 1000], theme: "dark", shape });
    for (const value of [0.5, 20, 700]) assert.ok(Math.abs(scale.invert(scale.share(value)) - value) < 1e-6 * value);
  }
});

test("ink is read on its ground", () => {
  assert.equal(inkOn([255, 255, 255]), "dark");
  assert.equal(inkOn([10, 40, 60]), "light");
});

test("round numbers and straight scales", () => {
  assert.deepEqual(ticks([0, 1]), [0, 0.2, 0.4, 0.6, 0.8, 1]);
  assert.deepEqual(ticks([1.13, 4.4], 3), [2, 4]);
  assert.deepEqual(ticks([3, 3]), [3]);
  assert.deepEqual(symmetric([0.3, -1.7]), [-2, 2]);
  assert.deepEqual(symmetric([]), [-1, 1]);
  assert.equal(linear([0, 10], [100, 0])(2.5), 75);
});

test("numbers as people read them, and exact ones read back as the same float32", () => {
  assert.deepEqual([short(1234), short(813_440), short(999_999), short(12)], ["1.23k", "813k", "1M", "12"]);
  assert.deepEqual([bytes(12), bytes(1500), bytes(2.5e6)], ["12 bytes", "1.5 kB", "2.5 MB"]);
  assert.deepEqual([percent(0), percent(0.1234), percent(1e-7), percent(1)], ["0%", "12.3%", "<0.001%", "100%"]);
  assert.deepEqual([signed(-0.02), signed(0.5, 1)], ["−0.020", "+0.5"]);
  assert.deepEqual([significant(-Infinity), significant(0.000123456), significant(1e-9)], ["−∞", "0.000123", "1.00e−9"]);
  for (const x of [0.1, 1 / 3, 1e-30, -7.25]) assert.equal(Math.fround(Number(exact(Math.fround(x)))), Math.fround(x));
});
