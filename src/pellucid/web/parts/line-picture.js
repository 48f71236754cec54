// @ts-check
/** How lines are drawn in SVG: axes, grid, the lines themselves, and a key for a picture that is kept. */
import { makeAxis, marks, place } from "../base/axes.js";
import { svg } from "../base/dom.js";
import { extent, thin } from "../base/series.js";

/** @typedef {import("../base/axes.js").AxisKind} AxisKind */
/** @typedef {{x: number, y: number, step?: number}} Mark */
/**
 * @typedef {Object} Line
 * @property {string} id  also its class: `line-<id>`
 * @property {string} label
 * @property {"line" | "marked" | "level"} kind  marked: with a dot at each point; level: one value, drawn across
 * @property {Mark[]} points  by rising x; of a level, one
 * @property {boolean} shown
 * @property {boolean} [listed]  in the legend (default); what accompanies another line is not
 */
/** @typedef {{kind: AxisKind, label: string, format: (value: number) => string, values?: (value: number) => string}} Scale */
/** @typedef {{lines: Line[], x: Scale, y: Scale}} Data  `values` formats what is read, `format` the ticks */

/** @typedef {{width: number, height: number, small: boolean}} Box  the room of a picture, in pixels */
/** @typedef {ReturnType<typeof axes>} Plane */

export const LEFT = 46;
export const RIGHT = 12;
export const TOP = 8;
const PIXELS_A_BUCKET = 2;
const KEY_WIDTH = 160; // of a line's name in a picture that is kept
const KEY_ROW = 20;

/** What is drawn, and where its values lie. @param {Data} shown @param {Box} box */
export function axes(shown, { width, height, small }) {
  const drawn = shown.lines.filter((line) => line.shown && line.points.length);
  const across = drawn.filter((line) => line.kind !== "level");
  const [x0, x1] = extent(across.flatMap((line) => [line.points[0].x, line.points[line.points.length - 1].x]));
  const [y0, y1] = extent(drawn.flatMap((line) => line.points.map((point) => point.y)));
  const bottom = height - (small ? 20 : 34);
  const positive = shown.x.kind === "log" ? Math.max(x0, firstPositive(across)) : x0;
  const x = makeAxis(shown.x.kind, positive, x1, LEFT, Math.max(width - RIGHT, LEFT + 20));
  const margin = shown.y.kind === "log" ? 0 : (y1 - y0) * 0.04;
  const low = y0 >= 0 ? Math.max(0, y0 - margin) : y0 - margin;
  return { x, y: makeAxis(shown.y.kind, low, y1 + margin, bottom, TOP), bottom, drawn };
}

/** @param {Plane} on @param {Data} shown @param {Box} box */
export function grid({ x, y, bottom }, shown, { width, height, small }) {
  const parts = [];
  for (const value of marks(y, small ? 3 : 6)) {
    const at = place(y, value);
    parts.push(svg("line", { class: "plot-grid", x1: LEFT, x2: width - RIGHT, y1: at, y2: at }),
      svg("text", { class: "plot-tick", x: LEFT - 8, y: at, "text-anchor": "end", "dominant-baseline": "middle" }, shown.y.format(value)));
  }
  for (const value of marks(x, Math.max(3, Math.floor(width / (small ? 80 : 90))))) {
    const at = place(x, value);
    parts.push(svg("line", { class: "plot-grid plot-notch", x1: at, x2: at, y1: bottom, y2: bottom + 4 }),
      svg("text", { class: "plot-tick", x: Math.min(at, width - RIGHT - 8), y: bottom + 15, "text-anchor": "middle" }, shown.x.format(value)));
  }
  parts.push(svg("line", { class: "plot-axis", x1: LEFT, x2: width - RIGHT, y1: bottom, y2: bottom }));
  if (!small) parts.push(svg("text", { class: "plot-tick", x: width - RIGHT, y: height - 3, "text-anchor": "end" }, shown.x.label));
  return parts;
}

/** @param {Line} line @param {Plane} on @param {Box} box */
export function drawLine(line, { x, y }, { width, small }) {
  const kind = `line-${line.id}`;
  const data = { n: line.points.length, last: line.points[line.points.length - 1].y };
  if (line.kind === "level") {
    const at = place(y, line.points[0].y);
    return svg("line", { class: kind, x1: LEFT, x2: width - RIGHT, y1: at, y2: at, dataset: data, "data-testid": kind });
  }
  const buckets = Math.max(10, Math.floor((width - LEFT - RIGHT) / PIXELS_A_BUCKET));
  const seen = thin(line.points.filter((point) => x.kind === "linear" || point.x >= x.low), buckets, (value) => place(x, value));
  const path = seen.map((point, n) => `${n ? "L" : "M"}${place(x, point.x).toFixed(1)} ${place(y, point.y).toFixed(1)}`).join("");
  const dots = line.kind !== "marked" ? [] : seen.map((point) =>
    svg("circle", { class: `dot-${line.id}`, cx: place(x, point.x), cy: place(y, point.y), r: small ? 2 : 3,
      dataset: { x: point.x, y: point.y, step: point.step ?? "" } }));
  return svg("g", { dataset: data, "data-testid": kind }, svg("path", { class: kind, d: path }), dots);
}

/** Names of lines below a picture that is kept; it grows by that. @param {SVGSVGElement} kept @param {Line[]} lines @param {Box} box */
export function addKey(kept, lines, { width, height }) {
  const perRow = Math.max(1, Math.floor(width / KEY_WIDTH));
  const tall = height + KEY_ROW * Math.ceil(lines.length / perRow) + 6;
  lines.forEach((line, n) => {
    const [x, y] = [LEFT + (n % perRow) * KEY_WIDTH, height + KEY_ROW * (Math.floor(n / perRow) + 0.6)];
    kept.append(svg("line", { class: `line-${line.id}`, x1: x, x2: x + 22, y1: y, y2: y }),
      svg("text", { class: "plot-tick", x: x + 30, y, "dominant-baseline": "middle" }, line.label));
  });
  kept.setAttribute("height", String(tall));
  kept.setAttribute("viewBox", `0 0 ${width} ${tall}`);
}

/** The least x above zero, where a logarithmic axis can begin. @param {Line[]} lines */
function firstPositive(lines) {
  const [low] = extent(lines.flatMap((line) => line.points.filter((point) => point.x > 0).map((point) => point.x)));
  return Number.isFinite(low) ? low : 1;
}
