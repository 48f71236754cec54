import assert from "node:assert/strict";
import { test } from "node:test";
import { pooled } from "../../../src/pellucid/web/parts/cells.js";

test("a pooled cell is the greatest of those that count, and is hidden where none does", () => {
  const values = Float32Array.from([1, 9, 9, 2, 3, 9, 4, 5, 6]);
  const causal = (row, column) => column > row;
  const { rows, columns, values: greatest, hidden } = pooled({ rows: 3, columns: 3, values, hidden: causal }, 2);
  assert.deepEqual([rows, columns], [2, 2]);
  assert.deepEqual([greatest[0], greatest[2], greatest[3]], [3, 5, 6]);
  assert.deepEqual([hidden(0, 0), hidden(0, 1), hidden(1, 0), hidden(1, 1)], [false, true, false, false]);
});

test("one by one is the matrix itself", () => {
  const matrix = { rows: 1, columns: 1, values: [1] };
  assert.equal(pooled(matrix, 1), matrix);
});
