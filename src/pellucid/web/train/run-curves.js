// @ts-check
/** The curves of a training: loss in large, learning rate, speed and gradient norm in small, over tokens, steps or time. */
import { duration } from "../base/axes.js";
import { el, fill } from "../base/dom.js";
import { createLinePlot } from "../parts/line.js";
import { painted } from "../parts/paint.js";
import { createPanel } from "../parts/panel.js";
import { savePng, saveSvg } from "../parts/save.js";
import { short, significant, whole } from "../base/scale.js";
import { smooth } from "../base/series.js";

/** @typedef {import("./curves.js").Curves} Curves @typedef {import("./curves.js").Along} Along */
/** @typedef {import("../parts/line.js").Line} Line */
/** @typedef {{curves: Curves, run: import("../base/types.js").Run | null, dropout: number, step: number}} Facts */

const KEEP = 0.9; // of the average so far, at each step
const SAMPLE = "training sample";

/** What may be chosen below the curves' title. @type {{id: Along, label: string, axis: string}[]} */
const ALONG = [
  { id: "tokens", label: "tokens", axis: "tokens read" },
  { id: "step", label: "steps", axis: "steps" },
  { id: "seconds", label: "time", axis: "time of training" },
];

/** @type {{id: "rate" | "tokens_per_second" | "gradient_norm", label: string, format: (value: number) => string}[]} */
const SMALL = [
  { id: "rate", label: "Learning rate", format: (value) => significant(value, 3) },
  { id: "tokens_per_second", label: "Tokens a second", format: (value) => short(value) },
  { id: "gradient_norm", label: "Gradient norm", format: (value) => significant(value, 3) },
];

/** What each line is, for those who ask. @type {[string, string][]} */
const MEANINGS = [
  ["training batch", "each batch, scored just before the model learns from it"],
  [SAMPLE, "always the same stretch of the text it learns from"],
  ["dev", "text it does not learn from; the weights that score best on it are kept"],
  ["validation", "text that was kept aside until the end, scored once with the weights that were kept"],
  ["counted bigram", "the same validation text, scored by counting which token follows which: a model has to beat it"],
  ["floor", "of a text whose entropy is known, as of tales: no model can be below it"],
];

function meanings() {
  return el("details", { class: "meanings" }, el("summary", {}, "What the lines are"),
    el("dl", { class: "report" }, MEANINGS.map(([name, meaning]) => el("div", { class: "row" }, el("dt", {}, name), el("dd", {}, meaning)))));
}

