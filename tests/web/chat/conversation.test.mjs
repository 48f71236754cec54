import assert from "node:assert/strict";
import { test } from "node:test";
import { append, asked, branch, edit, goOn, regenerate, send, shown, spans, surpriseLevel } from "../../../src/pellucid/web/chat/conversation.js";

const token = (text, delta = text, id = text.codePointAt(0)) => ({ id, text, bits: 1, rank: 1, delta });
const reply = (text) => ({ role: "assistant", content: text, tokens: [...text].map((each) => token(each)), finish_reason: "stop" });
const CHAT = [{ role: "user", content: "one" }, reply("abc"), { role: "user", content: "two" }, reply("def")];
const frozen = (messages) => Object.freeze(messages.map((message) => Object.freeze({ ...message })));

test("what is sent is the message, all before it as history, and no tokens yet", () => {
  assert.deepEqual(asked(send(frozen(CHAT), "three")), {
    message: "three",
    history: [
      { role: "user", content: "one" }, { role: "assistant", content: "abc" },
      { role: "user", content: "two" }, { role: "assistant", content: "def" },
    ],
    reply_ids: [],
  });
});

test("editing a message drops what followed it", () => {
  const edited = edit(frozen(CHAT), 2, "changed");
  assert.equal(edited.length, 4);
  assert.deepEqual(asked(edited), { message: "changed", history: [{ role: "user", content: "one" }, { role: "assistant", content: "abc" }], reply_ids: [] });
  assert.deepEqual(asked(edit(CHAT, 0, "first")), { message: "first", history: [], reply_ids: [] });
});

test("regenerating asks the same again, and drops what followed", () => {
  assert.deepEqual(asked(regenerate(frozen(CHAT), 1)), { message: "one", history: [], reply_ids: [] });
  assert.equal(regenerate(CHAT, 3).length, 4);
});

test("a branch keeps the tokens before the one that was chosen, and its text up to there", () => {
  const branched = branch(frozen(CHAT), 3, 1, token("X"));
  assert.equal(branched.at(-1).content, "dX");
  assert.deepEqual(asked(branched).reply_ids, ["d", "X"].map((each) => each.codePointAt(0)));
  assert.equal(asked(branched).message, "two");
  assert.equal(branch(CHAT, 1, 0, token("Y")).length, 2, "what followed an earlier reply is gone");
  assert.equal(CHAT[3].content, "def", "the chat itself is as it was");
});

test("going on keeps all tokens", () => {
  const cut = [...CHAT.slice(0, 3), { ...reply("de"), finish_reason: "length" }];
  assert.deepEqual(asked(goOn(cut)).reply_ids, [100, 101]);
  assert.equal(goOn(cut).at(-1).finish_reason, null);
});

test("a beginning that is told again does not flicker", () => {
  const beginning = { ...reply("abc") };
  let told = { role: "assistant", content: "", tokens: [] };
  for (const letter of "abcd") {
    told = append(told, { delta: letter, token: token(letter) });
    assert.equal(shown(beginning, told).content, told.content.length < 3 ? "abc" : told.content);
  }
  assert.equal(shown(beginning, { role: "assistant", content: "a whole answer without tokens", tokens: [] }).content, "a whole answer without tokens");
});

test("pieces with and without tokens are appended", () => {
  const first = append({ role: "assistant", content: "" }, { delta: "a" });
  assert.deepEqual([first.content, first.tokens], ["a", undefined]);
  const next = append({ role: "assistant", content: "a", tokens: [] }, { token: { id: 1, text: "\\xf0", bits: 2, rank: 3 } });
  assert.deepEqual(next.tokens, [{ id: 1, text: "\\xf0", bits: 2, rank: 3, delta: "" }]);
});

const texts = (tokens) => spans(tokens).map(({ text, first, last }) => [text, first, last]);

test("tokens that write part of a character stand together with the one that completes it", () => {
  const tokens = [token("a"), token("\\xf0\\x9f", ""), token("\\x99\\x82", "🙂"), token("b")];
  assert.deepEqual(texts(tokens), [["a", 0, 0], ["🙂", 1, 2], ["b", 3, 3]]);
});

test("joined characters are never torn", () => {
  const family = ["👩", "\u200d", "👩", "\u200d", "👧"].map((each) => token(each));
  assert.deepEqual(texts([token("x"), ...family, token("y")]), [["x", 0, 0], ["👩‍👩‍👧", 1, 5], ["y", 6, 6]]);
  assert.deepEqual(texts([token("e"), token("\u0301")]), [["e\u0301", 0, 1]]);
});

test("text that was held back is shared out to the tokens that wrote it", () => {
  assert.deepEqual(texts([token("a"), token("\n", ""), token("Y", ""), token("b", "\nYb")]), [["a", 0, 0], ["\n", 1, 1], ["Y", 2, 2], ["b", 3, 3]]);
});

test("blank lines before a speech write nothing, nor does what ended it", () => {
  assert.deepEqual(texts([token("\n", ""), token(" A", "A"), token("b"), token("\n", ""), token("\n", "")]), [["A", 0, 1], ["b", 2, 2]]);
  assert.deepEqual(texts([]), []);
});

test("all spans together are the reply, whatever is cut where", () => {
  const content = "Ein 👩‍👩‍👧 é\nZeile 🙂";
  const tokens = [...content].map((each, n) => token(each, n % 3 === 2 ? [...content].slice(n - 2, n + 1).join("") : ""));
  tokens[tokens.length - 1].delta ||= [...content].slice(-(tokens.length % 3)).join("");
  const whole = tokens.map((each) => each.delta).join("");
  assert.equal(spans(tokens).map(({ text }) => text).join(""), whole);
});

test("surprise has six levels", () => {
  assert.deepEqual([0, 0.99, 1, 3, 4, 9.9, 10, 99].map(surpriseLevel), [0, 0, 1, 2, 3, 4, 5, 5]);
});
