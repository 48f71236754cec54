// @ts-check
/** What the views of Look inside have in common: how they ask, and what they are. */
import { ApiError, latest } from "../base/api.js";
import { stepAsked } from "../base/store.js";

/** @typedef {import("../base/store.js").State} State */
/**
 * @typedef {import("../base/types.js").Shell & {prompt: () => string | null, setPrompt: (text: string) => void,
 *   tokens: () => any}} LookShell
 *   `prompt` is the text that is looked at, null until it is known; `tokens` the last answer of the view of tokens */
/**
 * @typedef {Object} View
 * @property {string} id
 * @property {string} tab  its short name
 * @property {string} title
 * @property {string} hint
 * @property {(root: HTMLElement, shell: LookShell) => {update: (state: State) => void, destroy: () => void}} mount
 */

/** Which weights, as requests name them. @param {import("../base/types.js").Shell} shell */
export function weights(shell) {
  return { run: shell.runName(), step: stepAsked(shell.store.get().step) };
}

/**
 * Asks whenever what is asked has changed, and never twice for the same; what failed for want of a server is asked
 * again.
 * @template T
 * @param {{ask: (body: any, signal: AbortSignal) => Promise<T>, answered: (answer: T) => void,
 *   panel: import("../parts/panel.js").Panel}} options
 */
export function asker({ ask, answered, panel }) {
  let asked = "";
  /** @type {any} */
  let body = null;
  const question = latest((signal) => ask(body, signal), {
    busy: panel.busy,
    answered,
    failed(error) {
      if (error instanceof ApiError && error.status === 0) asked = "";
      panel.failed(error, again);
    },
  });
  function again() {
    question.ask();
  }
  return {
    /**
     * @param {any} next the body of the request
     * @param {unknown} [fresh] asks again when this changes, too
     */
    update(next, fresh = null) {
      const words = JSON.stringify([next, fresh]);
      if (words === asked) return;
      asked = words;
      body = next;
      question.ask();
    },
    stop: question.stop,
  };
}

/**
 * Weights that are still changing are looked at anew when training has gone on.
 * @param {import("../base/types.js").Shell} shell
 */
export const freshness = (shell) => (shell.store.get().step === "live" ? (shell.run()?.step ?? null) : null);

/**
 * Redraw when the theme changes or the room does.
 * @param {Element} element
 * @param {() => void} draw
 * @returns {() => void} call it to stop
 */
export function redrawn(element, draw) {
  let width = 0;
  const observer = new ResizeObserver(([entry]) => {
    if (Math.round(entry.contentRect.width) === width) return;
    width = Math.round(entry.contentRect.width);
    draw();
  });
  observer.observe(element);
  document.addEventListener("themechange", draw);
  return () => {
    observer.disconnect();
    document.removeEventListener("themechange", draw);
  };
}

/** @returns {"light" | "dark"} */
export const theme = () => (document.documentElement.dataset.theme === "dark" ? "dark" : "light");
