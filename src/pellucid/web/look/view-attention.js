// @ts-check
/** Attention: what every head of every layer looks at; one head enlarged. */
import * as api from "../base/api.js";
import { el, fill } from "../base/dom.js";
import { createHead } from "./head.js";
import { scaleLegend, WEIGHT_MARKS } from "../parts/legend.js";
import { createPanel } from "../parts/panel.js";
import { savePng } from "../parts/save.js";
import { significant, signed } from "../base/scale.js";
import { createTiles, weightScale } from "./tiles.js";
import { spoken } from "../base/token-text.js";
import { asker, freshness, weights } from "./views.js";

export const id = "attention";
export const tab = "Attention";
export const title = "Attention";
export const hint =
  "Each small square is one head. Every row is a token asking what to look at, and the stronger a cell's colour, " +
  "the more of that column's token it takes in. Choose a square to enlarge it.";

const LEGEND =
  "Rows: the token that looks (query). Columns: the token looked at (key). The stronger the colour, the more weight. " +
  "Hatched: masked.";
/** Rows and columns of a small square. */
const TILES = 64;

/** @type {import("./views.js").View["mount"]} */
export function mount(root, shell) {
  const { store } = shell;
  /** @type {{header: any, arrays: Record<string, import("../base/frame.js").NamedArray>} | null} */
  let answer = null;
  const panel = createPanel(
    { id, title, hint },
    {
      savePng: () =>
        savePng(tiles.sheet(), {
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
  const legend = el("div");
  const poolNote = el("p", { class: "note", hidden: true, "data-testid": "pooled" });
  const large = el("div", { class: "large" });
  const tiles = createTiles({
    chosen(layer, head) {
      store.set({ layer, head, query: -1, key: -1 });
      const { top } = large.getBoundingClientRect();
      if (top < 0 || top > window.innerHeight - 200) large.scrollIntoView();
    },
  });
  const small = el("div", { class: "small" }, tiles.root, poolNote, legend);
  const layout = el("div", { class: "attention" }, small, large);
  panel.body.append(switches, verdict, layout);
  root.append(panel.root);
  const head = createHead(large, shell, {
    close() {
      const { layer, head: h } = store.get();
      store.set({ layer: -1, head: -1, query: -1, key: -1 });
      tiles.focus(layer, h);
    },
  });
  document.addEventListener("themechange", drawLegend);

  /* ---------------------------------------------------------------------- how the scores are made */

  /** @param {string} name @param {(on: boolean) => void} turned */
  function toggle(name, turned) {
    const box = el("input", { type: "checkbox", id: `switch-${name}`, "data-testid": `switch-${name}` });
    box.addEventListener("change", () => turned(box.checked));
    const label = el("label", { for: box.id });
    switches.append(el("div", { class: "switch" }, box, label));
    return {
      /** @param {boolean} on @param {string} words */
      show(on, words) {
        box.checked = on;
        label.textContent = words;
      },
    };
  }

  /** @param {string} wanted @param {string} trained */
  const choice = (wanted, trained) => (wanted === trained ? "trained" : wanted);
  const scaleSwitch = toggle("scale", (on) => {
    store.set({ scale: choice(on ? "sqrt" : "none", answer?.header.scale.trained) });
  });
  const maskSwitch = toggle("mask", (on) => {
    store.set({ mask: choice(on ? "causal" : "none", answer?.header.mask.trained) });
  });

  function drawSwitches() {
    const { header } = /** @type {any} */ (answer);
    const { scale, mask, head_dim: size } = header;
    scaleSwitch.show(scale.kind === "sqrt", `scores are divided by √${size} = ${significant(Math.sqrt(size), 4)}`);
    maskSwitch.show(mask.kind === "causal", "each token sees only itself and what came before (causal mask)");
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
            `On this prompt the loss goes from ${loss.trained_nats.toFixed(3)} to ${loss.nats.toFixed(3)} nats a token ` +
              `(${signed(loss.change)}).`,
          )
        : "A longer prompt shows what it does to the loss.",
    );
  }

  /* ---------------------------------------------------------------------- all of it */

  function drawLegend() {
    if (!answer) return;
    const masked = answer.header.mask.kind === "causal" ? "masked: not seen" : undefined;
    fill(legend, scaleLegend(weightScale(), { label: "attention weight", marks: WEIGHT_MARKS, masked }));
  }

  /** For each head and token, the token it looks at most. @returns {import("../parts/table.js").TableData | null} */
  function table() {
    if (!answer || !answer.header.layers) return null;
    const { layers, heads, tokens, pooled } = answer.header;
    const side = answer.arrays.weights.shape[2];
    const rows = [];
    for (let layer = 0; layer < layers; layer++) {
      for (let h = 0; h < heads; h++) {
        const { values } = tiles.matrixOf(layer, h, weightScale());
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
      note:
        "Of each row only the greatest weight; an enlarged head's table has them all." +
        (pooled > 1 ? ` Rows and columns stand for ${pooled} tokens each.` : ""),
    };
  }

  const question = asker({
    panel,
    ask: (body, signal) => api.frame("/api/inspect/attention", { body, signal }),
    answered(next) {
      answer = next;
      const { header } = next;
      panel.ready(header.stamp, header.notes);
      layout.hidden = switches.hidden = !header.layers;
      if (!header.layers) return void (verdict.hidden = true);
      poolNote.hidden = header.pooled === 1;
      poolNote.textContent =
        `Each cell of the small squares stands for ${header.pooled} × ${header.pooled} weights and shows ` +
        "the greatest of them; enlarge one for all.";
      drawSwitches();
      tiles.show(next);
      tiles.mark(store.get());
      drawLegend();
    },
  });

  return {
    update(state) {
      const text = shell.prompt() ?? "";
      const way = { scale: state.scale, mask: state.mask };
      question.update({ ...weights(shell), text, ...way, tiles: TILES }, freshness(shell));
      const chosen = state.layer >= 0 && state.head >= 0;
      layout.classList.toggle("chosen", chosen);
      tiles.mark(state);
      head.update(chosen ? { ...weights(shell), text, ...way, layer: state.layer, head: state.head } : null, state);
    },
    destroy() {
      tiles.stop();
      document.removeEventListener("themechange", drawLegend);
      question.stop();
      head.destroy();
      root.replaceChildren();
    },
  };
}
