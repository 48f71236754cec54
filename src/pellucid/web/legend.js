// @ts-check
/** Legends: what the colours of a picture mean, with numbers. */
import { el } from "./dom.js";

/**
 * A strip of the scale's colours with its numbers below, where they lie on it.
 * @param {import("./scale.js").ColourScale} scale
 * @param {{label: string, marks: [number, string][], masked?: string}} words `marks`: a number and how it is written;
 *   `masked`: what hatched cells are
 */
export function scaleLegend(scale, { label, marks, masked }) {
  const strip = el("div", { class: "legend-strip", role: "presentation" });
  const [low, high] = scale.domain;
  // equal steps of colour, whatever the scale's shape: each piece is the colour of the number that lies there
  for (let i = 0; i < 48; i++) strip.append(el("span", { style: { background: scale.css(inverse(scale, (i + 0.5) / 48, low, high)) } }));
  const numbers = el("div", { class: "legend-numbers" }, marks.map(([value, text]) =>
    el("span", { style: { left: `${scale.share(value) * 100}%` } }, text)));
  return el("div", { class: "scale-legend" },
    el("span", { class: "note" }, label),
    el("div", { class: "legend-bar" }, strip, numbers),
    masked && el("span", { class: "note masked-key" }, el("span", { class: "hatched" }), masked));
}

/** The number at a share of the colours, by halving: shapes only grow. @param {import("./scale.js").ColourScale} scale @param {number} share @param {number} low @param {number} high */
function inverse(scale, share, low, high) {
  let [from, to] = [low, high];
  for (let i = 0; i < 40; i++) {
    const middle = (from + to) / 2;
    if (scale.share(middle) < share) from = middle;
    else to = middle;
  }
  return (from + to) / 2;
}

