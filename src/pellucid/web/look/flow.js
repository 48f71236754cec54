// @ts-check
/** The tensors of a forward pass as a list, block by block, and as a drawing to be kept. */
import { el, fill, svg, token as style } from "../base/dom.js";
import { short, significant, whole } from "../base/scale.js";

/**
 * @typedef {{name: string, what: string, shape: number[], symbols: string, parameters: number, flops: number,
 *   formula: string, source: string, says: string, mean: number | null, std: number | null,
 *   norm: number | null}} Row
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
export const times = (shape) => shape.map(whole).join(" × ");

/** A list whose blocks open and close, and stay so when it is shown anew. */
export function createFlow() {
  const root = el("div", { class: "flow" });
  /** Blocks that were opened or closed by hand. @type {Map<string, boolean>} */
  const opened = new Map();

  /** @param {Row[]} all */
  function show(all) {
    const most = Math.max(1, ...all.map((row) => row.flops));
    const groups = inBlocks(all);
    const first = groups.findIndex((group) => group.block);
    fill(
      root,
      head(),
      groups.map((group, i) => {
        if (!group.block) return list(group.rows, most);
        const open = opened.get(group.block) ?? i === first;
        const sum = (/** @type {"parameters" | "flops"} */ of) => group.rows.reduce((before, row) => before + row[of], 0);
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

  return { root, show };
}

/** The names of the columns. */
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
    rows.map((row) => entryOf(row, most)),
  );
}

/** A row that opens: what it is, and below it where that comes from. @param {Row} row @param {number} most */
function entryOf(row, most) {
  const about = `about-${row.name}`;
  const details = el(
    "dl",
    { class: "about-row", id: about, hidden: true },
    entry("tensor", row.name),
    entry("what it is", row.says),
    entry("formula", row.formula),
    entry("code", row.source),
    entry("parameters", whole(row.parameters)),
    entry("FLOPs", whole(row.flops)),
    entry("numbers in it", whole(row.shape.reduce((all, n) => all * n, 1))),
    entry("mean", fact(row.mean)),
    entry("standard deviation", fact(row.std)),
    entry("norm", fact(row.norm)),
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
}

/** Of numbers that name or count there is none. @param {number | null} value */
const fact = (value) => (value === null ? "" : significant(value));

/** @param {string} name @param {string} text */
const entry = (name, text) => el("div", {}, el("dt", {}, name), el("dd", { class: "mono" }, text || "–"));

/** The rows as a drawing, block 0 standing for all. @param {Row[]} all */
export function flowPicture(all) {
  const rows = inBlocks(all)
    .filter((group, i, groups) => !group.block || i === groups.findIndex((each) => each.block))
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
