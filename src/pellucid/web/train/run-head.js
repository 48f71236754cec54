// @ts-check
/** The head of a run: what it is, how far it has come, what may be done with it, and what went wrong. */
import { duration } from "../base/axes.js";
import { el, fill } from "../base/dom.js";
import { whole } from "../base/scale.js";
import { formatHash } from "../base/store.js";
import { modelText } from "./report.js";

/** @typedef {import("../base/types.js").Run} Run */
/** @typedef {{name: string, known: Run | null, state: string, asked: string, problem: string | null, step: number,
 *    total: number, left: number | null}} Told  `asked` is an action that is not seen yet; `left` is in seconds */

const GOING_ON = new Set(["training", "paused"]);
/** What may be done in which state. @type {Record<string, string[]>} */
const ACTIONS = { training: ["pause", "stop"], paused: ["resume", "stop"], stopped: ["resume"] };
const WORDS = { pause: "Pause", resume: "Resume", stop: "Stop" };

/**
 * @param {import("../base/types.js").Shell} shell
 * @param {(action: string, settings?: Record<string, number>) => void} act
 */
export function createRunHead(shell, act) {
  const title = el("h2", { id: "run-title", "data-testid": "run-title" });
  const badge = el("span", { class: "badge", "data-testid": "run-state" });
  const about = el("p", { class: "hint", "data-testid": "run-about" });
  const bar = el("progress", { max: 1, value: 0, "aria-labelledby": "run-progress", "data-testid": "run-bar" });
  const progress = el("p", { class: "number progress-text", id: "run-progress", "data-testid": "run-progress" });
  const actions = el("div", { class: "buttons", "data-testid": "run-actions" });
  const problem = el("div", { class: "problem", role: "alert", hidden: true, "data-testid": "run-problem" });
  const root = el("header", { class: "run-head" }, el("div", { class: "run-title-row" }, title, badge), about,
    el("div", { class: "run-progress" }, bar, progress), actions, problem);
  /** @type {Told} */
  let told = { name: "", known: null, state: "", asked: "", problem: null, step: 0, total: 0, left: null };

  /** @param {Run | null} known */
  function aboutText(known) {
    if (!known?.model) return "";
    const parts = [modelText(known.model, known.tokenizer ? known.model.vocab_size - known.tokenizer.symbols : 0)];
    const how = known.learned;
    if (how) parts.push(`taught to answer${how.as ? ` as ${how.as}` : ""}${how.base ? `, from ${how.base}` : ""}`);
    else if (known.data) parts.push(`learning from ${known.data.name} (${whole(known.data.characters)} characters)`);
    return `${capital(parts.join(", "))}.${floorText(known.floor)}`;
  }

  /** @param {import("../base/types.js").Floor | null | undefined} floor */
  function floorText(floor) {
    if (!floor) return "";
    const [gap, error, least] = [floor.gap, floor.error, floor.floor].map((bits) => bits.toFixed(4));
    return ` ${gap} ± ${error} bits a character above the floor of ${least}, below which no model can be.`;
  }

  /** @param {string | null} said */
  function drawProblem(said) {
    problem.hidden = !said;
    if (!said) return void delete problem.dataset.text;
    const text = `${capital(said)}${/[.!?]$/.test(said) ? "" : "."}`;
    if (problem.dataset.text === text) return;
    problem.dataset.text = text;
    fill(problem, el("p", {}, text));
  }

  /** @param {string} state */
  function drawActions(state) {
    const { name, asked } = told;
    const wanted = `${name} ${state} ${asked} ${told.known?.minutes}`;
    if (actions.dataset.drawn === wanted) return;
    const focused = actions.contains(document.activeElement);
    actions.dataset.drawn = wanted;
    const buttons = (ACTIONS[state] ?? []).map((action) => el("button", {
      type: "button", "data-testid": action, disabled: asked !== "", class: action === "resume" ? "primary" : null, onclick: () => act(action),
    }, asked === action ? `${WORDS[/** @type {keyof typeof WORDS} */ (action)]}…` : WORDS[/** @type {keyof typeof WORDS} */ (action)]));
    const usable = state === "finished" || state === "stopped";
    const links = usable
      ? [link("chat", "Chat with it", "go-chat", "best", state === "finished"), link("look", "Look inside", "go-look", "best")]
      : GOING_ON.has(state) && [link("look", "Look inside now", "go-look", "live")];
    fill(actions, buttons, links, state === "finished" && longer());
    if (focused) /** @type {HTMLElement | null} */ (actions.querySelector("button:not(:disabled), a"))?.focus();
  }

  /** @param {string} place @param {string} text @param {string} testid @param {string} step @param {boolean} [first] */
  function link(place, text, testid, step, first = false) {
    const state = { ...shell.store.get(), place, run: told.name, step, job: "", chat: "" };
    return el("a", { class: first ? "button primary" : "button", href: formatHash(state), "data-testid": testid }, text);
  }

  /** A finished run can be given more time. */
  function longer() {
    const minutes = el("input", { type: "number", min: 0.05, step: "any", required: true, value: Math.max(1, Math.round(2 * Number(told.known?.minutes ?? 5))), "aria-label": "minutes in all", "data-testid": "longer-minutes" });
    const form = el("form", { class: "longer" }, el("button", { "data-testid": "longer" }, "Train on"), "to", minutes, "minutes in all");
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      act("resume", { minutes: Number(minutes.value) });
    });
    return form;
  }

  return {
    root,
    /** @param {Told} now */
    show(now) {
      told = now;
      const { name, known, state, step, total, left } = now;
      title.textContent = name;
      badge.textContent = badge.dataset.state = state;
      about.textContent = aboutText(known);
      bar.value = total ? Math.min(1, step / total) : 0;
      bar.parentElement?.toggleAttribute("hidden", !total || state === "deleted");
      const ends = state === "training" && left !== null ? ` · ${left < 1 ? "about to end" : `about ${duration(left)} left`}` : "";
      progress.textContent = `step ${whole(step)} of ${whole(total)}${ends}`;
      drawProblem(now.problem);
      drawActions(state);
    },
  };
}

/** @param {string} text */
function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
