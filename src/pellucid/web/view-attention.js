// @ts-check
/** Attention: what every head of every layer looks at; one head enlarged, with its queries, keys, scores and weights. */
import * as api from "./api.js";
import { el, fill } from "./dom.js";
import { paint } from "./heatmap.js";
import { createHead } from "./head.js";
import { scaleLegend, WEIGHT_MARKS } from "./legend.js";
import { createPanel } from "./panel.js";
import { savePng } from "./save.js";
import { colourScale, significant, signed } from "./scale.js";
import { spoken } from "./tokens.js";
import { asker, freshness, redrawn, theme, weights } from "./views.js";

export const id = "attention";
export const tab = "Attention";
export const title = "Attention";
export const hint =
  "Each small square is one head. Every row is a token asking what to look at, and the stronger a cell's colour, the more of that column's token it takes in. Choose a square to enlarge it.";

const LEGEND =
  "Rows: the token that looks (query). Columns: the token looked at (key). The stronger the colour, the more weight. Hatched: masked.";
/** Rows and columns of a small square. */
const TILES = 64;

/** The scale of all weights, here and enlarged: 0 to 1, always. */
export const weightScale = () => colourScale({ kind: "sequential", domain: [0, 1], theme: theme(), shape: "root" });

/** @type {import("./views.js").View["mount"]} */
export function mount(root, shell) {
  const { store } = shell;
  /** @type {{header: any, arrays: Record<string, import("./frame.js").NamedArray>} | null} */
  let answer = null;
  const panel = createPanel(
    { id, title, hint },
    {
      savePng: () =>
        savePng(sheet(), {
          title,
          stamp: panel.stampText(),
          legend: LEGEND,
          colours: weightScale(),
          marks: WEIGHT_MARKS,
        }),
      table,
    },
  );
  const switches = el("div", { class: "switches" });
  const verdict = el("p", { class: "verdict", "data-testid": "verdict", "aria-live": "polite" });
  const overview = el("div", { class: "overview", "data-testid": "overview" });
  const legend = el("div");
  const poolNote = el("p", { class: "note", hidden: true, "data-testid": "pooled" });
  const large = el("div", { class: "large" });
  const small = el("div", { class: "small" }, overview, poolNote, legend);
  const layout = el("div", { class: "attention" }, small, large);
  panel.body.append(switches, verdict, layout);
  root.append(panel.root);
  const head = createHead(large, shell, {
    close() {
      const { layer, head: h } = store.get();
      store.set({ layer: -1, head: -1, query: -1, key: -1 });
      tileOf(layer, h)?.focus();
    },
  });
  const stop = redrawn(overview, drawTiles);

  /** @param {number} row @param {number} column */
  const hidden = (row, column) => !!answer && answer.header.mask.kind === "causal" && column > row;

  /* ---------------------------------------------------------------------- the small squares */

  function makeTiles() {
    const { layers, heads, kv_heads } = /** @type {any} */ (answer).header;
    const shared = heads / Math.max(kv_heads, 1);
    overview.style.setProperty("--heads", String(heads));
    fill(
      overview,
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
                  "aria-label": `Layer ${layer}, head ${h}${shared > 1 ? `, key/value head ${Math.floor(h / shared)}` : ""}`,
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

  overview.addEventListener("click", (event) => {
    const tile = /** @type {HTMLElement | null} */ (/** @type {Element} */ (event.target).closest(".tile"));
    if (!tile) return;
    const [layer, h] = [Number(tile.dataset.layer), Number(tile.dataset.head)];
    store.set({ layer, head: h, query: -1, key: -1 });
    if (large.getBoundingClientRect().top < 0 || large.getBoundingClientRect().top > window.innerHeight - 200)
      large.scrollIntoView();
  });
  overview.addEventListener("keydown", (event) => {
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
    /** @type {HTMLButtonElement | null} */ (overview.querySelector(`[data-layer="${layer}"][data-head="${h}"]`));

  function drawTiles() {
    if (!answer || !answer.header.layers) return;
    const { layers, heads } = answer.header;
    const ratio = window.devicePixelRatio || 1;
    const scale = weightScale();
    const width = /** @type {HTMLElement} */ (overview.querySelector("canvas")).clientWidth;
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
    fill(
      legend,
      scaleLegend(scale, {
        label: "attention weight",
        marks: WEIGHT_MARKS,
        masked: answer.header.mask.kind === "causal" ? "masked: not seen" : undefined,
      }),
    );
  }

  /**
   * @param {number} layer
   * @param {number} h
   * @param {import("./scale.js").ColourScale} scale
   * @returns {import("./heatmap.js").Matrix}
   */
  function matrixOf(layer, h, scale) {
    const { data, shape } = /** @type {any} */ (answer).arrays.weights;
    const size = shape[2] * shape[3];
    const from = (layer * shape[1] + h) * size;
    return { rows: shape[2], columns: shape[3], values: data.subarray(from, from + size), scale, hidden };
  }

  function markTiles() {
    const { layer, head: h, token } = store.get();
    const n = answer?.header.tokens.length ?? 0;
    overview.classList.toggle("picked", token >= 0 && token < n);
    overview.style.setProperty("--at", `${(100 * (token + 0.5)) / n}%`);
    for (const tile of /** @type {NodeListOf<HTMLElement>} */ (overview.querySelectorAll(".tile"))) {
      const chosen = Number(tile.dataset.layer) === layer && Number(tile.dataset.head) === h;
      if (chosen) tile.setAttribute("aria-current", "true");
      else tile.removeAttribute("aria-current");
    }
  }

  /* ---------------------------------------------------------------------- how the scores are made */

  function drawSwitches() {
    const { header } = /** @type {any} */ (answer);
    const { scale, mask, head_dim: size } = header;
    const divided = scale.kind === "sqrt";
    fill(
      switches,
      toggle("scale", divided, `scores are divided by √${size} = ${significant(Math.sqrt(size), 4)}`, (on) =>
        store.set({ scale: choice(on ? "sqrt" : "none", scale.trained) }),
      ),
      toggle("mask", mask.kind === "causal", "each token sees only itself and what came before (causal mask)", (on) =>
        store.set({ mask: choice(on ? "causal" : "none", mask.trained) }),
      ),
    );
    verdict.hidden = header.trained_this_way;
    verdict.classList.toggle("untrained", !header.trained_this_way);
    const { loss } = header;
    fill(
      verdict,
      el("strong", {}, "Not trained this way. "),
      loss
        ? el(
            "span",
            { dataset: { value: loss.change, nats: loss.nats, trained: loss.trained_nats } },
            `On this prompt the loss goes from ${loss.trained_nats.toFixed(3)} to ${loss.nats.toFixed(3)} nats a token (${signed(loss.change)}).`,
          )
        : "A longer prompt shows what it does to the loss.",
    );
  }

  /** @param {string} wanted @param {string} trained */
  const choice = (wanted, trained) => (wanted === trained ? "trained" : wanted);

  /** @param {string} name @param {boolean} on @param {string} words @param {(on: boolean) => void} turned */
  function toggle(name, on, words, turned) {
    const present = /** @type {HTMLInputElement | null} */ (switches.querySelector(`#switch-${name}`));
    const box = present ?? el("input", { type: "checkbox", id: `switch-${name}`, "data-testid": `switch-${name}` });
    box.checked = on;
    box.onchange = () => turned(box.checked);
    return el("div", { class: "switch" }, box, el("label", { for: `switch-${name}` }, words));
  }

  /* ---------------------------------------------------------------------- all of it */

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

  /** For each head and token, the token it looks at most. @returns {import("./table.js").TableData | null} */
  function table() {
    if (!answer || !answer.header.layers) return null;
    const { layers, heads, tokens, pooled } = answer.header;
    const side = answer.arrays.weights.shape[2];
    const rows = [];
    for (let layer = 0; layer < layers; layer++) {
      for (let h = 0; h < heads; h++) {
        const { values } = matrixOf(layer, h, weightScale());
        for (let q = 0; q < side; q++) {
          const row = Array.prototype.slice.call(values, q * side, (q + 1) * side);
          const k = row.indexOf(Math.max(...row));
          rows.push([
            layer,
            h,
            pooled > 1 ? `from ${q * pooled}` : `${q} ${spoken(tokens[q].text)}`,
            pooled > 1 ? `from ${k * pooled}` : `${k} ${spoken(tokens[k].text)}`,
            row[k],
          ]);
        }
      }
    }
    return {
      caption: "What each head looks at most",
      columns: ["layer", "head", "query", "key", "weight"],
      rows,
      note: `Of each row only the greatest weight; an enlarged head's table has them all.${pooled > 1 ? ` Rows and columns stand for ${pooled} tokens each.` : ""}`,
    };
  }

  const question = asker({
    panel,
    ask: (body, signal) => api.frame("/api/inspect/attention", { body, signal }),
    answered(next) {
      const before = answer?.header;
      answer = next;
      const { header } = next;
      panel.ready(header.stamp, header.notes);
      layout.hidden = switches.hidden = !header.layers;
      if (!header.layers) return void (verdict.hidden = true);
      if (
        !before ||
        before.layers !== header.layers ||
        before.heads !== header.heads ||
        before.kv_heads !== header.kv_heads
      )
        makeTiles();
      poolNote.hidden = header.pooled === 1;
      poolNote.textContent = `Each cell of the small squares stands for ${header.pooled} × ${header.pooled} weights and shows the greatest of them; enlarge one for all.`;
      drawSwitches();
      drawTiles();
      markTiles();
    },
  });

  return {
    update(state) {
      const text = shell.prompt() ?? "";
      const way = { scale: state.scale, mask: state.mask };
      question.update({ ...weights(shell), text, ...way, tiles: TILES }, freshness(shell));
      const chosen = state.layer >= 0 && state.head >= 0;
      layout.classList.toggle("chosen", chosen);
      markTiles();
      head.update(chosen ? { ...weights(shell), text, ...way, layer: state.layer, head: state.head } : null, state);
    },
    destroy() {
      stop();
      question.stop();
      head.destroy();
      root.replaceChildren();
    },
  };
}
