// @ts-check
/** One run as it goes on, or as it went: state, buttons, curves and samples, all told by the server's events. */
import * as api from "../base/api.js";
import { duration } from "../base/axes.js";
import { Curves } from "./curves.js";
import { announce, el, fill } from "../base/dom.js";
import { modelText } from "./report.js";
import { createRunCurves } from "./run-curves.js";
import { createSamples } from "./run-samples.js";
import { bytes, whole } from "../base/scale.js";
import { formatHash } from "../base/store.js";

/** @typedef {import("../base/types.js").Run} Run */
/** @typedef {{state: Run["state"] | "deleted", step: number, total_steps: number, seconds_left: number | null, problem: string | null}} Told */

const REDRAW = 250; // milliseconds between two drawings, however fast steps come
const REST = 10; // times as long as a drawing took: long trainings have many points
const GOING_ON = new Set(["training", "paused"]);
/** What may be done in which state. @type {Record<string, string[]>} */
const ACTIONS = { training: ["pause", "stop"], paused: ["resume", "stop"], stopped: ["resume"] };
const WORDS = { pause: "Pause", resume: "Resume", stop: "Stop" };

/** @param {import("../base/types.js").Shell} shell */
export function createRunLive(shell) {
  const curves = new Curves();
  const drawings = createRunCurves();
  const samples = createSamples();
  /** The run's name. */
  let name = "";
  /** @type {Run | null} with its recipe, once the server has told it */
  let run = null;
  /** @type {Told | null} */
  let told = null;
  let stream = new AbortController();
  let following = false;
  let due = 0;
  let pace = REDRAW;
  /** This run is what the page shows, whether or not the page is seen. */
  let shown = false;
  /** An action that was asked for and is not seen yet. */
  let asked = "";

  const title = el("h2", { id: "run-title", "data-testid": "run-title" });
  const badge = el("span", { class: "badge", "data-testid": "run-state" });
  const about = el("p", { class: "hint", "data-testid": "run-about" });
  const bar = el("progress", { max: 1, value: 0, "aria-labelledby": "run-progress", "data-testid": "run-bar" });
  const progress = el("p", { class: "number progress-text", id: "run-progress", "data-testid": "run-progress" });
  const actions = el("div", { class: "buttons", "data-testid": "run-actions" });
  const problem = el("div", { class: "problem", role: "alert", hidden: true, "data-testid": "run-problem" });
  const recipe = el("details", { class: "more" }, el("summary", {}, "All settings of this run"));
  const root = el("article", { class: "run-live", "aria-labelledby": "run-title", "data-testid": "run-live" },
    el("header", { class: "run-head" }, el("div", { class: "run-title-row" }, title, badge), about,
      el("div", { class: "run-progress" }, bar, progress), actions, problem),
    drawings.root, samples.root, recipe);

  /* -------------------------------------------------------------------- what the server says */

  /** @param {import("../base/sse.js").ServerEvent} event */
  function hear({ event, data }) {
    const said = JSON.parse(data);
    if (event === "steps") curves.addSteps(said);
    else if (event === "step") curves.addStep(said);
    else if (event === "evaluation") curves.addEvaluation(said);
    else if (event === "sample") curves.addSample(said);
    else if (event === "reset") curves.clear();
    else if (event === "state") become(said);
    redraw();
  }

  /** @param {Told} now */
  function become(now) {
    const before = told?.state;
    told = now;
    if (asked && (before !== now.state || now.problem)) asked = "";
    if (now.state === "deleted") return gone();
    if (before === now.state) return drawHead();
    if (before) announce(`${name} is ${now.state}.`);
    readRun();
    drawHead();
    if (before) shell.refresh().catch(() => {}); // the list and the chooser say it, too
  }

  function gone() {
    stream.abort();
    following = false;
    drawHead();
    shell.refresh().catch(() => {});
  }

  async function readRun() {
    const mine = name;
    try {
      const answer = await api.json(`/api/runs/${encodeURIComponent(mine)}`);
      if (mine !== name) return;
      run = answer;
      drawHead();
      drawRecipe();
      redraw();
    } catch (error) {
      if (mine === name && error instanceof api.ApiError && error.status !== 0) fail(error.message);
    }
  }

  function follow() {
    stream = new AbortController();
    following = true;
    const mine = stream.signal;
    api.follow(`/api/runs/${encodeURIComponent(name)}/events`, (event) => !mine.aborted && hear(event), mine, (error) => {
      if (error && error.status === 404) fail(error.message);
    });
  }

  /* -------------------------------------------------------------------- drawing */

  function redraw() {
    if (due) return;
    due = window.setTimeout(() => {
      due = 0;
      const began = performance.now();
      drawings.show({ curves, run: seen(), dropout: Number(run?.model?.dropout ?? 0), step: lastStep() });
      samples.show(curves.samples, name);
      pace = Math.max(REDRAW, REST * (performance.now() - began));
    }, pace);
  }

  /** The run with what was told of it since it was read. @returns {Run | null} */
  function seen() {
    const known = run ?? shell.runs().find((each) => each.name === name) ?? null;
    return known && told && told.state !== "deleted" ? { ...known, state: told.state } : known;
  }

  function lastStep() {
    return Math.max(curves.steps.at(-1)?.step ?? 0, curves.evaluations.at(-1)?.step ?? 0);
  }

  function drawHead() {
    const known = seen();
    const state = told?.state ?? known?.state ?? "";
    title.textContent = name;
    badge.textContent = state;
    badge.dataset.state = state;
    about.textContent = aboutText(known);
    const [step, total] = [told?.step ?? known?.step ?? 0, told?.total_steps ?? known?.total_steps ?? 0];
    bar.value = total ? Math.min(1, step / total) : 0;
    bar.parentElement?.toggleAttribute("hidden", !total || state === "deleted");
    const left = told?.seconds_left;
    progress.textContent = `step ${whole(step)} of ${whole(total)}${state === "training" && left != null ? ` · ${left < 1 ? "about to end" : `about ${duration(left)} left`}` : ""}`;
    drawProblem(state, told?.problem ?? known?.problem ?? null);
    drawActions(state);
  }

  /** @param {Run | null} known */
  function aboutText(known) {
    if (!known?.model) return "";
    const parts = [modelText(known.model, known.tokenizer ? known.model.vocab_size - known.tokenizer.symbols : 0)];
    if (known.data) parts.push(`learning from ${known.data.name} (${whole(known.data.characters)} characters)`);
    return `${capital(parts.join(", "))}.`;
  }

  /** @param {string} state @param {string | null} said */
  function drawProblem(state, said) {
    problem.hidden = !said;
    if (!said) return;
    const text = `${capital(said)}${/[.!?]$/.test(said) ? "" : "."}`;
    if (problem.dataset.text === text) return;
    problem.dataset.text = text;
    fill(problem, el("p", {}, text));
  }

  /** @param {string} text */
  function fail(text) {
    drawProblem("", text);
  }

  /** @param {string} state */
  function drawActions(state) {
    const wanted = `${name} ${state} ${asked}`;
    if (actions.dataset.drawn === wanted) return;
    const focused = /** @type {HTMLElement | null} */ (document.activeElement)?.closest("[data-testid='run-actions']") ? true : false;
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
    const state = { ...shell.store.get(), place, run: name, step, job: "", chat: "" };
    return el("a", { class: first ? "button primary" : "button", href: formatHash(state), "data-testid": testid }, text);
  }

  /** A finished run can be given more time. */
  function longer() {
    const minutes = el("input", { type: "number", min: 0.05, step: "any", required: true, value: Math.max(1, Math.round(2 * Number(run?.minutes ?? 5))), "aria-label": "minutes in all", "data-testid": "longer-minutes" });
    const form = el("form", { class: "longer" }, el("button", { "data-testid": "longer" }, "Train on"), "to", minutes, "minutes in all");
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      act("resume", { minutes: Number(minutes.value) });
    });
    return form;
  }

  function drawRecipe() {
    const settings = { .../** @type {any} */ (run)?.training, ...run?.model };
    fill(recipe, el("summary", {}, "All settings of this run"),
      el("p", { class: "note" }, run ? `Begun ${new Date(run.started).toLocaleString()}, ${bytes(run.bytes)} on disk.` : ""),
      el("dl", { class: "recipe mono" }, Object.entries(settings).map(([key, value]) => el("div", {}, el("dt", {}, key), el("dd", {}, String(value))))));
  }

  /* -------------------------------------------------------------------- asking */

  /** @param {string} action @param {Record<string, number>} [settings] */
  async function act(action, settings) {
    asked = action;
    drawHead();
    try {
      await api.json(`/api/runs/${encodeURIComponent(name)}/control`, { body: { action, ...(settings ? { settings } : {}) } });
      if (!following) follow();
    } catch (error) {
      asked = "";
      drawHead();
      fail(/** @type {Error} */ (error).message);
    }
  }

  function rest() {
    stream.abort();
    following = false;
  }

  // a browser keeps six connections to a server: a page that is not seen gives its own back, and reads on when it is
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) rest();
    else if (shown && told?.state !== "deleted" && !following) follow();
  });

  return {
    root,
    /** @param {string} wanted the name of the run to show */
    show(wanted) {
      shown = true;
      if (wanted !== name) {
        stream.abort();
        [name, run, told, asked, following] = [wanted, null, null, "", false];
        problem.hidden = true;
        delete problem.dataset.text;
        fill(recipe, el("summary", {}, "All settings of this run"));
        curves.clear();
        readRun();
      }
      if (!following && !document.hidden) follow();
      drawHead();
      redraw();
    },
    hide() {
      shown = false;
      rest();
    },
    name: () => name,
  };
}

/** @param {string} text */
function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
