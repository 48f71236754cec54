// @ts-check
/** Tokens as people see them and hear them; where a prompt begins. No browser in here. */

/** Characters of a sample that make the first prompt. */
const FIRST = 48;

/** What would not be seen, and what is shown instead. */
const SEEN = new Map([
  [" ", "·"],
  ["\n", "↵"],
  ["\t", "→"],
  ["\r", "␍"],
  ["\u00a0", "⍽"],
  ["\u200b", "∅"],
]);
const SPOKEN = new Map([
  [" ", "space"],
  ["\n", "newline"],
  ["\t", "tab"],
  ["\r", "carriage return"],
  ["\u00a0", "no-break space"],
]);

/** A token's text with every kind of whitespace visible. @param {string} text */
export function visible(text) {
  if (text === "") return "∅";
  return [...text].map((letter) => SEEN.get(letter) ?? letter).join("");
}

/** As it is read aloud: “the”, space, newline. @param {string} text */
export function spoken(text) {
  if (text === "") return "nothing";
  if (SPOKEN.has(text)) return /** @type {string} */ (SPOKEN.get(text));
  if (text.trim() === "") return text.includes("\n") ? "newlines" : "spaces";
  return `“${visible(text)}”`;
}

/**
 * Whether a token as shown is no text of its own: part of a character, or a reserved name.
 * @param {string} text
 */
export function isPiece(text) {
  return /\\x[0-9a-f]{2}/.test(text) || /^(<\|?[\w ]+\|?>|\[[A-Z]+\])$/.test(text);
}

/** Code points a token is cut to where room is narrow. @param {string} text @param {number} [most] */
export function brief(text, most = 8) {
  const letters = [...visible(text)];
  return letters.length > most ? `${letters.slice(0, most - 1).join("")}…` : letters.join("");
}

/**
 * How many tokens at the front of the text the model does not read: it sees the last `context` of them.
 * @param {number} n tokens of the text @param {number} context
 */
export const cropped = (n, context) => Math.max(0, n - context);

/**
 * A little of a sample to begin with: from its second line, since the first may begin within a word, to the end of a
 * word. What stands for broken characters is left out.
 * @param {string} sample
 * @param {boolean} [open] end behind a space: what follows a word is nearly certain to a model of characters
 */
export function beginning(sample, open = false) {
  const clean = sample
    .replace(/[\ufffd\p{Cc}]/gu, (letter) => (letter === "\n" || letter === "\t" ? letter : ""))
    .trim();
  const line = clean.indexOf("\n") + 1;
  const from = line > 0 && clean.length - line >= FIRST ? clean.slice(line).trimStart() : clean;
  const end = from.indexOf("\n\n");
  const start = [...(end >= FIRST / 2 ? from.slice(0, end) : from)].slice(0, FIRST).join("");
  const words = start.length === from.length || start.length === end ? start : start.replace(/\s+\S*$/, "");
  const tidy = words.replace(/[^\p{L}\p{N}]+$/u, "") || words; // after a full stop there is little to choose either
  return open && tidy ? `${tidy} ` : tidy;
}

/** One of six quiet tints, the same for the same token wherever it stands. @param {number} id */
export const tint = (id) => `t${((id * 2654435761) >>> 8) % 6}`;
