import assert from "node:assert/strict";
import { test } from "node:test";

const { askedAs, chatRows, outlookText, tooFewText } = await import("../../../src/pellucid/web/train/chat-report.js");

const FOUND = {
  chat: true, format: "whatsapp", messages: 480, conversations: 1, kinds: { text: 470, media: 10 }, people: [],
  first: "2023-05-14T09:00:00", last: "2023-06-08T04:03:00", gap_minutes: 60, sessions: 120, pauses: [], session_lengths: {},
  unparsed: { count: 3, first: [{ source: "chat.txt", line: 1, text: "odd" }, { source: "chat.txt", line: null, text: "odder" }] },
  redacted: { counts: {}, samples: {}, kinds: {} }, as: { id: "b", name: "Bob", chosen: true },
  counts: { train_replies: 90, dev_replies: 5, validation_replies: 11 }, replies: 106, least_replies: 200, examples: [],
  notes: ["dates are read as day, month, year", "106 replies to learn from: finetune refuses them unless told --anyway"], notice: null, outlook: null,
};
const lines = (/** @type {string} */ id, found = FOUND) => chatRows(/** @type {any} */ (found)).find((row) => row.id === id)?.lines;

test("what was found is told, and what was not understood", () => {
  assert.deepEqual(lines("found"), ["480 messages in 1 conversation (whatsapp)", "not someone's own words, and left out: media 10"]);
  assert.deepEqual(lines("dates"), ["2023-05-14 09:00 to 2023-06-08 04:03"]);
  assert.deepEqual(lines("unparsed"), ["3 lines not understood, and left out", "chat.txt:1: odd", "chat.txt: odder", "and 1 more"]);
  assert.deepEqual(lines("unparsed", { ...FOUND, unparsed: { count: 0, first: [] } }), ["nothing: every line was understood"]);
});

test("notes that name flags of the command line are told where the page has a box for them", () => {
  assert.deepEqual(lines("notes"), ["dates are read as day, month, year"]);
});

test("too few replies are a reason once somebody is chosen", () => {
  assert.match(tooFewText(/** @type {any} */ (FOUND)), /^106 replies of Bob are too few: below 200/);
  assert.equal(tooFewText(/** @type {any} */ ({ ...FOUND, replies: 200 })), "");
  assert.equal(tooFewText(/** @type {any} */ ({ ...FOUND, as: { ...FOUND.as, chosen: false } })), "");
  assert.match(tooFewText(/** @type {any} */ ({ ...FOUND, replies: 0 })), /answers nothing/);
});

test("two of one name are asked for by their ids", () => {
  const person = (/** @type {string} */ id, /** @type {string} */ name) => ({ id, name, messages: 1, characters: 1 });
  const people = [person("u1", "Anna"), person("u2", "anna"), person("u3", "Bob")];
  assert.deepEqual(people.map((each) => askedAs(each, people)), ["u1", "u2", "Bob"]);
});

test("a forecast says whether all of the model is trained", () => {
  const outlook = { base: "base-1", parameters: 1000, trained: 100, steps: 40, seconds: 60, tokens: 5000, epochs: 4, memory: 1e6, seconds_per_step: 1.5 };
  assert.match(outlookText(outlook)[0], /from base-1/);
  assert.match(outlookText(outlook)[1], /^100 parameters in small adapters/);
  assert.match(outlookText({ ...outlook, trained: 1000 })[1], /^All 1,000 parameters are trained/);
});
