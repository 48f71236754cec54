// @ts-check
/** A reply as its tokens: each can be picked by pointer or keys, and coloured by how surprising it was. */
import { el, fill } from "../base/dom.js";
import { spans, surpriseLevel, SURPRISE_LIMITS } from "./conversation.js";
import { significant } from "../base/scale.js";
import { spoken } from "../base/token-text.js";

/** @typedef {import("./conversation.js").ReplyToken} ReplyToken @typedef {import("./conversation.js").Span} Span */

/** The surprise of a group: that of its tokens together. @param {ReplyToken[]} tokens @param {Span} span */
function bitsOf(tokens, { first, last }) {
  return tokens.slice(first, last + 1).reduce((sum, token) => sum + (token.bits ?? 0), 0);
}

/**
 * Write tokens into an element, keeping those that are there already: a reply that grows is not drawn anew.
 * @param {HTMLElement} holder @param {ReplyToken[]} tokens
 */
export function drawTokens(holder, tokens) {
  const groups = spans(tokens);
  groups.forEach((group, n) => {
    const bits = bitsOf(tokens, group);
    const key = `${group.first}-${group.last}-${tokens[group.last].id}-${group.text}`;
    const old = /** @type {HTMLElement | undefined} */ (holder.children[n]);
    if (old?.dataset.key === key) return;
    const span = el("span", {
      class: `token s${surpriseLevel(bits)}`, tabindex: n === 0 ? 0 : -1, "data-testid": "token",
      dataset: { key, first: group.first, last: group.last, bits, rank: tokens[group.last].rank ?? "", id: tokens[group.last].id },
    }, group.text);
    if (old) old.replaceWith(span);
    else holder.append(span);
  });
  while (holder.children.length > groups.length) holder.lastElementChild?.remove();
}

/**
 * Let the tokens of a reply be picked: a click, or arrow keys and Enter. One of them is a tab stop; it says that it can be
 * pressed while it has the focus, so that a reader of the whole text is not told so at every token.
 * @param {HTMLElement} holder @param {(span: HTMLElement) => void} picked
 */
export function pickable(holder, picked) {
  /** @param {EventTarget | null} target @returns {HTMLElement | null} */
  const tokenOf = (target) => (target instanceof Element ? target.closest(".token") : null);
  holder.addEventListener("click", (event) => {
    const token = tokenOf(event.target);
    if (token && !String(window.getSelection())) picked(token);
  });
  holder.addEventListener("focusin", (event) => {
    const token = tokenOf(event.target);
    if (!token) return;
    for (const other of holder.querySelectorAll('.token[tabindex="0"]')) /** @type {HTMLElement} */ (other).tabIndex = -1;
    token.tabIndex = 0;
    token.setAttribute("role", "button");
    token.setAttribute("aria-haspopup", "dialog");
    token.setAttribute("aria-label", `${spoken(token.textContent ?? "")}, ${significant(Number(token.dataset.bits), 2)} bits`);
  });
  holder.addEventListener("focusout", (event) => {
    const token = tokenOf(event.target);
    for (const name of ["role", "aria-haspopup", "aria-label"]) token?.removeAttribute(name);
  });
  holder.addEventListener("keydown", (event) => {
    const token = tokenOf(event.target);
    if (!token) return;
    const all = /** @type {HTMLElement[]} */ ([...holder.children]);
    const here = all.indexOf(token);
    /** @type {Record<string, number>} */
    const moves = { ArrowRight: here + 1, ArrowLeft: here - 1, ArrowDown: lineAway(all, here, 1), ArrowUp: lineAway(all, here, -1), Home: 0, End: all.length - 1 };
    if (event.key === "Enter" || event.key === " ") picked(token);
    else if (event.key in moves) all[moves[event.key]]?.focus();
    else return;
    event.preventDefault();
  });
}

/** The token above or below, nearest to where one is. @param {HTMLElement[]} all @param {number} here @param {1 | -1} way */
function lineAway(all, here, way) {
  const from = all[here].getBoundingClientRect();
  let best = here;
  let least = Infinity;
  for (let n = here + way; n >= 0 && n < all.length; n += way) {
    const box = all[n].getBoundingClientRect();
    const down = Math.round(Math.abs(box.top - from.top));
    if (down < from.height / 2) continue;
    if (down > from.height * 2.5 && best !== here) break;
    const away = down * 4 + Math.abs(box.left - from.left);
    if (away < least) [best, least] = [n, away];
  }
  return best;
}

/** What the colours mean. */
export function surpriseLegend() {
  const names = ["below 1", ...SURPRISE_LIMITS.map((limit, n) => (n + 1 < SURPRISE_LIMITS.length ? `${limit}–${SURPRISE_LIMITS[n + 1]}` : `${limit} and more`))];
  const legend = el("p", { class: "surprise-legend note", "data-testid": "surprise-legend" });
  fill(legend, "surprise in bits: ", names.map((name, level) => el("span", { class: `token s${level}` }, name)));
  return legend;
}
