// @ts-check
/**
 * Lines over a common axis: drawn in SVG, read by the pointer or by arrow keys. The legend is the switchboard, too: its
 * buttons show and hide the lines and say their values where one reads, or else the latest.
 */
import { makeAxis, marks, place, valueAt } from "../base/axes.js";
import { el, fill, svg } from "../base/dom.js";
import { extent, nearest, thin } from "../base/series.js";

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

const LEFT = 46;
const RIGHT = 12;
const TOP = 8;
const PIXELS_A_BUCKET = 2;
const KEY_WIDTH = 160; // of a line's name in a picture that is kept
const KEY_ROW = 20;

/**
 * @param {{id: string, label: string, height: number, small?: boolean, toggled?: (id: string) => void,
 *   read?: (x: number | null) => void}} options  `toggled` is told when a legend's button is pressed; `read` is
 *   told where one reads, and has to call `readAt`
 */
export function createLinePlot({ id, label, height, small = false, toggled, read }) {
  const picture = svg("svg", { class: "plot-picture", height, "aria-hidden": "true" });
  const area = el("div", {
    class: "plot-area", tabindex: 0, role: "slider", "aria-label": `${label}: arrow keys read values`,
    "aria-valuemin": 0, "aria-valuemax": 0, "aria-valuenow": 0, "aria-valuetext": "no values yet", "data-testid": `area-${id}`,
  }, picture);
  const legend = el("div", { class: "plot-legend", "data-testid": `legend-${id}` });
  const where = el("p", { class: "plot-where number", "data-testid": `where-${id}` });
  const root = el("figure", { class: small ? "plot plot-small" : "plot", "data-testid": `plot-${id}`, "aria-label": label }, legend, area, where);

  /** @type {Data | null} */
  let data = null;
  /** Where one reads, as a value of x. @type {number | null} */
  let cursor = null;
  let width = 0;
  /** @type {ReturnType<typeof axes> | null} */
  let plane = null;
  const cursorLayer = svg("g", { class: "plot-cursor" });

  /** @param {Data} shown */
  function axes(shown) {
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

  function drawPicture() {
    if (!data || width < 60) return;
    plane = axes(data);
    picture.setAttribute("width", String(width));
    picture.setAttribute("viewBox", `0 0 ${width} ${height}`);
    fill(picture, grid(plane, data), plane.drawn.map((line) => drawLine(line, /** @type {NonNullable<typeof plane>} */ (plane))), cursorLayer);
    drawCursor();
  }

  /** @param {NonNullable<typeof plane>} on @param {Data} shown */
  function grid({ x, y, bottom }, shown) {
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

  /** @param {Line} line @param {NonNullable<typeof plane>} on */
  function drawLine(line, { x, y }) {
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

  /* -------------------------------------------------------------------- reading */

  /** The points one may stop at: those of the line with the most. */
  function stops() {
    const across = (plane?.drawn ?? []).filter((line) => line.kind !== "level");
    return across.reduce((/** @type {Mark[]} */ most, line) => (line.points.length > most.length ? line.points : most), []);
  }

  function drawCursor() {
    fill(cursorLayer);
    drawLegend();
    if (!data || !plane) return;
    const points = stops();
    const here = readPoint();
    where.textContent = here && !(small && cursor === null) ? whereText(here) : "";
    area.setAttribute("aria-valuemax", String(Math.max(0, points.length - 1)));
    area.setAttribute("aria-valuenow", String(here ? points.indexOf(here) : 0));
    area.setAttribute("aria-valuetext", here ? `${whereText(here)}: ${plane.drawn.filter((line) => line.listed !== false).map((line) => `${line.label} ${valueText(line)}`).join(", ")}` : "no values yet");
    if (cursor === null || !here) return;
    const at = place(plane.x, here.x);
    cursorLayer.append(svg("line", { class: "plot-hair", x1: at, x2: at, y1: TOP, y2: plane.bottom }));
    for (const line of plane.drawn) {
      const point = pointAt(line);
      if (point) cursorLayer.append(svg("circle", { class: `dot-${line.id} plot-read`, cx: line.kind === "level" ? at : place(plane.x, point.x), cy: place(plane.y, point.y), r: 4 }));
    }
  }

  /** @param {Mark} point */
  function whereText(point) {
    const said = data ? (data.x.values ?? data.x.format)(point.x) : "";
    const step = point.step === undefined ? "" : `step ${point.step.toLocaleString("en-US")}`;
    return `${cursor === null ? "latest: " : ""}${[step, small ? "" : said].filter(Boolean).join(" · ")}`;
  }

  /** Of a line, the point nearest to where one reads, or the last. @param {Line} line @returns {Mark | undefined} */
  function pointAt(line) {
    if (line.kind === "level") return line.points[0];
    return line.points[cursor === null ? line.points.length - 1 : nearest(line.points, cursor)];
  }

  /** What a line says where one reads; of a point at another step, which step that is. @param {Line} line */
  function valueText(line) {
    const point = pointAt(line);
    if (!point || !data) return "";
    const value = (data.y.values ?? data.y.format)(point.y);
    const here = readPoint();
    const elsewhere = line.kind !== "level" && here?.step !== undefined && point.step !== here.step;
    return elsewhere ? `${value} at ${point.step?.toLocaleString("en-US")}` : value;
  }

  /** The point that one reads, or the last. */
  function readPoint() {
    const points = stops();
    return points.length ? points[cursor === null ? points.length - 1 : nearest(points, cursor)] : null;
  }

  function drawLegend() {
    const listed = (data?.lines ?? []).filter((line) => line.listed !== false && line.points.length);
    if (legend.childElementCount !== listed.length || listed.some((line, n) => legend.children[n].getAttribute("data-line") !== line.id)) {
      fill(legend, listed.map(legendEntry));
    }
    listed.forEach((line, n) => {
      const entry = legend.children[n];
      const point = pointAt(line);
      if (toggled) entry.setAttribute("aria-pressed", String(line.shown));
      /** @type {Element} */ (entry.querySelector(".legend-label")).textContent = line.label;
      const value = /** @type {Element} */ (entry.querySelector(".legend-value"));
      value.textContent = valueText(line);
      value.setAttribute("data-value", point ? String(point.y) : "");
    });
  }

  /** @param {Line} line */
  function legendEntry(line) {
    const swatch = svg("svg", { class: "swatch", width: 22, height: 10, "aria-hidden": "true" },
      svg("line", { class: `line-${line.id}`, x1: 1, x2: 21, y1: 5, y2: 5 }),
      line.kind === "marked" && svg("circle", { class: `dot-${line.id}`, cx: 11, cy: 5, r: 3 }));
    const words = [swatch, el("span", { class: "legend-label" }, line.label), el("span", { class: "legend-value number" })];
    const shared = { class: "legend-entry", "data-line": line.id, "data-testid": `toggle-${line.id}` };
    return toggled ? el("button", { type: "button", ...shared, onclick: () => toggled(line.id) }, words) : el("span", shared, words);
  }

  /** @param {number | null} x */
  function readAt(x) {
    cursor = x;
    drawCursor();
  }

  /** Where one reads here is where one reads elsewhere, too. @param {number | null} x */
  function point(x) {
    if (read) read(x);
    else readAt(x);
  }

  area.addEventListener("pointermove", (event) => {
    if (plane) point(valueAt(plane.x, event.clientX - picture.getBoundingClientRect().left));
  });
  area.addEventListener("pointerleave", () => point(null));
  area.addEventListener("blur", () => point(null));
  area.addEventListener("keydown", (event) => {
    const points = stops();
    if (!points.length || !plane) return;
    const here = cursor === null ? points.length - 1 : nearest(points, cursor);
    const far = Math.max(1, Math.round(points.length / 20));
    const apart = event.shiftKey ? 1 : Math.max(1, Math.round(points.length / Math.max(1, width - LEFT - RIGHT)));
    /** @type {Record<string, number | null>} */
    const keys = { ArrowLeft: here - apart, ArrowDown: here - apart, ArrowRight: here + apart, ArrowUp: here + apart,
      PageDown: here - far, PageUp: here + far, Home: 0, End: points.length - 1, Escape: null };
    if (!(event.key in keys)) return;
    event.preventDefault();
    const next = keys[event.key];
    point(next === null ? null : points[Math.min(Math.max(next, 0), points.length - 1)].x);
  });

  const size = new ResizeObserver(([entry]) => {
    const now = Math.floor(entry.contentRect.width);
    if (now === width) return;
    width = now;
    drawPicture();
  });
  size.observe(area);

  /**
   * Hand over the picture with a key of its lines below it, as it is to be kept; it is in the page while that lasts, for
   * its styles.
   * @param {(picture: SVGSVGElement) => void} take
   */
  function withKey(take) {
    const kept = /** @type {SVGSVGElement} */ (picture.cloneNode(true));
    const shown = (plane?.drawn ?? []).filter((line) => line.listed !== false || line.kind === "line");
    const perRow = Math.max(1, Math.floor(width / KEY_WIDTH));
    const tall = height + KEY_ROW * Math.ceil(shown.length / perRow) + 6;
    shown.forEach((line, n) => {
      const [x, y] = [LEFT + (n % perRow) * KEY_WIDTH, height + KEY_ROW * (Math.floor(n / perRow) + 0.6)];
      kept.append(svg("line", { class: `line-${line.id}`, x1: x, x2: x + 22, y1: y, y2: y }),
        svg("text", { class: "plot-tick", x: x + 30, y, "dominant-baseline": "middle" }, line.label));
    });
    kept.setAttribute("height", String(tall));
    kept.setAttribute("viewBox", `0 0 ${width} ${tall}`);
    kept.classList.add("plot-kept");
    root.append(kept);
    take(kept);
    kept.remove();
  }

  return {
    root, readAt, withKey,
    /** @param {Data} next */
    draw(next) {
      data = next;
      drawPicture();
      if (width < 60) drawLegend();
    },
  };
}

/** @typedef {ReturnType<typeof createLinePlot>} LinePlot */

/** The least x above zero, where a logarithmic axis can begin. @param {Line[]} lines */
function firstPositive(lines) {
  const [low] = extent(lines.flatMap((line) => line.points.filter((point) => point.x > 0).map((point) => point.x)));
  return Number.isFinite(low) ? low : 1;
}
