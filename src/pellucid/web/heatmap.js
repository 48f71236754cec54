// @ts-check
/**
 * A matrix as colours on a canvas. Arrow keys move a focused cell, hovering reads, a click or Enter locks; cells that
 * do not count are hatched, so that they are never taken for low ones.
 */
import { el, setStyle, token } from "./dom.js";

/** @typedef {import("./scale.js").ColourScale} ColourScale */
/** @typedef {{row: number, column: number}} Cell */
/**
 * @typedef {Object} Matrix
 * @property {number} rows
 * @property {number} columns
 * @property {ArrayLike<number>} values  row by row
 * @property {ColourScale} scale
 * @property {(row: number, column: number) => boolean} [hidden]  cells that do not count
 * @property {string[]} [rowLabels]
 * @property {string[]} [columnLabels]
 */

const HATCH_STEP = 6;
/** Cells smaller than this have no labels. */
const LABELLED = 11;

/** Diagonal lines, in the theme's colours. @param {CanvasRenderingContext2D} pen @param {number} ratio */
function hatch(pen, ratio) {
  const size = Math.round(HATCH_STEP * ratio);
  const tile = document.createElement("canvas");
  tile.width = tile.height = size;
  const mark = /** @type {CanvasRenderingContext2D} */ (tile.getContext("2d"));
  mark.fillStyle = token("paper");
  mark.fillRect(0, 0, size, size);
  mark.strokeStyle = token("hatch");
  mark.lineWidth = ratio;
  mark.beginPath();
  for (const shift of [-size, 0, size]) {
    mark.moveTo(shift, size);
    mark.lineTo(shift + size, 0);
  }
  mark.stroke();
  return /** @type {CanvasPattern} */ (pen.createPattern(tile, "repeat"));
}

/**
 * Paint the cells into a rectangle of a canvas, at its own pixels.
 * @param {HTMLCanvasElement} canvas @param {Matrix} matrix
 * @param {{x: number, y: number, width: number, height: number}} box in pixels of the canvas
 * @param {number} ratio pixels to one of CSS
 */
export function paint(canvas, { rows, columns, values, scale, hidden }, { x, y, width, height }, ratio) {
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  if (!rows || !columns) return;
  const image = new ImageData(columns, rows);
  const pixels = new Uint32Array(image.data.buffer);
  for (let i = 0; i < rows * columns; i++) {
    const [r, g, b] = scale.rgb(values[i]);
    pixels[i] = 0xff000000 | (b << 16) | (g << 8) | r;
  }
  const small = document.createElement("canvas");
  small.width = columns;
  small.height = rows;
  /** @type {CanvasRenderingContext2D} */ (small.getContext("2d")).putImageData(image, 0, 0);
  pen.imageSmoothingEnabled = false;
  pen.drawImage(small, x, y, width, height);
  if (!hidden) return;
  pen.save();
  pen.beginPath();
  for (let row = 0; row < rows; row++) {
    const top = y + Math.round((row * height) / rows);
    const bottom = y + Math.round(((row + 1) * height) / rows);
    for (let column = 0; column < columns; column++) {
      if (!hidden(row, column)) continue;
      const from = column;
      while (column < columns && hidden(row, column)) column++;
      const left = x + Math.round((from * width) / columns);
      pen.rect(left, top, x + Math.round((column * width) / columns) - left, bottom - top);
    }
  }
  pen.clip();
  pen.fillStyle = hatch(pen, ratio);
  pen.fillRect(x, y, width, height);
  pen.restore();
}

/** The greatest of each p × p cells, as the server pools, for maps with more cells than pixels. Hidden where all are.
 * @param {Matrix} matrix @param {number} p @returns {Matrix} */
export function pooled(matrix, p) {
  if (p === 1) return matrix;
  const [rows, columns] = [Math.ceil(matrix.rows / p), Math.ceil(matrix.columns / p)];
  const values = new Float32Array(rows * columns).fill(-Infinity);
  const seen = new Uint8Array(rows * columns);
  for (let r = 0; r < matrix.rows; r++) {
    for (let c = 0; c < matrix.columns; c++) {
      if (matrix.hidden?.(r, c)) continue;
      const at = Math.floor(r / p) * columns + Math.floor(c / p);
      values[at] = Math.max(values[at], matrix.values[r * matrix.columns + c]);
      seen[at] = 1;
    }
  }
  return { rows, columns, values, scale: matrix.scale, hidden: (r, c) => !seen[r * columns + c] };
}

/**
 * @param {{label: string, testid: string, focused: (cell: Cell | null) => void, locked: (cell: Cell) => void, unlocked?: () => void}} options
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
