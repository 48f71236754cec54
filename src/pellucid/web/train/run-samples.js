// @ts-check
/** What the model wrote while it learned, latest first, each with the step it stands for. */
import { el, fill } from "../base/dom.js";
import { whole } from "../base/scale.js";

const SHOWN = 3; // until all are asked for

export function createSamples() {
  let all = false;
  let drawn = "";
  /** @type {import("./curves.js").Sample[]} */
  let known = [];
  const list = el("ol", { class: "samples", reversed: true, "data-testid": "samples" });
  const more = el("button", { type: "button", class: "quiet", hidden: true, "data-testid": "all-samples", onclick: () => {
    all = !all;
    draw();
  } });
  const root = el("section", { class: "panel", "aria-labelledby": "samples-title" },
    el("div", { class: "panel-head" }, el("h2", { id: "samples-title" }, "What it writes"),
      el("p", { class: "hint" }, "The same beginning each time, as the model goes on with it at each evaluation; the latest first."),
      el("div", { class: "tools" }, more)),
    list);

  function draw() {
    const latest = [...known].reverse();
    fill(list, (all ? latest : latest.slice(0, SHOWN)).map(({ step, text }) =>
      el("li", { class: "sample", dataset: { step }, "data-testid": `sample-${step}` },
        el("p", { class: "note number" }, `step ${whole(step)}`), el("p", { class: "sample-text", dir: "auto" }, text || "(nothing)"))));
    more.hidden = latest.length <= SHOWN;
    more.textContent = all ? "show the latest" : `show all ${latest.length}`;
    root.hidden = latest.length === 0;
  }

  return {
    root,
    /** @param {import("./curves.js").Sample[]} samples @param {string} run */
    show(samples, run) {
      const now = `${run} ${samples.length} ${samples.at(-1)?.step} ${samples.at(-1)?.text.length}`;
      if (now === drawn) return;
      drawn = now;
      known = [...samples];
      draw();
    },
  };
}
