import assert from "node:assert/strict";
import { test } from "node:test";
import { forecastText, foundRows, modelText, planRows, withCode } from "../../../src/pellucid/web/train/report.js";

/** What `pellucid preview --json` prints, in the parts that are told. */
const PREVIEW = {
  name: "novel", n_files: 2, n_documents: 2, n_characters: 12345, n_bytes: 12400, n_words: 2000,
  shortest_document: 45, longest_document: 12300, n_symbols: 61, rarest: [["$", 1], ["ß", 2], ["\u2028", 3]],
  damage: [], scripts: { Latin: 0.9995, Greek: 0.0005 }, languages: { English: 0.8, German: 0.2 },
  repeated_documents: 0, repeated_paragraphs: 0.0402, beginning: ["It was", ""], unreadable: [], notes: [],
  split: { rule: "the last 0.1 of each document", dev_rule: "the last 0.05 of each document", characters: { train: 10000, dev: 1000, validation: 1345 } },
  tokenizer: { kind: "char", symbols: 61, reserved: 7, reason: "characters, 61 symbols", pieces: ["I", "t"] },
  tokens: { train: 10001, dev: 1001, validation: 1346 }, unknown: 0,
  model: { architecture: "transformer", parameters: 820_000 + 2 * 7 * 128, d_model: 128, n_layers: 4, n_heads: 4, context_length: 128, tie_embeddings: false, feedforward: "dense" },
  training: {}, reasons: ["size: because of 2 minutes"], machine: { device: "cpu", precision: "float32", threads: 1, memory: 24e9 },
  forecast: { seconds_per_step: 0.1196, steps: 1003, tokens: 1027072, epochs: 102.7, memory: 78534656, seconds: 119.9, ability: "letters" },
};
const row = (rows, id) => rows.find((each) => each.id === id);

test("what was found is told with its numbers", () => {
  const rows = foundRows(PREVIEW);
  assert.deepEqual(row(rows, "found").lines, ["2 files, 2 documents, 12,345 characters (12.4 kB), about 2,000 words", "documents of 45 to 12,300 characters"]);
  assert.match(row(rows, "alphabet").lines[0], /^61 different characters; the rarest: \$ 1×, ß \(U\+00DF\) 2×, U\+2028 3×$/);
  assert.equal(row(rows, "languages").lines[0], "English 80%, German 20%; letters: Latin 100%");
  assert.match(row(rows, "repeated").lines[0], /4\.02% paragraphs/);
  for (const id of ["damage", "unreadable", "notes"]) assert.equal(row(rows, id), undefined);
});

test("what is wrong is a warning, and many files are not all named", () => {
  const rows = foundRows({ ...PREVIEW, damage: [["\ufffd", 3]], unreadable: Array.from({ length: 25 }, (_, n) => [`${n}.bin`, "not text"]), languages: null, repeated_paragraphs: 0 });
  assert.ok(row(rows, "damage").warning && row(rows, "unreadable").warning);
  assert.equal(row(rows, "unreadable").lines.length, 21);
  assert.equal(row(rows, "unreadable").lines.at(-1), "and 5 more");
  assert.match(row(rows, "languages").lines[0], /pellucid\[languages\]/);
  assert.match(row(rows, "repeated").lines[0], /hardly/);
});

test("what would be trained says how the text is used, and warns of unknown characters", () => {
  const rows = planRows({ ...PREVIEW, unknown: 1 });
  assert.match(row(rows, "split").lines[0], /10,000 .* 1,000 .* 1,345/);
  assert.deepEqual(row(rows, "tokenizer").lines.slice(1), ["10,001 tokens to learn from", "1 character is unknown to the tokenizer and becomes one unknown token"]);
  assert.match(row(rows, "model").lines[0], /transformer of 820,000 parameters: 4 layers, 4 heads, 128 channels, sees 128 tokens/);
  assert.match(row(rows, "memory").lines[0], /78\.5 MB of 24 GB/);
});

test("the forecast is two sentences", () => {
  assert.deepEqual(forecastText(PREVIEW), [
    "About 2 min: 1,003 steps of 120 ms, 1,027,072 tokens, 103 times through the text.",
    "A model that has read so much writes letters.",
  ]);
});

test("experts and bigrams are told as what they are", () => {
  assert.match(modelText({ ...PREVIEW.model, feedforward: "experts", n_experts: 8, experts_per_token: 3 }), /8 experts of which a token meets 3/);
  assert.equal(modelText({ architecture: "bigram", parameters: 5184, d_model: 1 }, 7), "a table of pairs, 5,184 parameters");
});

test("a character that says little has its code point beside it", () => {
  assert.deepEqual(["a", "\u00a0", "\n", "é", "ab"].map(withCode), ["a", "U+00A0", "U+000A", "é (U+00E9)", "ab"]);
});
