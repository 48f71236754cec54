// @ts-check
/** Sampling: what the model thinks comes next, what the settings leave of it, and drawing from that. */
import * as api from "../base/api.js";
import { createBars, niceEnd } from "../parts/bars.js";
import { announce, el, fill } from "../base/dom.js";
import { createPanel } from "../parts/panel.js";
import { saveSvg } from "../parts/save.js";
import { createSliders } from "../parts/sliders.js";
import { percent, whole } from "../base/scale.js";
import { brief, isPiece, spoken, visible } from "../base/token-text.js";
import { asker, freshness, redrawn, weights } from "./views.js";

export const id = "sampling";
export const tab = "Sampling";
export const title = "Sampling";
export const hint =
  "The model gives every token a chance to come next. These settings sharpen the chances and cut the unlikely ones; " +
  "one token is then drawn.";

/** Candidates that are listed. */
const SHOWN = 32;
/** Draws of “draw 1,000”. */
const MANY = 1000;
/** @type {import("./views.js").View["mount"]} */
export function mount(root, shell) {
  const { store } = shell;
  /** @type {any} */
  let answer = null;
  /** @type {Map<number, number> | null} */
  let counts = null;
  let countedFor = "";
  const panel = createPanel(
    { id, title, hint },
    {
      saveSvg: () =>
        saveSvg(bars.root, {
          title: `${title}: what comes next`,
          stamp: panel.stampText(),
          legend: "Thin line: the model's own chance. Bar: the chance it is drawn with. Hatched: cut by the settings.",
        }),
      table,
    },
  );
  const vocabulary = () => answer?.vocab_size ?? shell.run()?.model?.vocab_size ?? 65;
  const settings = createSliders(store, vocabulary);
  const facts = el("dl", { class: "facts" });
  const rest = el("p", { class: "note", "data-testid": "rest" });
  const drawn = el("p", { class: "readout", "data-testid": "drawn", "aria-live": "polite" });
  const bars = createBars({
    label: "The likeliest next tokens; choose one to go on with it",
    testid: "candidates",
    verb: "Go on with it.",
    choose: (index) => append(answer.candidates[index]),
  });
  const holder = el("div", { class: "bars-holder" }, bars.root);
  const drawing = el(
    "div",
    { class: "drawing" },
    el("button", { type: "button", class: "primary", "data-testid": "draw", onclick: () => draw(1) }, "Draw a token"),
    el("button", { type: "button", "data-testid": "draw-many", onclick: () => draw(MANY) }, `Draw ${whole(MANY)}`),
  );
  panel.body.append(
    el(
      "div",
      { class: "split sampling" },
      el("div", {}, settings.root, drawing, drawn, facts),
      el("div", {}, barsLegend(), holder, rest),
    ),
  );
  root.append(panel.root);
  const stop = redrawn(holder, drawBars);

  const options = () => {
    const { temperature, top_k, top_p, min_p } = store.get();
    return { temperature, top_k, top_p, min_p };
  };

  /* ---------------------------------------------------------------------- the picture */

  function drawBars() {
    if (!answer) return;
    const { candidates, rest: left } = answer;
    const end = niceEnd(
      Math.max(...candidates.map((/** @type {any} */ each) => Math.max(each.probability, each.drawn))),
    );
    const width = Math.min(holder.clientWidth, 1100);
    bars.show(
      candidates.map((/** @type {any} */ each) => ({
        label: brief(each.text, 8),
        spoken: spoken(each.text),
        value: each.kept ? each.drawn : each.probability,
        line: each.probability,
        cut: !each.kept,
        dot: counts?.get(each.id) ? (counts.get(each.id) ?? 0) / MANY : undefined,
        text: (each.kept ? percent(each.drawn) : "cut") + (counts && each.kept ? `  ${counts.get(each.id) ?? 0}×` : ""),
        data: {
          id: each.id,
          kept: each.kept,
          probability: each.probability,
          drawn: each.drawn,
          logit: each.logit,
          count: counts?.get(each.id) ?? "",
        },
      })),
      { width, end, write: percent, tail: counts ? 130 : 80 },
    );
    rest.textContent = left.n
      ? `${whole(left.n)} more tokens share ${percent(left.probability)} of the model's chances` +
        (left.drawn ? ` and ${percent(left.drawn)} of what is drawn.` : "; all of them are cut.")
      : "";
  }

  function drawFacts() {
    /** @type {[string, number, string][]} */
    const rows = [
      ["entropy of the model", answer.entropy_bits, `${answer.entropy_bits.toFixed(2)} bits`],
      ["entropy of what is drawn", answer.drawn_entropy_bits, `${answer.drawn_entropy_bits.toFixed(2)} bits`],
      ["tokens kept", answer.kept, `${whole(answer.kept)} of ${whole(answer.vocab_size)}`],
    ];
    fill(
      facts,
      rows.map(([words, value, text], i) =>
        el(
          "div",
          {},
          el("dt", {}, words),
          el("dd", { "data-testid": ["entropy", "drawn-entropy", "kept"][i], dataset: { value } }, text),
        ),
      ),
    );
  }

  /** @returns {import("../parts/table.js").TableData | null} */
  function table() {
    return (
      answer && {
        caption: "The likeliest next tokens",
        columns: [
          "rank",
          "token",
          "id",
          "logit",
          "probability",
          "drawn with",
          "kept",
          ...(counts ? ["drawn of 1,000"] : []),
        ],
        rows: answer.candidates.map((/** @type {any} */ each) => [
          each.rank,
          visible(each.text),
          each.id,
          each.logit,
          each.probability,
          each.drawn,
          each.kept ? "kept" : "cut",
          ...(counts ? [counts.get(each.id) ?? 0] : []),
        ]),
        note: answer.rest.n ? `${whole(answer.rest.n)} less likely tokens are left out.` : undefined,
      }
    );
  }

  /* ---------------------------------------------------------------------- drawing */

  /** The prompt, with a token behind it. @param {{text: string}} token */
  function append(token) {
    if (isPiece(token.text)) {
      drawn.textContent =
        `${visible(token.text)} is part of a character, or a token with a name of its own: ` +
        "it cannot be written into the prompt.";
      return;
    }
    shell.setPrompt((shell.prompt() ?? "") + token.text);
    announce(`${spoken(token.text)} was put behind the prompt.`);
  }

  /** @param {number} n */
  async function draw(n) {
    const mine = countedFor;
    try {
      const got = await api.json("/api/inspect/draw", {
        body: { ...weights(shell), text: shell.prompt() ?? "", ...options(), n },
      });
      if (mine !== countedFor) return;
      if (n === 1) {
        const [token] = got.counts;
        counts = null; // those of the prompt as it was
        fill(drawn, "Drawn: ", el("b", { class: "mono" }, visible(token.text)));
        return append(token);
      }
      counts = new Map(got.counts.map((/** @type {any} */ each) => [each.id, each.count]));
      drawn.textContent =
        `Drawn ${whole(n)} times: the rings show how often each token came, beside the bars that say ` +
        "how often to expect it.";
      drawBars();
      panel.refreshTable();
    } catch (error) {
      drawn.textContent = /** @type {Error} */ (error).message;
    }
  }

  const question = asker({
    panel,
    ask: (body, signal) => api.json("/api/inspect/next", { body, signal }),
    answered(next) {
      answer = next;
      panel.ready(answer.stamp, answer.notes);
      settings.write(store.get());
      drawFacts();
      drawBars();
    },
  });

  return {
    update(state) {
      settings.write(state);
      const body = { ...weights(shell), text: shell.prompt() ?? "", ...options(), shown: SHOWN };
      const words = JSON.stringify(body);
      if (words !== countedFor) {
        if (counts) drawn.textContent = "";
        counts = null;
      }
      countedFor = words;
      question.update(body, freshness(shell));
    },
    destroy() {
      stop();
      question.stop();
      root.replaceChildren();
    },
  };
}

function barsLegend() {
  return el(
    "ul",
    { class: "keys note", "data-testid": "legend" },
    el("li", {}, el("span", { class: "key-line" }), "the model's own chance"),
    el("li", {}, el("span", { class: "key-bar" }), "the chance it is drawn with"),
    el("li", {}, el("span", { class: "key-cut hatched" }), "cut by the settings"),
    el("li", {}, el("span", { class: "key-dot" }), "how often it came in 1,000 draws"),
  );
}
