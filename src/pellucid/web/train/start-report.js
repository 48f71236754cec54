// @ts-check
/** A preview's report on the page: the forecast; what was found and what would be trained. */
import { el } from "../base/dom.js";
import { forecastText, foundRows, planRows } from "./report.js";
import { visible } from "../base/token-text.js";

/** @typedef {import("./report.js").Preview} Preview @typedef {import("./report.js").Row} Row */

const TINTS = 6;

/** @param {Preview} found */
export function forecastOf(found) {
  const [takes, writes] = forecastText(found);
  return el("div", { class: "forecast", "data-testid": "forecast", dataset: { steps: found.forecast.steps, seconds: found.forecast.seconds } },
    el("p", { class: "lead" }, writes), el("p", {}, takes));
}

/** @param {Preview} found */
export function reportOf(found) {
  return el("div", { class: "report-columns" },
    el("section", { "aria-label": "The text" }, el("h3", {}, "The text"), rowsOf(foundRows(found)), beginning(found)),
    el("section", { "aria-label": "What would be trained" }, el("h3", {}, "What would be trained"), rowsOf(planRows(found)), pieces(found)));
}

/** @param {Row[]} told */
export function rowsOf(told) {
  return el("dl", { class: "report" }, told.map((row) =>
    el("div", { class: row.warning ? "row warning" : "row", "data-testid": `report-${row.id}` },
      el("dt", {}, row.label), row.lines.map((line) => el("dd", {}, line)))));
}

/** @param {Preview} found */
function beginning(found) {
  return el("figure", { class: "beginning" },
    el("figcaption", { class: "note" }, "How it begins"),
    el("pre", { tabindex: 0, dir: "auto", "aria-label": "How the text begins", "data-testid": "report-beginning" }, found.beginning.join("\n")));
}

/** @param {Preview} found */
function pieces(found) {
  return el("figure", { class: "pieces" },
    el("figcaption", { class: "note" }, `One line as its ${found.tokenizer.pieces.length} tokens`),
    el("p", { class: "mono", "data-testid": "report-pieces" },
      found.tokenizer.pieces.map((piece, n) => el("span", { class: `piece t${n % TINTS}` }, visible(piece)))));
}
