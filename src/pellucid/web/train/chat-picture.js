// @ts-check
/** What a chat holds, drawn: facts, how long pauses and sessions are, and examples in which what is learned is marked. */
import { el } from "../base/dom.js";
import { whole } from "../base/scale.js";
import { chatRows, outlookText } from "./chat-report.js";
import { rowsOf } from "./start-report.js";

/** @typedef {import("./chat-report.js").ChatPreview} ChatPreview */

const MOST_SHOWN = 400; // characters of a turn

/** @param {ChatPreview} found */
export function chatReport(found) {
  return el("div", { class: "report-columns" },
    el("section", { "aria-label": "The chat" }, el("h3", {}, "The chat"), rowsOf(chatRows(found))),
    el("section", { "aria-label": "Its rhythm" },
      el("h3", {}, "Its rhythm"), tally("Pauses between messages", found.pauses), tally("Messages in a session", found.session_lengths)));
}

/** Counts beside bars, as a table that can be read aloud. @param {string} title @param {Record<string, number> | [string, number][]} counts */
function tally(title, counts) {
  const rows = Array.isArray(counts) ? counts : Object.entries(counts);
  const most = Math.max(1, ...rows.map(([, count]) => count));
  return el("table", { class: "tally", "data-testid": "tally" }, el("caption", {}, title),
    el("tbody", {}, rows.map(([label, count]) => el("tr", {}, el("th", { scope: "row" }, label),
      el("td", { class: "tally-bar", "aria-hidden": "true" }, el("span", { style: { width: `${(100 * count) / most}%` } })),
      el("td", { class: "number" }, whole(count))))));
}

/** Conversations as the model meets them. @param {ChatPreview} found */
export function chatExamples(found) {
  return found.examples.map((spans, n) => el("li", {}, el("p", { class: "note" }, `Example ${n + 1}`),
    el("dl", { class: "turns", "data-testid": `chat-example-${n}` }, spans.map((span) =>
      el("div", { class: span.learned ? "turn learned" : "turn", dataset: { learned: span.learned } },
        el("dt", {}, speaker(span, found), el("span", { class: "turn-kind" }, span.learned ? "learned" : "read")),
        el("dd", { dir: "auto" }, span.text.length > MOST_SHOWN ? `${span.text.slice(0, MOST_SHOWN)}…` : span.text || "(nothing: it speaks first)"))))));
}

/** By the name the model meets, which need not be the one in the export. @param {import("./chat-report.js").Span} span @param {ChatPreview} found */
function speaker({ role }, { as, people }) {
  if (role === "system") return "system";
  const replies = role === "assistant";
  if (!replies && people.length !== 2) return "the others";
  return people.find((person) => (person.id === as.id) === replies)?.learned_name;
}

/** @param {import("./chat-report.js").Outlook} outlook */
export function outlookOf(outlook) {
  const [takes, how] = outlookText(outlook);
  return el("div", { class: "forecast", "data-testid": "forecast", dataset: { steps: outlook.steps, seconds: outlook.seconds } },
    el("p", { class: "lead" }, takes), el("p", {}, how));
}
