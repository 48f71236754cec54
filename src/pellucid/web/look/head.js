// @ts-check
/** One head enlarged: its map, what the focused token looks at, and how one score comes from a query and a key. */
import * as api from "../base/api.js";
import { announce, el, fill } from "../base/dom.js";
import { createDot } from "./dot.js";
import { createHeatmap } from "../parts/heatmap.js";
import { scaleLegend, WEIGHT_MARKS } from "../parts/legend.js";
import { createPanel } from "../parts/panel.js";
import { savePng } from "../parts/save.js";
import { colourScale, exact, inkOn, significant, symmetric } from "../base/scale.js";
import { chips } from "../parts/chips.js";
import { brief, spoken, visible } from "../base/token-text.js";
import { asker, freshness, redrawn, theme } from "./views.js";

const HINT =
  "Point at a cell, or move with the arrow keys, to read who looks at whom; click or press Enter to hold it.";

/**
 * @param {HTMLElement} root
 * @param {import("./views.js").LookShell} shell
 * @param {{close: () => void}} options
 */
export function createHead(root, shell, { close }) {
  const { store } = shell;
  /** @type {{header: any, arrays: Record<string, import("../base/frame.js").NamedArray>} | null} */
  let answer = null;
  const panel = createPanel({ id: "head", title: "One head", hint: HINT, level: 3 }, { savePng: save, table });
  const name = /** @type {HTMLElement} */ (panel.root.querySelector("h3"));
  const kind = el(
    "div",
    { class: "choice", role: "group", "aria-label": "What the map shows" },
    ...["weights", "scores"].map((map) =>
      el(
        "button",
        { type: "button", "data-testid": `map-${map}`, dataset: { map }, onclick: () => store.set({ map }) },
        map,
      ),
    ),
  );
  const map = createHeatmap({
    label: "Rows are queries, columns keys. Arrow keys move, Enter holds a cell, Escape lets go.",
    testid: "head-map",
    focused: read,
    locked: ({ row, column }) => store.set({ query: row, key: column, token: row }),
    unlocked: () => store.set({ query: -1, key: -1 }),
  });
  const readout = el("p", { class: "readout", "data-testid": "readout" }, "Point at a cell to read it.");
  const poolNote = el("p", { class: "note" });
  const legend = el("div");
  const looks = chips({
    label: "What the token looks at",
    testid: "looks",
    pick: (index) => store.set({ token: index, query: index, key: -1 }),
  });
  const looksTitle = el("h4", {});
  const dot = createDot();
  panel.body.append(kind, map.root, readout, poolNote, legend, looksTitle, looks.root, dot.root);
  root.append(
    el("button", { type: "button", class: "quiet close", "data-testid": "close-head", onclick: close }, "close"),
    panel.root,
  );
  root.addEventListener("keydown", (event) => event.key === "Escape" && close());
  const stop = redrawn(map.root, draw);

  const scores = () => store.get().map === "scores";
  const size = () => /** @type {number} */ (answer?.header.tokens.length ?? 0);
  /** @param {string} array @param {number} row @param {number} column */
  const at = (array, row, column) => /** @type {any} */ (answer).arrays[array].data[row * size() + column];
  /** @param {number} row @param {number} column */
  const hidden = (row, column) => !at("visible", row, column);

  function scale() {
    if (!scores()) return colourScale({ kind: "sequential", domain: [0, 1], theme: theme(), shape: "root" });
    const counted = [];
    for (let q = 0; q < size(); q++)
      for (let k = 0; k < size(); k++) if (!hidden(q, k)) counted.push(at("scores", q, k));
    return colourScale({ kind: "diverging", domain: symmetric(counted), theme: theme() });
  }

  function draw() {
    if (!answer) return;
    const colours = scale();
    const labels = answer.header.tokens.map((/** @type {any} */ each) => brief(each.text, 8));
    map.show({
      rows: size(),
      columns: size(),
      values: answer.arrays[scores() ? "scores" : "weights"].data,
      scale: colours,
      hidden,
      rowLabels: labels,
      columnLabels: labels,
    });
    poolNote.textContent =
      map.pool() > 1
        ? `The map is larger than the screen: each pixel shows the greatest of ${map.pool()} × ${map.pool()} cells; ` +
          "the arrow keys still reach every one."
        : "";
    const any = answer.header.mask.kind === "causal" && size() > 1;
    fill(
      legend,
      scaleLegend(colours, {
        label: scores() ? "score before the softmax" : "attention weight",
        marks: marksOf(colours),
        masked: any ? "masked: not seen" : undefined,
      }),
    );
    for (const button of /** @type {NodeListOf<HTMLElement>} */ (kind.querySelectorAll("button"))) {
      button.setAttribute("aria-pressed", String(button.dataset.map === (scores() ? "scores" : "weights")));
    }
    drawLooks(map.cell()?.row ?? store.get().token);
  }

  /** @param {import("../base/scale.js").ColourScale} colours @returns {[number, string][]} */
  function marksOf({ domain: [low, high] }) {
    return scores()
      ? [
          [low, significant(low)],
          [0, "0"],
          [high, significant(high)],
        ]
      : WEIGHT_MARKS;
  }

  /** @param {import("../parts/heatmap.js").Cell | null} cell */
  function read(cell) {
    if (!cell || !answer) return;
    const { row, column } = cell;
    const { tokens } = answer.header;
    const masked = hidden(row, column);
    const weight = at("weights", row, column);
    const score = at("scores", row, column);
    fill(
      readout,
      el("b", { class: "mono role-q" }, visible(tokens[row].text)),
      ` (${row}) looks at `,
      el("b", { class: "mono role-k" }, visible(tokens[column].text)),
      ` (${column}): `,
      masked ? "masked, so no weight" : `weight ${significant(weight, 4)}, score ${significant(score, 4)}`,
    );
    Object.assign(readout.dataset, {
      query: String(row),
      key: String(column),
      value: exact(scores() ? score : weight),
      weight: exact(weight),
      score: exact(score),
      masked: String(masked),
    });
    announce(
      `${spoken(tokens[row].text)} ${row} looks at ${spoken(tokens[column].text)} ${column}: ` +
        (masked ? "masked" : `weight ${significant(weight, 3)}`),
    );
    drawLooks(row);
    dot.show(answer, row, column, masked);
  }

  let drawnRow = -1;
  /** @type {unknown} */
  let drawnFor = null;

  /** The tokens of the prompt, each as dark as the weight it gets from one query. @param {number} query */
  function drawLooks(query) {
    if (!answer) return;
    const { tokens } = answer.header;
    const row = query >= 0 && query < size() ? query : size() - 1;
    const colours = colourScale({ kind: "sequential", domain: [0, 1], theme: theme(), shape: "root" });
    const mark = `${theme()} ${store.get().map}`;
    if (drawnRow === row && drawnFor === answer.header && looks.root.dataset.mark === mark) return;
    [drawnRow, drawnFor] = [row, answer.header];
    looks.root.dataset.mark = mark;
    fill(looksTitle, "What ", el("b", { class: "mono role-q" }, visible(tokens[row].text)), ` (${row}) looks at`);
    looks.show(tokens, (token, index) => {
      const weight = at("weights", row, index);
      const masked = hidden(row, index);
      const [r, g, b] = colours.rgb(weight);
      const ink = inkOn([r, g, b]) === "dark" ? "#000000" : "#ffffff";
      return {
        class: `look ${masked ? "masked" : ""} ${index === row ? "asking" : ""}`,
        dataset: { value: exact(weight) },
        style: masked ? {} : { background: `rgb(${r} ${g} ${b})`, color: ink },
        "aria-label": `${spoken(token.text)}, ${masked ? "masked" : `weight ${significant(weight, 3)}`}`,
        title: masked ? "masked" : significant(weight, 4),
      };
    });
  }

  function caption() {
    const { header } = /** @type {any} */ (answer);
    const left = header.trained_this_way ? "" : "Not trained this way. ";
    return {
      title: `Layer ${header.layer}, head ${header.head}: ${store.get().map}`,
      stamp: panel.stampText(),
      legend:
        `${left}Rows: query. Columns: key. ` +
        (scores() ? "Amber: negative, blue: positive scores." : "The stronger the colour, the more weight.") +
        " Hatched: masked.",
      colours: scale(),
      marks: marksOf(scale()),
    };
  }

  function save() {
    if (answer) savePng(map.canvas, caption());
  }

  /** All weights and scores, a row a pair that is seen. @returns {import("../parts/table.js").TableData | null} */
  function table() {
    if (!answer) return null;
    const { tokens } = answer.header;
    const rows = [];
    for (let q = 0; q < size(); q++)
      for (let k = 0; k < size(); k++) {
        if (!hidden(q, k))
          rows.push([q, visible(tokens[q].text), k, visible(tokens[k].text), at("weights", q, k), at("scores", q, k)]);
      }
    return {
      caption: caption().title,
      columns: ["query", "its token", "key", "its token", "weight", "score"],
      rows,
      note: "Masked pairs are left out.",
    };
  }

  const question = asker({
    panel,
    ask: (body, signal) => api.frame("/api/inspect/head", { body, signal }),
    answered(next) {
      answer = next;
      const { header } = next;
      name.textContent = `Layer ${header.layer}, head ${header.head}`;
      const shared = header.heads / header.kv_heads;
      panel.setHint(
        HINT +
          (shared > 1
            ? ` It takes its keys and values from key/value head ${header.kv_head}, which ${shared} heads share.`
            : ""),
      );
      panel.ready(header.stamp, []);
      draw();
      hold();
      const cell = map.cell();
      if (cell) read(cell);
      else dot.clear();
    },
  });

  function hold() {
    const { query, key } = store.get();
    map.hold(answer && query >= 0 && key >= 0 && query < size() && key < size() ? { row: query, column: key } : null);
  }

  let mapKind = "";
  return {
    /**
     * @param {any} body of the request, null when no head is chosen
     * @param {import("../base/store.js").State} state
     */
    update(body, state) {
      root.hidden = !body;
      if (!body) return;
      question.update(body, freshness(shell));
      if (mapKind !== state.map) draw();
      mapKind = state.map;
      map.pick(state.token);
      looks.pick(state.token);
      if (answer) {
        hold();
        if (!map.cell()) drawLooks(state.token);
      }
    },
    destroy() {
      stop();
      question.stop();
    },
  };
}