export function createRunCurves() {
  /** @type {Facts | null} */
  let facts = null;
  /** @type {Along} */
  let along = "tokens";
  /** @type {Set<string>} */
  const hidden = new Set(["smooth"]);
  const log = { x: false, y: false };

  const plot = createLinePlot({
    id: "loss", label: "Loss", height: 340, read,
    toggled: (id) => {
      if (!hidden.delete(id)) hidden.add(id);
      draw();
    },
  });
  const panel = createPanel(
    { id: "curves", title: "Loss", hint: "How surprised the model is by each next token, in nats: lower is better." },
    {
      savePng: () => plot.withKey((picture) => savePng(painted(picture), caption())),
      saveSvg: () => plot.withKey((picture) => saveSvg(picture, caption())),
      table,
    },
  );
  const why = el("p", { class: "note why", "data-testid": "why-lower" });
  const small = SMALL.map(({ id, label }) => ({ id, label, plot: createLinePlot({ id, label, height: 120, small: true, read }) }));
  panel.body.append(
    el("div", { class: "curve-tools" },
      el("fieldset", { class: "segmented" }, el("legend", { class: "unseen" }, "over"), ALONG.map(alongChoice)),
      check("smooth batch", "smooth", () => !hidden.has("smooth"), (on) => void (on ? hidden.delete("smooth") : hidden.add("smooth"))),
      check("log x", "log-x", () => log.x, (on) => void (log.x = on)),
      check("log loss", "log-y", () => log.y, (on) => void (log.y = on))),
    plot.root, why, meanings(),
    el("div", { class: "small-plots" }, small.map((each) => el("section", { "aria-label": each.label }, el("h3", {}, each.label), each.plot.root))));

  /** All of them are read at one place. @param {number | null} x */
  function read(x) {
    for (const each of [plot, ...small.map((one) => one.plot)]) each.readAt(x);
  }

  /** @param {{id: Along, label: string}} choice */
  function alongChoice({ id, label }) {
    const input = el("input", { type: "radio", name: "along", value: id, checked: id === along, "data-testid": `along-${id}`, onchange: () => {
      along = id;
      draw();
    } });
    return el("label", {}, input, el("span", {}, label));
  }

  /** @param {string} label @param {string} id @param {() => boolean} is @param {(on: boolean) => void} become */
  function check(label, id, is, become) {
    const input = el("input", { type: "checkbox", checked: is(), "data-testid": id, onchange: () => {
      become(input.checked);
      draw();
    } });
    return el("label", { class: "check" }, input, label);
  }

  /** @returns {Line[]} */
  function lossLines() {
    const { curves, run } = /** @type {Facts} */ (facts);
    const batch = curves.ofSteps("loss", along);
    const level = (/** @type {number | null | undefined} */ value) => (typeof value === "number" ? [{ x: 0, y: value }] : []);
    const marked = /** @type {const} */ ("marked");
    /** @type {Omit<Line, "shown">[]} */
    const lines = [
      { id: "batch", label: "training batch", kind: "line", points: batch },
      { id: "smooth", label: "batch, smoothed", kind: "line", points: smooth(batch, KEEP), listed: !hidden.has("smooth") },
      { id: "sample", label: SAMPLE, kind: marked, points: curves.ofEvaluations("train_sample_loss", along) },
      { id: "dev", label: "dev", kind: marked, points: curves.ofEvaluations("dev_loss", along) },
      { id: "finetune", label: "fine-tune", kind: marked, points: curves.ofEvaluations("finetune_loss", along) },
      { id: "validation", label: "validation", kind: "level", points: level(run?.validation_loss) },
      { id: "bigram", label: "counted bigram", kind: "level", points: level(run?.bigram_loss) },
      { id: "floor", label: "floor", kind: "level", points: level(run?.floor?.level) },
    ];
    return lines.map((line) => ({ ...line, shown: !hidden.has(line.id) }));
  }

  function scaleX() {
    const axis = /** @type {{axis: string}} */ (ALONG.find(({ id }) => id === along)).axis;
    const kind = log.x ? /** @type {const} */ ("log") : /** @type {const} */ ("linear");
    if (along === "seconds") return { kind, label: axis, format: duration, values: duration };
    return { kind, label: axis, format: short, values: (/** @type {number} */ value) => (along === "step" ? "" : `${whole(value)} ${axis}`) };
  }

  function draw() {
    if (!facts) return;
    const y = { kind: log.y ? /** @type {const} */ ("log") : /** @type {const} */ ("linear"), label: "loss", format: (/** @type {number} */ value) => significant(value, 3), values: (/** @type {number} */ value) => value.toFixed(3) };
    plot.draw({ lines: lossLines(), x: scaleX(), y });
    for (const { id, label, plot: chart } of small) {
      const format = /** @type {(value: number) => string} */ (SMALL.find((each) => each.id === id)?.format);
      chart.draw({
        lines: [{ id: "quiet", label, kind: "line", points: facts.curves.ofSteps(id, along), shown: true }], x: scaleX(),
        y: { kind: "linear", label, format, values: format },
      });
    }
    explain();
  }

  /** Why the curves may stand as they do, where one would wonder. */
  function explain() {
    const { curves, dropout } = /** @type {Facts} */ (facts);
    const last = curves.evaluations.at(-1);
    const said = [];
    if (dropout > 0) {
      said.push(`While it learns, ${significant(100 * dropout, 2)}% of the activations are left out (dropout); training sample, dev and validation are measured with all of them, which is why they may lie below the training batch.`);
    }
    if (last?.dev_loss != null && last.dev_loss < last.train_sample_loss) {
      said.push("Dev is another stretch of the text than the training sample, here an easier one: that it lies below does not mean that the model knows it better.");
    }
    why.hidden = said.length === 0;
    fill(why, said.join(" "));
  }

  function caption() {
    return { title: "Loss", stamp: panel.stampText(), legend: `nats a token over ${scaleX().label}` };
  }

  /** Evaluations first, for they are what one compares; then the batches. */
  function table() {
    if (!facts) return null;
    const { curves } = facts;
    const evaluated = new Map(curves.evaluations.map((each) => [each.step, each]));
    const steps = new Map(curves.steps.map((each) => [each.step, each]));
    const all = [...new Set([...evaluated.keys(), ...steps.keys()])].sort((a, b) => Number(evaluated.has(b)) - Number(evaluated.has(a)) || a - b);
    return {
      caption: `Losses of ${panel.stampText()}, in nats a token; steps with an evaluation first`,
      columns: ["step", "tokens", "seconds", "batch", SAMPLE, "dev", "learning rate", "gradient norm", "tokens a second"],
      rows: all.map((step) => {
        const [batch, evaluation] = [steps.get(step), evaluated.get(step)];
        const known = evaluation ?? batch;
        return [step, known?.tokens ?? "", known?.seconds ?? "", batch?.loss ?? "", evaluation?.train_sample_loss ?? "", evaluation?.dev_loss ?? "",
          batch?.rate ?? "", batch?.gradient_norm ?? "", batch?.tokens_per_second ?? ""];
      }),
    };
  }

  return {
    root: panel.root,
    /** @param {Facts} now */
    show(now) {
      facts = now;
      panel.ready(now.run ? { run: now.run.name, step: now.step, kind: now.run.state === "training" || now.run.state === "paused" ? "live" : "checkpoint" } : null);
      draw();
    },
  };
}
