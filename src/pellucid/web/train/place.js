// @ts-check
/** The place Train: the runs there are, and either one of them as it goes on or the start of a new one. */
import { el, fill } from "../base/dom.js";
import { createRunList } from "./run-list.js";
import { createRunLive } from "./run-live.js";
import { createStartForm } from "./start-form.js";

export const id = "train";
export const title = "Train";

/** @param {HTMLElement} root @param {import("../base/types.js").Shell} shell */
export function mount(root, shell) {
  const problem = el("div", { class: "problem", role: "alert", hidden: true, "data-testid": "train-problem" });
  const list = createRunList(shell, {
    deleting: (name) => name === live.name() && live.hide(),
    failed: (error) => {
      problem.hidden = false;
      fill(problem, el("p", {}, error.message));
    },
  });
  const start = createStartForm(shell);
  const live = createRunLive(shell);
  const main = el("div", { class: "train-main" }, problem, start.root, live.root);
  root.append(el("h1", { class: "unseen" }, title), el("div", { class: "train" }, main, list.root));
  let shown = "";

  return {
    /** @param {import("../base/store.js").State} state */
    update(state) {
      if (`${state.run} ${state.job}` !== shown) problem.hidden = true;
      shown = `${state.run} ${state.job}`;
      list.update();
      const starting = state.job !== "" || !shell.runName();
      start.root.hidden = !starting;
      live.root.hidden = starting;
      if (starting) {
        live.hide();
        start.update(state.job);
      } else live.show(shell.runName());
    },
    hide: () => live.hide(),
  };
}
