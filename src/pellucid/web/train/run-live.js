// @ts-check
/** One run as it goes on, or as it went: state, buttons, curves and samples, all told by the server's events. */
import * as api from "../base/api.js";
import { Curves } from "./curves.js";
import { announce, el, fill } from "../base/dom.js";
import { createRunCurves } from "./run-curves.js";
import { createRunHead } from "./run-head.js";
import { createSamples } from "./run-samples.js";
import { bytes } from "../base/scale.js";

/** @typedef {import("../base/types.js").Run} Run */
/** @typedef {{state: Run["state"] | "deleted", step: number, total_steps: number, seconds_left: number | null, problem: string | null,
 *    floor?: import("../base/types.js").Floor | null}} Told */

const REDRAW = 250; // milliseconds between two drawings, however fast steps come
const REST = 10; // times as long as a drawing took: long trainings have many points

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
  /** What went wrong with what was asked last. */
  let complaint = "";

  const head = createRunHead(shell, act);
  const recipe = el("details", { class: "more" }, el("summary", {}, "All settings of this run"));
  const root = el("article", { class: "run-live", "aria-labelledby": "run-title", "data-testid": "run-live" },
    head.root, drawings.root, samples.root, recipe);

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
    complaint = "";
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
    return known && told && told.state !== "deleted" ? { ...known, state: told.state, floor: told.floor ?? null } : known;
  }

  function lastStep() {
    return Math.max(curves.steps.at(-1)?.step ?? 0, curves.evaluations.at(-1)?.step ?? 0);
  }

  function drawHead() {
    const known = seen();
    const { step, total_steps: total } = { ...known, ...told };
    head.show({
      name, known, state: told?.state ?? known?.state ?? "", asked, problem: told?.problem ?? known?.problem ?? complaint,
      step: step ?? 0, total: total ?? 0, left: told?.seconds_left ?? null,
    });
  }

  /** Say what went wrong with what was asked, until something else is asked or goes on. @param {string} text */
  function fail(text) {
    complaint = text;
    drawHead();
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
    [asked, complaint] = [action, ""];
    drawHead();
    try {
      await api.json(`/api/runs/${encodeURIComponent(name)}/control`, { body: { action, ...(settings ? { settings } : {}) } });
      if (!following) follow();
    } catch (error) {
      asked = "";
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
        [name, run, told, asked, complaint, following] = [wanted, null, null, "", "", false];
        fill(recipe, el("summary", {}, "All settings of this run"));
        curves.clear();
        clearTimeout(due);
        [due, pace] = [0, 0]; // another run's curves must not stay under this one's name
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
