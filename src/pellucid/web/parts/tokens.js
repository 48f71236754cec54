// @ts-check
/** Tokens as people see them: visible whitespace, names to be read aloud, spans of the text, chips. */
import { el, fill, roving } from "../base/dom.js";

/** @typedef {import("../base/types.js").Token} Token */

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
 * The server counts code points and this language counts UTF-16 units: the unit at which each code point begins.
 * @param {string} text @returns {Uint32Array} one more than there are code points; the last is the text's length
 */
export function unitOffsets(text) {
  const offsets = [0];
  for (const letter of text) offsets.push(offsets[offsets.length - 1] + letter.length);
  return Uint32Array.from(offsets);
}

/**
 * Which token a place in the text lies in.
 * @param {Token[]} tokens in order
 * @param {number} unit a UTF-16 place, as of a text field's cursor
 * @param {Uint32Array} offsets from `unitOffsets`
 * @returns {number} an index, -1 before the first and behind the last
 */
export function tokenAt(tokens, unit, offsets) {
  return tokens.findIndex((token) => offsets[token.start] <= unit && unit < offsets[token.end]);
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

/**
 * A line of chips, one a token; arrow keys move, Enter picks, and hovering is told.
 * @param {{label: string, testid: string, write?: (token: Token) => string, pick: (index: number) => void,
 *   hover?: (index: number) => void}} options
 */
export function chips({ label, testid, write = (token) => visible(token.text), pick, hover }) {
  const root = el("div", { class: "chips", role: "listbox", "aria-label": label, "data-testid": testid });
  /** @type {HTMLElement[]} */
  let items = [];
  let pointed = -1;

  /** @param {Event} event */
  const at = (event) => {
    const item = /** @type {HTMLElement} */ (event.target).closest("[data-index]");
    return item ? Number(/** @type {HTMLElement} */ (item).dataset.index) : -1;
  };
  root.addEventListener("click", (event) => at(event) >= 0 && pick(at(event)));
  root.addEventListener("keydown", (event) => {
    if ((event.key === "Enter" || event.key === " ") && at(event) >= 0) {
      event.preventDefault();
      pick(at(event));
    }
  });
  root.addEventListener("pointerover", (event) => hover?.(at(event)));
  root.addEventListener("pointerleave", () => hover?.(-1));
  root.addEventListener("focusin", (event) => hover?.(at(event)));
  root.addEventListener("focusout", () => hover?.(-1));
  roving(root, ".chip");

  return {
    root,
    /**
     * @param {Token[]} tokens
     * @param {(token: Token, index: number) => import("../base/dom.js").Props} [more] further attributes
     */
    show(tokens, more) {
      items = tokens.map((token, index) => {
        const { class: extra = "", dataset = {}, ...rest } = more?.(token, index) ?? {};
        return el(
          "span",
          {
            class: `chip ${tint(token.id)} ${extra}`,
            role: "option",
            tabindex: index === 0 ? 0 : -1,
            "aria-selected": "false",
            "aria-label": `${spoken(token.text)}, token ${token.id}`,
            dataset: { index, id: token.id, ...dataset },
            ...rest,
          },
          write(token),
        );
      });
      fill(root, ...items.flatMap((item, i) => (tokens[i].text.endsWith("\n") ? [item, el("br")] : [item])));
    },
    /** @param {number} index the picked one, -1 for none */
    pick(index) {
      for (const item of root.querySelectorAll('[aria-selected="true"]')) item.setAttribute("aria-selected", "false");
      const item = items[index];
      if (!item) return;
      item.setAttribute("aria-selected", "true");
      for (const other of root.querySelectorAll('[tabindex="0"]')) /** @type {HTMLElement} */ (other).tabIndex = -1;
      item.tabIndex = 0;
    },
    /** @param {number} index the one pointed at, -1 for none */
    point(index) {
      items[pointed]?.classList.remove("pointed");
      items[index]?.classList.add("pointed");
      pointed = index;
    },
    items: () => items,
  };
}
