import assert from "node:assert/strict";
import { test } from "node:test";
import { beginning, brief, cropped, isPiece, spoken, tint, visible } from "../../../src/pellucid/web/base/token-text.js";

test("whitespace is seen, and read aloud by name", () => {
  assert.equal(visible(" a\tb\n"), "·a→b↵");
  assert.equal(visible(""), "∅");
  assert.equal(spoken(" "), "space");
  assert.equal(spoken("\n"), "newline");
  assert.equal(spoken("  "), "spaces");
  assert.equal(spoken(" \n"), "newlines");
  assert.equal(spoken(" the"), "“·the”");
});

test("only what is a part of a character, or a reserved name, is no text", () => {
  for (const text of ["\\xe2", "\\xf0\\x9f", "<|endoftext|>", "<unk>", "[UNK]"]) assert.ok(isPiece(text), text);
  for (const text of ["a", " the", "<", "\\", "x", "[", "\n", "🙂"]) assert.ok(!isPiece(text), text);
});

test("long tokens are cut between characters", () => {
  assert.equal(brief("abcdefgh", 8), "abcdefgh");
  assert.equal(brief("🙂🙂🙂🙂", 3), "🙂🙂…");
});

test("what does not fit is at the front", () => {
  assert.equal(cropped(300, 128), 172);
  assert.equal(cropped(128, 128), 0);
});

test("a token's tint is its own", () => {
  for (let id = 0; id < 1000; id++) assert.match(tint(id), /^t[0-5]$/);
  assert.ok(new Set([0, 1, 2, 3, 4, 5, 6, 7].map(tint)).size > 2);
});

test("the first prompt begins and ends with whole words of the sample", () => {
  assert.equal(beginning("ut none:\nThe prisers all not and no you dupbot agnars, and bridy offert"), "The prisers all not and no you dupbot agnars");
  assert.equal(beginning("To be, or not."), "To be, or not");
  assert.equal(beginning("a\ufffd\u0007b"), "ab");
  assert.equal(beginning("\ufffd"), "");
  assert.equal(beginning("!!!"), "!!!");
  assert.equal(beginning("Line of a good length, this one.\n\nKING: No."), "Line of a good length, this one");
  assert.equal(beginning("To be.", true), "To be ");
  assert.equal(beginning("", true), "");
});
