// @ts-check
/** The runs there are: name, state, loss and size of each, to be opened or, after a question, deleted. */
import * as api from "../base/api.js";
import { ask } from "../parts/ask.js";
import { announce, el, fill } from "../base/dom.js";
import { bytes } from "../base/scale.js";

/** @typedef {import("../base/types.js").Run} Run */

/** @param {Run} run */
export function stateText(run) {
  const share = run.total_steps ? Math.floor((100 * (run.step ?? 0)) / run.total_steps) : 0;
  if (run.state === "training") return `training, ${share}%`;
  if (run.state === "paused") return `paused at ${share}%`;
  if (run.state === "stopped") return run.problem ? `broke off at ${share}%` : `stopped at ${share}%`;
  return run.state;
}

/** @param {Run} run */
function lossText(run) {
  return run.validation_loss === null ? "" : `loss ${run.validation_loss.toFixed(3)}`;
}

/**
 * @param {import("../base/types.js").Shell} shell
 * @param {{failed: (error: Error) => void, deleting: (name: string) => void}} ears  `deleting` hears the name, and ""
 *   when that is over
 */
export function createRunList(shell, { failed, deleting }) {
  const fresh = el("button", { type: "button", class: "primary", "data-testid": "new-training", onclick: () => shell.store.set({ job: "new" }) }, "New training");
  const list = el("ul", { class: "runs", "data-testid": "runs" });
  const root = el("section", { class: "run-list", "aria-labelledby": "runs-title" },
    el("div", { class: "run-list-head" }, el("h2", { id: "runs-title" }, "Runs"), fresh), list);

  /** @param {Run} run */
  function entry(run) {
    const open = () => shell.store.set({ run: run.name, step: "best", job: "" });
    return el("li", { class: "run", dataset: { state: run.state }, "data-testid": `run-${run.name}` },
      el("button", { type: "button", class: "run-open", "data-name": run.name, onclick: open },
        el("span", { class: "run-name" }, run.name),
        el("span", { class: "run-facts" })),
      el("button", { type: "button", class: "quiet", "aria-label": `Delete ${run.name}`, "data-testid": `delete-${run.name}`, onclick: () => remove(run.name) }, "delete"));
  }

  /** @param {string} name */
  async function remove(name) {
    const run = shell.runs().find((each) => each.name === name);
    if (!run) return;
    const sure = await ask({
      title: `Delete ${name}?`, yes: "Delete", no: "Keep",
      text: `${bytes(run.bytes)}: its weights, curves, samples and chats, and the text it was given through this page. They cannot be brought back.`,
    });
    if (!sure) return void /** @type {HTMLElement | null} */ (list.querySelector(`[data-testid="delete-${CSS.escape(name)}"]`))?.focus();
    try {
      deleting(name);
      await api.request(`/api/runs/${encodeURIComponent(name)}`, { method: "DELETE" });
      announce(`${name} is deleted.`);
      if (shell.runName() === name) {
        const next = shell.runs().find((run) => run.name !== name)?.name;
        shell.store.set(next ? { run: next, step: "best" } : { run: "", step: "best", job: "new" });
      }
      await shell.refresh();
      fresh.focus();
    } catch (error) {
      failed(/** @type {Error} */ (error));
    } finally {
      deleting("");
    }
  }

  return {
    root,
    update() {
      const runs = shell.runs();
      const showing = shell.store.get().job ? "" : shell.runName();
      const names = runs.map((run) => run.name);
      if (names.join("\n") !== [...list.children].map((item) => /** @type {HTMLElement} */ (item.querySelector(".run-open")).dataset.name).join("\n")) fill(list, runs.map(entry));
      runs.forEach((run, n) => {
        const item = list.children[n];
        item.setAttribute("data-state", run.state);
        const open = /** @type {HTMLElement} */ (item.querySelector(".run-open"));
        if (run.name === showing) open.setAttribute("aria-current", "true");
        else open.removeAttribute("aria-current");
        const facts = [stateText(run), lossText(run), bytes(run.bytes)].filter(Boolean).join(" · ");
        const line = /** @type {HTMLElement} */ (item.querySelector(".run-facts"));
        if (line.textContent !== facts) line.textContent = facts;
      });
      root.hidden = runs.length === 0;
    },
  };
}
