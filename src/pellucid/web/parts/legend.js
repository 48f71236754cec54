// @ts-check
/** Legends: what the colours of a picture mean, with numbers. */
import { el } from "../base/dom.js";

/** Numbers on the scale of attention weights. @type {[number, string][]} */
export const WEIGHT_MARKS = [
  [0, "0"],
  [0.05, "0.05"],
  [0.25, "0.25"],
  [0.5, "0.5"],
  [1, "1"],
];

/**
 * A strip of the scale's colours with its numbers below, where they lie on it.
 * @param {import("../base/scale.js").ColourScale} scale
 * @param {{label: string, marks: [number, string][], masked?: string}} words `marks`: a number and how it is written;
 *   `masked`: what hatched cells are
 */
export function scaleLegend(scale, { label, marks, masked }) {
  const strip = el("div", { class: "legend-strip", role: "presentation" });
  // equal steps of colour, whatever the scale's shape: each piece is the colour of the number that lies there
  for (let i = 0; i < 48; i++)
    strip.append(el("span", { style: { background: scale.css(scale.invert((i + 0.5) / 48)) } }));
  const numbers = el(
    "div",
    { class: "legend-numbers" },
    marks.map(([value, text]) => el("span", { style: { left: `${scale.share(value) * 100}%` } }, text)),
  );
  return el(
    "div",
    { class: "scale-legend" },
    el("span", { class: "note" }, label),
    el("div", { class: "legend-bar" }, strip, numbers),
    masked && el("span", { class: "note masked-key" }, el("span", { class: "hatched" }), masked),
  );
}
