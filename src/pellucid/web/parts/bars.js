// @ts-check
/** Horizontal bars in SVG: a number a row, perhaps a second as a thin line; what is cut is told apart by hatching. */
import { fill, svg } from "../base/dom.js";
import { linear, ticks } from "../base/scale.js";

/**
 * @typedef {Object} Bar
 * @property {string} label
 * @property {string} spoken  the label as it is read aloud
 * @property {number} value  the bar
 * @property {number} [line]  a second number on the same axis, drawn as a thin line above the bar
 * @property {number} [dot]  a third, drawn as a ring
 * @property {boolean} [cut]  hollow and crossed out
 * @property {string} text  the numbers as written behind the bar
 * @property {Record<string, string | number>} [data]  data attributes for the row
 */

const ROW = 23;
const TOP = 26;

/**
 * The least of a few fixed ends that holds all numbers, so that pictures can be compared.
 * @param {number} most
 */
export const niceEnd = (most) => [0.05, 0.1, 0.2, 0.5, 1].find((end) => most <= end) ?? 1;

/**
 * @param {{label: string, testid: string, choose?: (index: number) => void, verb?: string}} options
 *   `choose` makes rows buttons; `verb` says what one does
 */
export function createBars({ label, testid, choose, verb }) {
  const root = svg("svg", {
    class: "bars",
    role: choose ? "group" : "img",
    "aria-label": label,
    "data-testid": testid,
  });
  if (choose) {
    /** @param {Event} event */
    const index = (event) =>
      Number(/** @type {Element} */ (event.target).closest("[data-index]")?.getAttribute("data-index") ?? -1);
    root.addEventListener("click", (event) => index(event) >= 0 && choose(index(event)));
    root.addEventListener("keydown", (event) => {
      const here = index(event);
      if (here < 0) return;
      if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        choose(here);
      }
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      const rows = /** @type {SVGElement[]} */ ([...root.querySelectorAll("[data-index]")]);
      if (!step || !rows[here + step]) return;
      event.preventDefault();
      rows.forEach((row, i) => row.setAttribute("tabindex", i === here + step ? "0" : "-1"));
      rows[here + step].focus();
    });
  }

  return {
    root,
    /**
     * @param {Bar[]} bars
     * @param {{width: number, end: number, colour?: string, write: (value: number) => string, tail?: number}} options
     *   `end` of the axis; `colour` the class of the role; `tail` room for the numbers
     */
    show(bars, { width, end, colour = "out", write, tail = 130 }) {
      const head = 18 + 8.6 * Math.max(1, ...bars.map((bar) => [...bar.label].length));
      const right = Math.max(width - tail, head + 60);
      const x = linear([0, end], [head, right]);
      const height = TOP + bars.length * ROW + 6;
      root.setAttribute("width", String(width));
      root.setAttribute("height", String(height));
      root.setAttribute("viewBox", `0 0 ${width} ${height}`);
      const grid = ticks([0, end], width > 560 ? 5 : 2).map((value) =>
        svg(
          "g",
          {},
          svg("line", { class: "grid", x1: x(value), x2: x(value), y1: TOP - 6, y2: height - 4 }),
          svg("text", { class: "tick", x: x(value), y: 12, "text-anchor": "middle" }, write(value)),
        ),
      );
      fill(root, hatching(), ...grid, ...bars.map((bar, i) => row(bar, i, x, right, colour)));
    },
  };

  /**
   * @param {Bar} bar
   * @param {number} i
   * @param {(value: number) => number} x
   * @param {number} right
   * @param {string} colour
   */
  function row(bar, i, x, right, colour) {
    const y = TOP + i * ROW;
    const width = Math.max(x(bar.value) - x(0), bar.value > 0 ? 1 : 0);
    /** @type {import("../base/dom.js").Props} */
    const button = choose
      ? {
          tabindex: i ? -1 : 0,
          role: "button",
          "aria-label": `${bar.spoken}, ${bar.text}${bar.cut ? ", cut" : ""}. ${verb ?? ""}`,
        }
      : {};
    return svg(
      "g",
      {
        class: `bar ${bar.cut ? "cut" : ""} ${choose ? "choosable" : ""}`,
        "data-testid": "bar",
        dataset: { index: i, value: bar.value, ...bar.data },
        ...button,
      },
      choose && svg("rect", { class: "row-ground", x: 0, y: y + 1, width: right + 200, height: ROW - 2 }),
      svg("text", { class: "bar-label", x: x(0) - 10, y: y + 17, "text-anchor": "end" }, bar.label),
      svg("rect", { class: bar.cut ? "bar-cut" : `bar-fill ${colour}`, x: x(0), y: y + 8, width, height: 10 }),
      bar.line !== undefined &&
        svg("line", { class: "bar-line", x1: x(0), x2: Math.max(x(bar.line), x(0) + 1), y1: y + 4, y2: y + 4 }),
      bar.dot !== undefined && svg("circle", { class: "bar-dot", cx: x(Math.min(bar.dot, 1)), cy: y + 13, r: 4 }),
      svg("text", { class: "bar-text", x: right + 12, y: y + 17 }, bar.text),
    );
  }
}

/** What is cut is hatched, so that colour alone never tells it apart. */
function hatching() {
  return svg(
    "defs",
    {},
    svg(
      "pattern",
      { id: "cut-hatch", width: 5, height: 5, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
      svg("line", { class: "hatch-line", x1: 0, x2: 0, y1: 0, y2: 5 }),
    ),
  );
}
