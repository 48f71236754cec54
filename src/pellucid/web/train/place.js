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
    deleting: (name) => {
      going = name;
      if (name === live.name()) live.hide();
      else if (!name && now) update(now); // it could not be deleted, perhaps, and is looked at again
    },
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
  /** The run that is being deleted: to follow it on would be to ask for what may be gone. */
  let going = "";
  /** @type {import("../base/store.js").State | null} */
  let now = null;

  /** @param {import("../base/store.js").State} state */
  function update(state) {
    now = state;
    if (`${state.run} ${state.job}` !== shown) problem.hidden = true;
    shown = `${state.run} ${state.job}`;
    list.update();
    const starting = state.job !== "" || !shell.runName();
    start.root.hidden = !starting;
    live.root.hidden = starting;
    if (starting) {
      live.hide();
      start.update(state.job);
    } else if (shell.runName() !== going) live.show(shell.runName());
  }

  return {
    update,
    hide() {
      now = null;
      live.hide();
    },
  };
}
