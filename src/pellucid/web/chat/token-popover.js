// @ts-check
/** What the model thought where it wrote a token: rank, bits, probability and the alternatives, one of which may be taken. */
import { el, fill, roving } from "../base/dom.js";
import { percent, significant, whole } from "../base/scale.js";
import { spoken, visible } from "../base/token-text.js";
import { stampText } from "../parts/panel.js";

/** @typedef {{id: number, text: string, bits: number, rank: number, probability: number}} Alternative */
/** @typedef {{stamp: import("../base/types.js").Stamp, token: Alternative, alternatives: Alternative[]}} Answer */

const GAP = 6; // pixels between a token and what is said of it

/**
 * @param {{ask: (reply: number, at: number, signal: AbortSignal) => Promise<Answer>,
 *   take: (reply: number, at: number, token: Alternative) => void}} house
 */
export function createTokenPopover({ ask, take }) {
  const body = el("div", { class: "popover-body" });
  const close = el("button", { type: "button", class: "quiet", "data-testid": "popover-close", onclick: () => hide(true) }, "close");
  const title = el("h2", { id: "popover-title", class: "popover-title" });
  const root = el("div", { class: "popover", role: "dialog", "aria-labelledby": "popover-title", tabindex: -1, hidden: true, "data-testid": "popover" },
    el("header", {}, title, close), body);
  /** @type {HTMLElement | null} */
  let anchor = null;
  let asking = new AbortController();

  function place() {
    if (!anchor || root.hidden) return;
    const at = anchor.getClientRects()[0] ?? anchor.getBoundingClientRect();
    const [width, height] = [root.offsetWidth, root.offsetHeight];
    const below = at.bottom + GAP + height <= window.innerHeight || at.top < height + GAP;
    root.style.setProperty("left", `${Math.max(8, Math.min(at.left - 12, document.documentElement.clientWidth - width - 8))}px`);
    root.style.setProperty("top", `${Math.max(8, below ? Math.min(at.bottom + GAP, window.innerHeight - height - 8) : at.top - GAP - height)}px`);
  }

  /** @param {boolean} [back] give the focus back to the token */
  function hide(back = false) {
    if (root.hidden) return;
    asking.abort();
    root.hidden = true;
    anchor?.classList.remove("picked");
    if (back) anchor?.focus();
    anchor = null;
  }

  /** @param {number} reply @param {number} first @param {number} last @param {number} at */
  async function show(reply, first, last, at) {
    asking.abort();
    const mine = (asking = new AbortController());
    fill(body, el("p", { class: "note" }, "Asking the model…"));
    place();
    try {
      const answer = await ask(reply, at, mine.signal);
      if (mine.signal.aborted) return;
      draw(answer, reply, first, last, at);
    } catch (error) {
      if (mine.signal.aborted) return;
      fill(body, el("p", { class: "problem", role: "alert" }, /** @type {Error} */ (error).message),
        el("button", { type: "button", onclick: () => show(reply, first, last, at) }, "Try again"));
    }
    place();
  }

  /** @param {Answer} answer @param {number} reply @param {number} first @param {number} last @param {number} at */
  function draw({ stamp, token, alternatives }, reply, first, last, at) {
    title.textContent = `“${visible(token.text)}”`;
    const most = Math.max(...alternatives.map((each) => each.probability), token.probability);
    const listed = alternatives.some((each) => each.id === token.id) ? alternatives : [...alternatives, token];
    const list = el("ul", { class: "alternatives", "data-testid": "alternatives" }, listed.map((each, n) =>
      el("li", {}, el("button", {
        type: "button", class: "alternative", tabindex: n === 0 ? 0 : -1, "aria-current": each.id === token.id ? "true" : null,
        "data-testid": "alternative", dataset: { id: each.id, probability: each.probability, rank: each.rank, bits: each.bits },
        "aria-label": `${spoken(each.text)}, ${percent(each.probability)}${each.id === token.id ? ", taken" : ""}`,
        onclick: () => {
          hide();
          take(reply, at, each);
        },
      }, el("span", { class: "mono alternative-text" }, visible(each.text)), bar(each.probability / most), el("span", { class: "number" }, percent(each.probability))))));
    roving(list, ".alternative");
    fill(body,
      first < last && el("p", { class: "note several" }, `Token ${at - first + 1} of ${last - first + 1} that write this together. `,
        el("button", { type: "button", class: "quiet", disabled: at === first, onclick: () => show(reply, first, last, at - 1) }, "the one before"),
        el("button", { type: "button", class: "quiet", disabled: at === last, onclick: () => show(reply, first, last, at + 1) }, "the next")),
      el("dl", { class: "token-facts" },
        fact("rank", whole(token.rank), "fact-rank", token.rank), fact("surprise", `${significant(token.bits, 3)} bits`, "fact-bits", token.bits),
        fact("probability", percent(token.probability), "fact-probability", token.probability)),
      el("p", { class: "note" }, "Choose another to go on from there; the likeliest first, before temperature and top-k."),
      list, el("p", { class: "note stamp" }, stampText(stamp)));
    place();
    /** @type {HTMLElement | null} */ (list.querySelector(".alternative"))?.focus();
  }

  document.addEventListener("pointerdown", (event) => {
    const target = /** @type {Element} */ (event.target);
    if (!root.hidden && !root.contains(target) && !target.closest(".token")) hide();
  });
  root.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    hide(true);
  });
  root.addEventListener("focusout", (event) => {
    const next = /** @type {Node | null} */ (event.relatedTarget);
    if (next && !root.contains(next)) hide();
  });
  window.addEventListener("resize", place);
  window.addEventListener("scroll", place, { passive: true });

  return {
    root, hide,
    /** @param {HTMLElement} token the element @param {number} reply which message */
    open(token, reply) {
      hide();
      anchor = token;
      token.classList.add("picked");
      title.textContent = `“${visible(token.textContent ?? "")}”`;
      root.hidden = false;
      root.focus();
      const [first, last] = [Number(token.dataset.first), Number(token.dataset.last)];
      show(reply, first, last, last);
    },
  };
}

/** @param {string} label @param {string} text @param {string} testid @param {number} value */
function fact(label, text, testid, value) {
  return el("div", {}, el("dt", {}, label), el("dd", { "data-testid": testid, dataset: { value } }, text));
}

/** @param {number} share of the longest */
function bar(share) {
  return el("span", { class: "alternative-bar", "aria-hidden": "true" }, el("span", { style: { width: `${100 * share}%` } }));
}
