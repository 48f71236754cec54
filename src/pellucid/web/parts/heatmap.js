// @ts-check
/**
 * A matrix as colours on a canvas. Arrow keys move a focused cell, hovering reads, a click or Enter locks; cells that
 * do not count are hatched, so that they are never taken for low ones.
 */
import { paint, pooled } from "./cells.js";
import { el, setStyle, token } from "../base/dom.js";

/** @typedef {{row: number, column: number}} Cell */
/** @typedef {import("./cells.js").Matrix} Matrix */

/** Cells smaller than this have no labels. */
const LABELLED = 11;

/**
 * @param {{label: string, testid: string, focused: (cell: Cell | null) => void, locked: (cell: Cell) => void,
 *   unlocked?: () => void}} options
 *   `focused` is told of each cell that is read, `locked` of each click and Enter
 */
export function createHeatmap({ label, testid, focused, locked, unlocked }) {
  const canvas = el("canvas", {
    tabindex: 0,
    role: "application",
    "aria-roledescription": "heat map",
    "aria-label": label,
    "data-testid": testid,
  });
  const rowBand = el("div", { class: "band", hidden: true });
  const columnBand = el("div", { class: "band", hidden: true });
  const box = el("div", { class: "cell-box", hidden: true });
  const marks = [el("div", { class: "mark", hidden: true }), el("div", { class: "mark", hidden: true })];
  const plane = el("div", { class: "plane" }, canvas, rowBand, columnBand, box, ...marks);
  const root = el("div", { class: "heatmap" }, plane);
  /** @type {Matrix | null} */
  let matrix = null;
  /** @type {Cell | null} */
  let cell = null;
  let held = false;
  let picked = -1;
  /** Where the cells lie on the canvas, in CSS pixels. */
  let area = { left: 0, top: 0, width: 0, height: 0, pool: 1 };

  function draw() {
    if (!matrix || !root.clientWidth) return;
    const ratio = window.devicePixelRatio || 1;
    const { rows, columns } = matrix;
    const most = Math.min(Math.max(window.innerHeight - 140, 420), 1000); // so that it is seen whole
    const room = Math.min(root.clientWidth, 1100);
    const widest = Math.max(0, ...(matrix.rowLabels ?? []).map((text) => [...text].length));
    const margin = {
      left: Math.min(widest, 8) * 7.5 + 8,
      top: Math.min(Math.max(0, ...(matrix.columnLabels ?? []).map((text) => [...text].length)), 8) * 7.5 + 8,
    };
    let size = Math.min((room - margin.left) / columns, (most - margin.top) / rows, 30);
    const labelled = size >= LABELLED && !!matrix.rowLabels;
    if (!labelled) [margin.left, margin.top] = [0, 0];
    if (!labelled) size = Math.min(room / columns, most / rows, 30);
    if (size >= 2) size = Math.floor(size * 2) / 2;
    const pool = size < 1 ? Math.ceil(1 / size) : 1;
    area = { left: margin.left, top: margin.top, width: columns * size, height: rows * size, pool };
    canvas.width = Math.round((area.left + area.width) * ratio);
    canvas.height = Math.round((area.top + area.height) * ratio);
    setStyle(canvas, { width: `${area.left + area.width}px`, height: `${area.top + area.height}px` });
    paint(
      canvas,
      pooled(matrix, pool),
      { x: area.left * ratio, y: area.top * ratio, width: area.width * ratio, height: area.height * ratio },
      ratio,
    );
    if (labelled) labels(ratio, size);
    place();
  }

  /** @param {number} ratio @param {number} size */
  function labels(ratio, size) {
    const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.font = `${Math.min(13, size)}px ${token("mono")}`;
    pen.fillStyle = token("ink");
    pen.textBaseline = "middle";
    pen.textAlign = "right";
    (matrix?.rowLabels ?? []).forEach((text, row) => pen.fillText(text, area.left - 6, area.top + (row + 0.5) * size));
    pen.textAlign = "left";
    (matrix?.columnLabels ?? []).forEach((text, column) => {
      pen.save();
      pen.translate(area.left + (column + 0.5) * size, area.top - 6);
      if ([...text].length > 1) pen.rotate(-Math.PI / 2);
      else pen.textAlign = "center";
      pen.fillText(text, 0, [...text].length > 1 ? 0 : -3);
      pen.restore();
    });
    pen.setTransform(1, 0, 0, 1, 0, 0);
  }

  /** Put the bands, the box and the marks where they belong. */
  function place() {
    const there = cell && matrix && cell.row < matrix.rows && cell.column < matrix.columns ? cell : null;
    for (const part of [rowBand, columnBand, box]) part.hidden = !there;
    box.classList.toggle("held", held);
    const { left, top, width, height } = area;
    const [high, wide] = [height / (matrix?.rows ?? 1), width / (matrix?.columns ?? 1)];
    if (there) {
      const [x, y] = [left + there.column * wide, top + there.row * high];
      setStyle(rowBand, { left: `${left}px`, top: `${y}px`, width: `${width}px`, height: `${high}px` });
      setStyle(columnBand, { left: `${x}px`, top: `${top}px`, width: `${wide}px`, height: `${height}px` });
      setStyle(box, { left: `${x - 1}px`, top: `${y - 1}px`, width: `${wide + 2}px`, height: `${high + 2}px` });
    }
    const marked = picked >= 0 && matrix && picked < matrix.rows;
    for (const mark of marks) mark.hidden = !marked;
    if (marked) {
      setStyle(marks[0], {
        left: `${Math.max(left - 3, 0)}px`,
        top: `${top + picked * high}px`,
        width: "3px",
        height: `${Math.max(high, 2)}px`,
      });
      setStyle(marks[1], {
        left: `${left + picked * wide}px`,
        top: `${Math.max(top - 3, 0)}px`,
        width: `${Math.max(wide, 2)}px`,
        height: "3px",
      });
    }
  }

  /** @param {Cell | null} next @param {boolean} [tell] */
  function read(next, tell = true) {
    cell = next;
    place();
    if (tell) focused(cell);
  }

  /** @param {PointerEvent | MouseEvent} event @returns {Cell | null} */
  function under(event) {
    if (!matrix) return null;
    const bounds = canvas.getBoundingClientRect();
    const column = Math.floor(((event.clientX - bounds.left - area.left) / area.width) * matrix.columns);
    const row = Math.floor(((event.clientY - bounds.top - area.top) / area.height) * matrix.rows);
    return row >= 0 && column >= 0 && row < matrix.rows && column < matrix.columns ? { row, column } : null;
  }

  canvas.addEventListener("pointermove", (event) => {
    if (held) return;
    const next = under(event);
    if (next?.row !== cell?.row || next?.column !== cell?.column) if (next) read(next);
  });
  canvas.addEventListener("click", (event) => {
    const next = under(event);
    if (!next) return;
    const same = held && next.row === cell?.row && next.column === cell?.column;
    held = !same;
    read(next);
    if (held) locked(next);
    else unlocked?.();
  });
  canvas.addEventListener("focus", () => {
    if (!cell && matrix) read({ row: Math.max(picked, 0), column: 0 });
  });
  canvas.addEventListener("keydown", (event) => {
    if (!matrix) return;
    const { row, column } = cell ?? { row: 0, column: 0 };
    const step = event.shiftKey ? 10 : 1;
    const moves = /** @type {Record<string, [number, number]>} */ ({
      ArrowUp: [row - step, column],
      ArrowDown: [row + step, column],
      ArrowLeft: [row, column - step],
      ArrowRight: [row, column + step],
      Home: [event.ctrlKey ? 0 : row, 0],
      End: [event.ctrlKey ? matrix.rows - 1 : row, matrix.columns - 1],
      PageUp: [row - 10, column],
      PageDown: [row + 10, column],
    });
    const move = moves[event.key];
    if (move) {
      event.preventDefault();
      read({
        row: Math.min(Math.max(move[0], 0), matrix.rows - 1),
        column: Math.min(Math.max(move[1], 0), matrix.columns - 1),
      });
      if (held && cell) locked(cell);
    } else if ((event.key === "Enter" || event.key === " ") && cell) {
      event.preventDefault();
      held = true;
      place();
      locked(cell);
    } else if (event.key === "Escape" && held) {
      event.stopPropagation();
      held = false;
      place();
      unlocked?.();
    }
  });

  return {
    root,
    canvas,
    draw,
    cell: () => cell,
    /** @param {Matrix} next */
    show(next) {
      matrix = next;
      if (cell && (cell.row >= next.rows || cell.column >= next.columns)) cell = null;
      draw();
    },
    /** Hold a cell, as the address says; with null let go. @param {Cell | null} next */
    hold(next) {
      held = !!next;
      if (next && (next.row !== cell?.row || next.column !== cell?.column)) read(next);
      else place();
    },
    /** @param {number} index the token that is picked everywhere, -1 for none */
    pick(index) {
      picked = index;
      place();
    },
    pool: () => area.pool,
  };
}
