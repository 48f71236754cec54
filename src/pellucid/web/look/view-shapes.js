// @ts-check
/** Shapes and budget: every tensor of the forward pass, in the order it is computed, with its size and cost. */
import * as api from "../base/api.js";
import { el, fill, svg, token as style } from "../base/dom.js";
import { createPanel } from "../parts/panel.js";
import { saveSvg } from "../parts/save.js";
import { bytes, short, whole } from "../base/scale.js";
import { asker, freshness, weights } from "./views.js";

export const id = "shapes";
export const tab = "Shapes";
export const title = "Shapes and budget";
export const hint =
  "Every tensor of one pass through the model, in the order it is computed, with what it holds and costs. " +
  "Open a row for its formula and its line of code.";

/**
 * @typedef {{name: string, what: string, shape: number[], symbols: string, parameters: number, flops: number,
 *   formula: string, source: string}} Row
 */

/** @param {Row} row @returns {string} "blocks.0" of "blocks.0.attention.q", "" outside of blocks */
const blockOf = (row) => /^blocks\.\d+/.exec(row.name)?.[0] ?? "";

/**
 * Rows in order, cut where a block begins or ends.
 * @param {Row[]} rows
 * @returns {{block: string, rows: Row[]}[]}
 */
export function inBlocks(rows) {
  /** @type {{block: string, rows: Row[]}[]} */
  const groups = [];
  for (const row of rows) {
    const block = blockOf(row);
    const last = groups[groups.length - 1];
    if (last && last.block === block) last.rows.push(row);
    else groups.push({ block, rows: [row] });
  }
  return groups;
}

/** @param {number[]} shape */
const times = (shape) => shape.map(whole).join(" × ");

