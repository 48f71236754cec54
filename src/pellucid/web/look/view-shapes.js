// @ts-check
/** Shapes and budget: every tensor of the forward pass, in the order it is computed, with its size and cost. */
import * as api from "../base/api.js";
import { el, fill } from "../base/dom.js";
import { createPanel } from "../parts/panel.js";
import { saveSvg } from "../parts/save.js";
import { bytes, short, whole } from "../base/scale.js";
import { createFlow, flowPicture, times } from "./flow.js";
import { asker, freshness, weights } from "./views.js";

export const id = "shapes";
export const tab = "Shapes";
export const title = "Shapes and budget";
export const hint =
  "Every tensor of one pass through the model, in the order it is computed, with what it holds and costs. " +
  "Open a row for its formula and its line of code.";

/** @type {import("./views.js").View["mount"]} */
export function mount(root, shell) {
  /** @type {any} */
  let answer = null;
  const panel = createPanel(
    { id, title, hint },
    {
      saveSvg: () =>
        saveSvg(flowPicture(answer?.rows ?? []), {
          title,
          stamp: panel.stampText(),
          legend: Object.entries(answer?.legend ?? {})
            .map(([symbol, n]) => `${symbol} = ${whole(Number(n))}`)
            .join(", "),
        }),
      table: () =>
        answer && {
          caption: "The tensors of one forward pass",
          columns: ["name", "what", "symbols", "shape", "parameters", "FLOPs", "formula", "source", "mean", "deviation", "norm"],
          rows: answer.rows.map((/** @type {import("./flow.js").Row} */ row) => [
            row.name,
            row.what,
            row.symbols,
            times(row.shape),
            row.parameters,
            row.flops,
            row.formula,
            row.source,
            row.mean ?? "",
            row.std ?? "",
            row.norm ?? "",
          ]),
        },
    },
  );
  const facts = el("dl", { class: "facts budget" });
  const symbols = el("p", { class: "note symbols" });
  const flow = createFlow();
  panel.body.append(facts, symbols, flow.root);
  root.append(panel.root);
  function drawFacts() {
    const { totals, measured } = answer;
    /** @type {[string, number | null, string, string][]} */
    const rows = [
      ["parameters", totals.parameters, short(totals.parameters), "numbers that training learns"],
      [
        "active a token",
        totals.active_parameters === totals.parameters ? null : totals.active_parameters,
        short(totals.active_parameters),
        "numbers that one token meets",
      ],
      ["bytes of weights", totals.weights_bytes, bytes(totals.weights_bytes), "four a parameter"],
      ["FLOPs for this prompt", totals.flops, short(totals.flops), "additions and multiplications"],
      ["FLOPs a token", totals.flops_per_token, short(totals.flops_per_token), ""],
      ["bytes of keys and values", totals.kv_bytes, bytes(totals.kv_bytes), "kept for this prompt while writing"],
      [
        "tokens a second, reading",
        measured?.prompt_tokens_per_second ?? null,
        whole(Math.round(measured?.prompt_tokens_per_second ?? 0)),
        "measured here, now",
      ],
      [
        "tokens a second, writing",
        measured?.tokens_per_second ?? null,
        whole(Math.round(measured?.tokens_per_second ?? 0)),
        "measured here, now",
      ],
      [
        "tokens a second, training",
        measured?.training_tokens_per_second ?? null,
        whole(Math.round(measured?.training_tokens_per_second ?? 0)),
        "when this run was trained",
      ],
    ];
    fill(
      facts,
      rows
        .filter(([, value]) => value !== null)
        .map(([words, value, text, says]) =>
          el("div", { title: says }, el("dt", {}, words), el("dd", { dataset: { value: String(value) } }, text)),
        ),
    );
    fill(
      symbols,
      ...Object.entries(answer.legend).flatMap(([symbol, n]) => [
        el("span", {}, el("b", { class: "mono" }, symbol), ` ${SYMBOLS[symbol] ?? ""} ${whole(Number(n))}`),
      ]),
    );
  }

  const question = asker({
    panel,
    ask: (body, signal) => api.json("/api/inspect/shapes", { body, signal }),
    answered(next) {
      answer = next;
      panel.ready(answer.stamp, answer.notes);
      drawFacts();
      flow.show(answer.rows);
    },
  });

  return {
    update: () => question.update({ ...weights(shell), text: shell.prompt() ?? "" }, freshness(shell)),
    destroy() {
      question.stop();
      root.replaceChildren();
    },
  };
}

/** @type {Record<string, string>} */
const SYMBOLS = {
  B: "texts at once",
  T: "tokens",
  C: "channels",
  H: "heads",
  K: "key/value heads",
  D: "numbers a head",
  F: "hidden channels",
  V: "vocabulary",
  E: "experts",
  k: "experts a token",
  N: "tokens of all texts",
};
