// @ts-check
/** Bigram: how often each token followed each other in the training text, as counted; the simplest model there is. */
import * as api from "../base/api.js";
import { createBars, niceEnd } from "../parts/bars.js";
import { announce, el, fill } from "../base/dom.js";
import { createHeatmap } from "../parts/heatmap.js";
import { scaleLegend } from "../parts/legend.js";
import { createPanel } from "../parts/panel.js";
import { savePng, saveSvg } from "../parts/save.js";
import { colourScale, percent, short, whole } from "../base/scale.js";
import { brief, spoken, visible } from "../base/token-text.js";
import { asker, redrawn, theme, weights } from "./views.js";

export const id = "bigram";
export const tab = "Bigram";
export const title = "Bigram table";
export const hint =
  "How often each token followed each other in the training text: counted, not learned. " +
  "Choose a row to see what came next.";

/** @type {import("./views.js").View["mount"]} */
export function mount(root, shell) {
  const { store } = shell;
  /** @type {any} */
  let answer = null;
  const panel = createPanel(
    { id, title, hint },
    {
      savePng: () =>
        savePng(map.canvas, {
          title,
          stamp: panel.stampText(),
          legend: "Rows: a token. Columns: the token after it. Colour: how often, on a logarithmic scale.",
          colours: scale(),
          marks: marks(),
        }),
      saveSvg: () =>
        saveSvg(bars.root, {
          title: rowTitle.textContent ?? "",
          stamp: panel.stampText(),
          legend: "Share of the times that each token came next; behind it the count.",
        }),
      table: () =>
        answer && {
          caption: `Counts of pairs among the ${answer.rows.length} most frequent tokens (row, then column)`,
          columns: ["token", ...answer.rows.map((/** @type {any} */ each) => visible(each.text))],
          rows: answer.rows.map((/** @type {any} */ each, /** @type {number} */ i) => [
            visible(each.text),
            ...answer.counts[i],
          ]),
          note: `Of ${whole(answer.vocab_size)} tokens the ${answer.rows.length} most frequent.`,
        },
    },
  );
  const readout = el(
    "p",
    { class: "readout", "data-testid": "readout" },
    "Point at a cell, or move with the arrow keys, to read it.",
  );
  const legend = el("div");
  const rowTitle = el("h3", { "data-testid": "row-title" });
  const rowNote = el("p", { class: "note" });
  const bars = createBars({ label: "What came next", testid: "followers" });
  const barsHolder = el("div", { class: "bars-holder" }, bars.root);
  const map = createHeatmap({
    label: "Counts of pairs: rows are a token, columns the one after it. Arrow keys move, Enter chooses the row.",
    testid: "bigram-map",
    focused: read,
    locked: ({ row }) => store.set({ row: answer.rows[row].id }),
  });
  panel.body.append(
    el(
      "div",
      { class: "split" },
      el("div", {}, map.root, readout, legend),
      el("div", {}, rowTitle, rowNote, barsHolder),
    ),
  );
  root.append(panel.root);
  const stops = [redrawn(map.root, drawMap), redrawn(barsHolder, drawBars)];

  /** @param {import("../parts/heatmap.js").Cell | null} cell */
  function read(cell) {
    if (!cell || !answer) return;
    const [first, second, count] = [
      answer.rows[cell.row],
      answer.rows[cell.column],
      answer.counts[cell.row][cell.column],
    ];
    fill(
      readout,
      el("b", { class: "mono" }, visible(first.text)),
      " then ",
      el("b", { class: "mono" }, visible(second.text)),
      `: ${whole(count)} times, ${percent(first.count ? count / first.count : 0)} of all that followed it`,
    );
    Object.assign(readout.dataset, { query: String(cell.row), key: String(cell.column), value: String(count) });
    announce(`${spoken(first.text)} then ${spoken(second.text)}: ${whole(count)} times`);
  }

  /** From nothing to the power of ten that holds all counts. */
  function scale() {
    const most = Math.max(1, ...answer.counts.flat());
    return colourScale({
      kind: "sequential",
      domain: [0, 10 ** Math.ceil(Math.log10(most))],
      theme: theme(),
      shape: "log",
    });
  }

  /** @returns {[number, string][]} */
  function marks() {
    const [, end] = scale().domain;
    return [0, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9]
      .filter((value, i) => value <= end && (end < 1e5 || i % 2 === 0))
      .map((value) => [value, short(value)]);
  }

  function drawMap() {
    if (!answer) return;
    const n = answer.rows.length;
    const labels = answer.rows.map((/** @type {any} */ each) => brief(each.text, 6));
    map.show({
      rows: n,
      columns: n,
      values: Float64Array.from(answer.counts.flat()),
      scale: scale(),
      rowLabels: labels,
      columnLabels: labels,
    });
    map.pick(answer.rows.findIndex((/** @type {any} */ each) => each.id === answer.row?.id));
    fill(legend, scaleLegend(scale(), { label: "times counted", marks: marks() }));
  }

  function drawBars() {
    const row = answer?.row;
    if (!row) return;
    rowTitle.textContent = `What came after ${spoken(row.text)}`;
    rowNote.textContent =
      `It was followed ${whole(row.count)} times, by ${whole(row.kinds)} different tokens` +
      `${row.kinds > row.followers.length ? `; the ${row.followers.length} most frequent are shown` : ""}.`;
    bars.show(
      row.followers.map((/** @type {any} */ each) => ({
        label: brief(each.text, 8),
        spoken: spoken(each.text),
        value: each.probability,
        text: `${percent(each.probability)}  ${whole(each.count)}`,
        data: { id: each.id, count: each.count },
      })),
      {
        width: Math.min(barsHolder.clientWidth, 720),
        end: niceEnd(row.followers[0]?.probability ?? 1),
        write: percent,
      },
    );
  }

  const question = asker({
    panel,
    ask: (body, signal) => api.json("/api/inspect/bigram", { body, signal }),
    answered(next) {
      answer = next;
      first = next.rows[0]?.id;
      panel.ready(answer.stamp, answer.notes);
      // until a row is chosen, that of the most frequent token is shown
      if (!next.row && first !== undefined) return view.update(store.get());
      drawMap();
      drawBars();
    },
  });

  /** The most frequent token, whose row is shown first. @type {number | undefined} */
  let first;
  /** @type {ReturnType<import("./views.js").View["mount"]>} */
  const view = {
    update(state) {
      const token = state.token >= 0 ? tokenId(state.token) : undefined;
      const row = state.row >= 0 ? state.row : (token ?? (shell.runName() === answer?.stamp.run ? first : undefined));
      question.update({ ...weights(shell), ...(row === undefined ? {} : { row }) });
    },
    destroy() {
      question.stop();
      for (const stop of stops) stop();
      root.replaceChildren();
    },
  };
  return view;

  /** The id of a token of the prompt. @param {number} index */
  function tokenId(index) {
    const read = shell.tokens();
    return read?.tokens?.[index + Math.max(0, read.n_tokens - read.context_length)]?.id;
  }
}
