// @ts-check
/** The place Chat. */
import { el } from "./dom.js";

export const id = "chat";
export const title = "Chat";

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