/** @type {import("./views.js").View["mount"]} */
export function mount(root, shell) {
  /** @type {any} */
  let answer = null;
  const panel = createPanel(
    { id, title, hint },
    {
      saveSvg: () =>
        saveSvg(picture(), {
          title,
          stamp: panel.stampText(),
          legend: Object.entries(answer?.legend ?? {})
            .map(([symbol, n]) => `${symbol} = ${whole(Number(n))}`)
            .join(", "),
        }),
      table: () =>
        answer && {
          caption: "The tensors of one forward pass",
          columns: ["name", "what", "symbols", "shape", "parameters", "FLOPs", "formula", "source"],
          rows: answer.rows.map((/** @type {Row} */ row) => [
            row.name,
            row.what,
            row.symbols,
            times(row.shape),
            row.parameters,
            row.flops,
            row.formula,
            row.source,
          ]),
        },
    },
  );
  const facts = el("dl", { class: "facts budget" });
  const symbols = el("p", { class: "note symbols" });
  const flow = el("div", { class: "flow" });
  panel.body.append(facts, symbols, flow);
  root.append(panel.root);
  /** Blocks that were opened or closed by hand. @type {Map<string, boolean>} */
  const opened = new Map();

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

  function drawFlow() {
    const most = Math.max(1, ...answer.rows.map((/** @type {Row} */ row) => row.flops));
    const groups = inBlocks(answer.rows);
    const first = groups.findIndex((group) => group.block);
    fill(
      flow,
      head(),
      groups.map((group, i) => {
        if (!group.block) return list(group.rows, most);
        const open = opened.get(group.block) ?? i === first;
        const sum = (/** @type {"parameters" | "flops"} */ of) => group.rows.reduce((all, row) => all + row[of], 0);
        const details = el(
          "details",
          { class: "block", open },
          el(
            "summary",
            {},
            el("span", { class: "block-name" }, group.block.replace("blocks.", "block ")),
            el(
              "span",
              { class: "note" },
              `${group.rows.length} tensors, ${short(sum("parameters"))} parameters, ${short(sum("flops"))} FLOPs`,
            ),
          ),
          list(group.rows, most),
        );
        details.addEventListener("toggle", () => opened.set(group.block, details.open));
        return details;
      }),
    );
  }

  const head = () =>
    el(
      "div",
      { class: "flow-head note", "aria-hidden": "true" },
      el("span", {}, "tensor"),
      el("span", {}, "shape"),
      el("span", { class: "number" }, "parameters"),
      el("span", { class: "number" }, "FLOPs"),
      el("span", {}),
    );

  /** @param {Row[]} rows @param {number} most */
  function list(rows, most) {
    return el(
      "ul",
      {},
      rows.map((row) => {
        const about = `about-${row.name}`;
        const details = el(
          "dl",
          { class: "about-row", id: about, hidden: true },
          entry("tensor", row.name),
          entry("formula", row.formula),
          entry("code", row.source),
          entry("parameters", whole(row.parameters)),
          entry("FLOPs", whole(row.flops)),
          entry("numbers in it", whole(row.shape.reduce((all, n) => all * n, 1))),
        );
        const button = el(
          "button",
          {
            type: "button",
            class: "flow-row",
            "aria-expanded": "false",
            "aria-controls": about,
            "data-testid": "tensor",
            dataset: { name: row.name, parameters: row.parameters, flops: row.flops, shape: row.shape.join(",") },
            onclick: () => {
              details.hidden = !details.hidden;
              button.setAttribute("aria-expanded", String(!details.hidden));
            },
          },
          el(
            "span",
            { class: "flow-what" },
            el("span", {}, row.what),
            el("code", {}, row.name.replace(/^blocks\.\d+\./, "")),
          ),
          el(
            "span",
            { class: "flow-shape" },
            el("span", { class: "mono" }, times(row.shape)),
            el("span", { class: "note mono" }, row.symbols),
          ),
          el("span", { class: "number flow-number" }, row.parameters ? short(row.parameters) : "–"),
          el("span", { class: "number flow-number" }, row.flops ? short(row.flops) : "–"),
          el(
            "span",
            { class: "flow-bar", "aria-hidden": "true" },
            el("span", { style: { width: `${(100 * row.flops) / most}%` } }),
          ),
        );
        return el("li", {}, button, details);
      }),
    );
  }

  /** @param {string} name @param {string} text */
  const entry = (name, text) => el("div", {}, el("dt", {}, name), el("dd", { class: "mono" }, text || "–"));

  /** The rows as a drawing, block 0 standing for all. */
  function picture() {
    const rows = inBlocks(answer?.rows ?? [])
      .filter((group, i, all) => !group.block || i === all.findIndex((each) => each.block))
      .flatMap((group) => group.rows);
    const high = 24;
    const cell = (
      /** @type {number} */ x,
      /** @type {number} */ y,
      /** @type {string} */ text,
      /** @type {string} */ font,
      anchor = "start",
      ink = "ink",
    ) =>
      svg(
        "text",
        { x, y, "font-family": style(font), "font-size": 12.5, "text-anchor": anchor, fill: style(ink) },
        text,
      );
    return svg(
      "svg",
      { width: 1060, height: (rows.length + 1) * high, viewBox: `0 0 1060 ${(rows.length + 1) * high}` },
      cell(0, 14, "tensor (one block stands for all)", "sans", "start", "ink-soft"),
      cell(700, 14, "shape", "sans", "start", "ink-soft"),
      cell(960, 14, "parameters", "sans", "end", "ink-soft"),
      cell(1050, 14, "FLOPs", "sans", "end", "ink-soft"),
      ...rows.flatMap((row, i) => {
        const y = (i + 1) * high + 14;
        return [
          svg("line", { x1: 0, x2: 1060, y1: y + 8, y2: y + 8, stroke: style("hair") }),
          cell(0, y, row.what, "sans"),
          cell(330, y, row.name, "mono", "start", "ink-soft"),
          cell(700, y, times(row.shape), "mono"),
          cell(960, y, row.parameters ? short(row.parameters) : "–", "mono", "end"),
          cell(1050, y, row.flops ? short(row.flops) : "–", "mono", "end"),
        ];
      }),
    );
  }

  const question = asker({
    panel,
    ask: (body, signal) => api.json("/api/inspect/shapes", { body, signal }),
    answered(next) {
      answer = next;
      panel.ready(answer.stamp, answer.notes);
      drawFacts();
      drawFlow();
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
