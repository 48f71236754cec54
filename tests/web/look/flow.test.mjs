import assert from "node:assert/strict";
import { test } from "node:test";
import { inBlocks } from "../../../src/pellucid/web/look/flow.js";

test("rows are cut where a block begins or ends, in their order", () => {
  const names = ["embedding", "blocks.0.attention.qkv", "blocks.0.feedforward.up", "blocks.1.attention.qkv", "blocks.10.x", "norm", "head"];
  const groups = inBlocks(names.map((name) => ({ name })));
  assert.deepEqual(groups.map((group) => group.block), ["", "blocks.0", "blocks.1", "blocks.10", ""]);
  assert.deepEqual(groups.flatMap((group) => group.rows.map((row) => row.name)), names);
});
