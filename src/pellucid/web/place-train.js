// @ts-check
/** The place Train. */
import { el } from "./dom.js";

export const id = "train";
export const title = "Train";

/** @param {HTMLElement} root @param {import("./types.js").Shell} shell */
export function mount(root, shell) {
  const line = el("p", { class: "lead" });
  root.append(el("h1", { class: "unseen" }, title), line);
  return {
    update() {
      line.textContent = `${shell.runs().length} runs.`;
    },
    destroy: () => root.replaceChildren(),
  };
}
