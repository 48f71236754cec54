// @ts-check
/** A line of tokens as chips: pointed at together, walked through with the arrow keys, picked. */
import { el, fill, roving } from "../base/dom.js";
import { spoken, tint, visible } from "../base/token-text.js";

/** @typedef {import("../base/types.js").Token} Token */

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
