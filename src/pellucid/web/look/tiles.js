// @ts-check
/** All heads of all layers as small squares: drawn, marked, walked through with the arrow keys, and put on one sheet. */
import { paint } from "../parts/cells.js";
import { el, fill } from "../base/dom.js";
import { colourScale } from "../base/scale.js";
import { redrawn, theme } from "./views.js";

/** The scale of all weights, here and enlarged: 0 to 1, always. */
export const weightScale = () => colourScale({ kind: "sequential", domain: [0, 1], theme: theme(), shape: "root" });

/** @typedef {{header: any, arrays: Record<string, import("../base/frame.js").NamedArray>}} Answer */

/** @param {{chosen: (layer: number, head: number) => void}} options */
export function createTiles({ chosen }) {
  const root = el("div", { class: "overview", "data-testid": "overview" });
  /** @type {Answer | null} */
  let answer = null;
  const stop = redrawn(root, draw);

  /** @param {number} row @param {number} column */
  const hidden = (row, column) => !!answer && answer.header.mask.kind === "causal" && column > row;

  function make() {
    const { layers, heads, kv_heads } = /** @type {any} */ (answer).header;
    const shared = heads / Math.max(kv_heads, 1);
    root.style.setProperty("--heads", String(heads));
    fill(
      root,
      Array.from({ length: layers }, (_, layer) =>
        el(
          "div",
          { class: "layer", role: "group", "aria-label": `Layer ${layer}` },
          el("span", { class: "layer-name" }, `layer ${layer}`),
          el(
            "div",
            { class: "tiles" },
            Array.from({ length: heads }, (_, h) =>
              el(
                "button",
                {
                  type: "button",
                  class: "tile",
                  tabindex: layer || h ? -1 : 0,
                  "data-testid": `tile-${layer}-${h}`,
                  dataset: { layer, head: h },
                  "aria-label":
                    `Layer ${layer}, head ${h}` + (shared > 1 ? `, key/value head ${Math.floor(h / shared)}` : ""),
                },
                el("span", { class: "tile-map" }, el("canvas", {})),
                el("span", { class: "tile-name" }, `head ${h}`, shared > 1 && ` · kv ${Math.floor(h / shared)}`),
              ),
            ),
          ),
        ),
      ),
    );
  }

  root.addEventListener("click", (event) => {
    const tile = /** @type {HTMLElement | null} */ (/** @type {Element} */ (event.target).closest(".tile"));
    if (!tile) return;
    const [layer, h] = [Number(tile.dataset.layer), Number(tile.dataset.head)];
    chosen(layer, h);
  });
  root.addEventListener("keydown", (event) => {
    const tile = /** @type {HTMLElement | null} */ (/** @type {Element} */ (event.target).closest(".tile"));
    const step = /** @type {Record<string, [number, number]>} */ ({
      ArrowLeft: [0, -1],
      ArrowRight: [0, 1],
      ArrowUp: [-1, 0],
      ArrowDown: [1, 0],
    })[event.key];
    if (!tile || !step) return;
    event.preventDefault();
    const next = tileOf(Number(tile.dataset.layer) + step[0], Number(tile.dataset.head) + step[1]);
    if (!next) return;
    tile.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  });

  /** @param {number} layer @param {number} h */
  const tileOf = (layer, h) =>
    /** @type {HTMLButtonElement | null} */ (root.querySelector(`[data-layer="${layer}"][data-head="${h}"]`));

  function draw() {
    if (!answer || !answer.header.layers) return;
    const { layers, heads } = answer.header;
    const ratio = window.devicePixelRatio || 1;
    const scale = weightScale();
    const width = /** @type {HTMLElement} */ (root.querySelector("canvas")).clientWidth;
    if (!width) return;
    for (let layer = 0; layer < layers; layer++) {
      for (let h = 0; h < heads; h++) {
        const canvas = /** @type {HTMLCanvasElement} */ (
          /** @type {HTMLElement} */ (tileOf(layer, h)).querySelector("canvas")
        );
        canvas.width = canvas.height = Math.round(width * ratio);
        paint(canvas, matrixOf(layer, h, scale), { x: 0, y: 0, width: canvas.width, height: canvas.height }, ratio);
      }
    }
  }

  /**
   * @param {number} layer
   * @param {number} h
   * @param {import("../base/scale.js").ColourScale} scale
   * @returns {import("../parts/heatmap.js").Matrix}
   */
  function matrixOf(layer, h, scale) {
    const { data, shape } = /** @type {any} */ (answer).arrays.weights;
    const size = shape[2] * shape[3];
    const from = (layer * shape[1] + h) * size;
    return { rows: shape[2], columns: shape[3], values: data.subarray(from, from + size), scale, hidden };
  }

  /** @param {import("../base/store.js").State} state */
  function mark({ layer, head: h, token }) {
    const n = answer?.header.tokens.length ?? 0;
    root.classList.toggle("picked", token >= 0 && token < n);
    root.style.setProperty("--at", `${(100 * (token + 0.5)) / n}%`);
    for (const tile of /** @type {NodeListOf<HTMLElement>} */ (root.querySelectorAll(".tile"))) {
      const chosen = Number(tile.dataset.layer) === layer && Number(tile.dataset.head) === h;
      if (chosen) tile.setAttribute("aria-current", "true");
      else tile.removeAttribute("aria-current");
    }
  }

  /** The small squares on one sheet, for a picture. */
  function sheet() {
    const { layers, heads } = /** @type {any} */ (answer).header;
    const ratio = window.devicePixelRatio || 1;
    const [side, gap, margin] = [
      Math.round(Math.min(120, 1400 / heads) * ratio),
      Math.round(8 * ratio),
      Math.round(60 * ratio),
    ];
    const canvas = el("canvas", {
      width: margin + heads * (side + gap),
      height: Math.round(20 * ratio) + layers * (side + gap),
    });
    const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    const style = getComputedStyle(document.documentElement);
    pen.font = `${12 * ratio}px ${style.getPropertyValue("--sans")}`;
    pen.fillStyle = style.getPropertyValue("--ink-soft");
    const scale = weightScale();
    for (let layer = 0; layer < layers; layer++) {
      const y = Math.round(20 * ratio) + layer * (side + gap);
      pen.fillText(`layer ${layer}`, 0, y + side / 2);
      for (let h = 0; h < heads; h++) {
        if (!layer) pen.fillText(`head ${h}`, margin + h * (side + gap), 12 * ratio);
        paint(canvas, matrixOf(layer, h, scale), { x: margin + h * (side + gap), y, width: side, height: side }, ratio);
      }
    }
    return canvas;
  }

  return {
    root,
    mark,
    sheet,
    matrixOf,
    stop,
    /** @param {number} layer @param {number} h */
    focus: (layer, h) => tileOf(layer, h)?.focus(),
    /** @param {Answer} next */
    show(next) {
      const shape = (/** @type {Answer | null} */ each) =>
        each && [each.header.layers, each.header.heads, each.header.kv_heads].join();
      const same = shape(answer) === shape(next);
      answer = next;
      if (!same) make();
      draw();
    },
  };
}
