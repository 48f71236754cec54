// @ts-check
/** The place Look inside: one prompt, and the views that show what the model makes of it. */
import { el } from "./dom.js";

export const id = "look";
export const title = "Look inside";

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
