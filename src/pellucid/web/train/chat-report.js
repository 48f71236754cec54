// @ts-check
/** What a preview found in a chat, and what a model would learn of it, in plain words. No browser in here. */
import { duration } from "../base/axes.js";
import { bytes, percent, significant, whole } from "../base/scale.js";
import { plural } from "./report.js";

/**
 * @typedef {{id: string, name: string, learned_name: string, messages: number, characters: number}} Person
 * @typedef {{role: "system" | "user" | "assistant", text: string, learned: boolean}} Span
 * @typedef {{base: string, parameters: number, trained: number, steps: number, seconds: number, tokens: number, epochs: number,
 *   memory: number, seconds_per_step: number}} Outlook
 * @typedef {{place: string, date_order: {order: string, words: string, date: string}[]}} Question
 *
 * @typedef {Object} ChatPreview  the result of `pellucid preview EXPORT --json`, as far as it is told here
 * @property {true} chat
 * @property {string} format
 * @property {number} messages
 * @property {number} conversations
 * @property {Record<string, number>} kinds
 * @property {Person[]} people
 * @property {string | null} first
 * @property {string | null} last
 * @property {number} gap_minutes
 * @property {number} sessions
 * @property {[string, number][] | Record<string, number>} pauses
 * @property {Record<string, number>} session_lengths
 * @property {{count: number, first: {source: string, line: number | null, text: string}[]}} unparsed
 * @property {{counts: Record<string, number>, samples: Record<string, string[]>, kinds: Record<string, string>}} redacted
 * @property {{id: string, name: string, chosen: boolean}} as
 * @property {Record<string, number>} counts
 * @property {number} replies
 * @property {number} least_replies
 * @property {Span[][]} examples
 * @property {string[]} notes
 * @property {string | null} notice
 * @property {Outlook | null} outlook
 */

const LONGEST_LINE = 120; // characters of a line that was not understood

/** @param {ChatPreview} found @returns {import("./report.js").Row[]} */
export function chatRows(found) {
  const others = Object.entries(found.kinds).filter(([kind]) => kind !== "text").map(([kind, count]) => `${kind} ${whole(count)}`);
  const rows = [
    { id: "found", label: "Found", lines: [
      `${plural(found.messages, "message")} in ${plural(found.conversations, "conversation")} (${found.format})`,
      ...(others.length ? [`not someone's own words, and left out: ${others.join(", ")}`] : [])] },
    { id: "dates", label: "Dates", lines: [datesText(found)] },
    { id: "sessions", label: "Sessions", lines: [`${whole(found.sessions)}; a pause of more than ${significant(found.gap_minutes, 3)} minutes begins a new one`] },
    { id: "unparsed", label: "Unparsed", lines: unparsedLines(found), warning: found.unparsed.count > 0 },
    { id: "learned", label: "Learned", lines: [learnedText(found)] },
  ];
  const notes = found.notes.filter((note) => !note.includes("--anyway")); // that stands beside its box
  if (notes.length) rows.push({ id: "notes", label: "Notes", lines: notes });
  return rows;
}

/** @param {ChatPreview} found */
function datesText({ first, last }) {
  const day = (/** @type {string} */ time) => time.slice(0, 16).replace("T", " ");
  return first && last ? `${day(first)} to ${day(last)}` : "none: the order is that of the file";
}

/** @param {ChatPreview} found */
function unparsedLines({ unparsed }) {
  if (!unparsed.count) return ["nothing: every line was understood"];
  const told = unparsed.first.map(({ source, line, text }) => `${source}${line ? `:${line}` : ""}: ${text.slice(0, LONGEST_LINE)}`);
  const left = unparsed.count - told.length;
  return [`${plural(unparsed.count, "line")} not understood, and left out`, ...told, ...(left > 0 ? [`and ${whole(left)} more`] : [])];
}

/** @param {ChatPreview} found */
function learnedText({ as, counts, replies }) {
  const parts = ["train", "dev", "validation"].map((part) => `${part} ${whole(counts[`${part}_replies`] ?? 0)}`);
  return `${plural(replies, "reply", "replies")} of ${as.name}: ${parts.join(", ")}; the last by time are held out`;
}

/** What fine-tuning would take, as sentences. @param {Outlook} outlook @returns {string[]} */
export function outlookText(outlook) {
  const share = outlook.trained < outlook.parameters
    ? `${whole(outlook.trained)} parameters in small adapters are trained (${percent(outlook.trained / outlook.parameters)} of the model's ${whole(outlook.parameters)})`
    : `All ${whole(outlook.parameters)} parameters are trained`;
  return [
    `About ${duration(outlook.seconds)}, from ${outlook.base}.`,
    `${share}: ${plural(outlook.steps, "step")}, ${whole(outlook.tokens)} tokens, ${significant(outlook.epochs, 2)} times through the chat, about ` +
      `${bytes(outlook.memory)} of memory. It stops sooner where it no longer gets better.`,
  ];
}

/** Why so few replies are refused; "" where there are enough. @param {ChatPreview} found */
export function tooFewText({ as, replies, least_replies }) {
  if (!as.chosen || replies >= least_replies) return "";
  if (!replies) return `${as.name} answers nothing in this chat: choose another person.`;
  return `${plural(replies, "reply", "replies")} of ${as.name} are too few: below ${whole(least_replies)} a model only learns to recite them.`;
}

/**
 * What tells a person from the others: the name, or the id where two have the same.
 * @param {{id: string, name: string}} person @param {Person[]} people
 */
export function askedAs(person, people) {
  return people.some((other) => other.id !== person.id && other.name.toLowerCase() === person.name.toLowerCase()) ? person.id : person.name;
}
