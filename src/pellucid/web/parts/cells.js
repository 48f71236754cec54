// @ts-check
/** The cells of a matrix painted on a canvas; those that do not count are hatched, never coloured. */
import { token } from "../base/dom.js";

/** @typedef {import("../base/scale.js").ColourScale} ColourScale */
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
