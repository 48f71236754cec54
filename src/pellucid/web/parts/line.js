// @ts-check
/**
 * Lines over a common axis: drawn in SVG, read by the pointer or by arrow keys. The legend is the switchboard, too: its
 * buttons show and hide the lines and say their values where one reads, or else the latest.
 */
import { place, valueAt } from "../base/axes.js";
import { el, fill, svg } from "../base/dom.js";
import { nearest } from "../base/series.js";
import { addKey, axes, drawLine, grid, LEFT, RIGHT, TOP } from "./line-picture.js";

/** @typedef {import("./line-picture.js").Line} Line @typedef {import("./line-picture.js").Data} Data @typedef {import("./line-picture.js").Mark} Mark */

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
  /** @type {import("./line-picture.js").Plane | null} */
  let plane = null;
  const cursorLayer = svg("g", { class: "plot-cursor" });

  const box = () => ({ width, height, small });

  function drawPicture() {
    if (!data || width < 60) return;
    const on = (plane = axes(data, box()));
    picture.setAttribute("width", String(width));
    picture.setAttribute("viewBox", `0 0 ${width} ${height}`);
    fill(picture, grid(on, data, box()), on.drawn.map((line) => drawLine(line, on, box())), cursorLayer);
    drawCursor();
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
    addKey(kept, shown, box());
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
