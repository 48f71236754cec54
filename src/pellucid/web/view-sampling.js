// @ts-check
/** Sampling: what the model thinks comes next, what the settings leave of it, and drawing from that. */
import * as api from "./api.js";
import { createBars, niceEnd } from "./bars.js";
import { announce, el, fill, debounce } from "./dom.js";
import { createPanel } from "./panel.js";
import { saveSvg } from "./save.js";
import { percent, whole } from "./scale.js";
import { brief, isPiece, spoken, visible } from "./tokens.js";
import { asker, freshness, redrawn, weights } from "./views.js";

export const id = "sampling";
export const tab = "Sampling";
export const title = "Sampling";
export const hint =
  "The model gives every token a chance to come next. These settings sharpen the chances and cut the unlikely ones; one token is then drawn.";

/** Candidates that are listed. */
const SHOWN = 32;
/** Draws of “draw 1,000”. */
const MANY = 1000;
/** Vocabularies larger than this get a slider of k that grows by factors. */
const SMALL = 200;

/**
 * Where a slider's step 0–1 lies for k of a vocabulary; the end is all of it.
 * @param {number} place
 * @param {number} vocabulary
 * @returns {number} 0 for all
 */
export function kOfPlace(place, vocabulary) {
  if (place >= 1) return 0;
  return Math.max(1, Math.round(vocabulary > SMALL ? vocabulary ** place : 1 + place * (vocabulary - 1)));
}

/** @param {number} k 0 for all @param {number} vocabulary */
export function placeOfK(k, vocabulary) {
  if (k === 0 || k >= vocabulary) return 1;
  return vocabulary > SMALL ? Math.log(k) / Math.log(vocabulary) : (k - 1) / (vocabulary - 1);
}

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
  const settings = el("div", { class: "sliders" });
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
      el("div", {}, settings, drawing, drawn, facts),
      el("div", {}, barsLegend(), holder, rest),
    ),
  );
  root.append(panel.root);
  const stop = redrawn(holder, drawBars);

  /* ---------------------------------------------------------------------- settings */

  const change = debounce((/** @type {Partial<import("./store.js").State>} */ patch) => store.set(patch), 40);

  const sliders = {
    temperature: slider(
      "temperature",
      "temperature",
      { min: 0.1, max: 2, step: 0.05 },
      "lower is surer, higher more even",
      (value) => ({ temperature: value }),
    ),
    top_k: slider("top_k", "top-k", { min: 0, max: 1, step: 0.001 }, "only the k likeliest tokens", (value) => ({
      top_k: kOfPlace(value, vocabulary()),
    })),
    top_p: slider(
      "top_p",
      "top-p",
      { min: 0.01, max: 1, step: 0.01 },
      "only the likeliest that make up this share",
      (value) => ({ top_p: value }),
    ),
    min_p: slider(
      "min_p",
      "min-p",
      { min: 0, max: 1, step: 0.01 },
      "only tokens this likely, beside the likeliest",
      (value) => ({ min_p: value }),
    ),
  };
  fill(
    settings,
    Object.values(sliders).map((each) => each.root),
  );

  /**
   * @param {string} name
   * @param {string} label
   * @param {{min: number, max: number, step: number}} range
   * @param {string} says
   * @param {(value: number) => Partial<import("./store.js").State>} patch
   */
  function slider(name, label, range, says, patch) {
    const input = el("input", {
      type: "range",
      id: `set-${name}`,
      "data-testid": name,
      "aria-describedby": `about-${name}`,
      ...range,
    });
    const output = el("output", { for: `set-${name}` });
    input.addEventListener("input", () => {
      const next = patch(Number(input.value));
      write({ ...store.get(), ...next });
      change(next);
    });
    return {
      input,
      output,
      root: el(
        "div",
        { class: "slider" },
        el("label", { for: `set-${name}` }, label),
        output,
        input,
        el("span", { class: "note", id: `about-${name}` }, says),
      ),
    };
  }

  const vocabulary = () => answer?.vocab_size ?? shell.run()?.model?.vocab_size ?? 65;

  /** @param {import("./store.js").State} state */
  function write(state) {
    const k = state.top_k === 0 || state.top_k >= vocabulary() ? "all" : whole(state.top_k);
    /** @type {[keyof typeof sliders, number, string][]} */
    const rows = [
      ["temperature", state.temperature, state.temperature.toFixed(2)],
      ["top_k", placeOfK(state.top_k, vocabulary()), k],
      ["top_p", state.top_p, state.top_p === 1 ? "off" : state.top_p.toFixed(2)],
      ["min_p", state.min_p, state.min_p === 0 ? "off" : state.min_p.toFixed(2)],
    ];
    for (const [name, place, words] of rows) {
      const { input, output } = sliders[name];
      if (document.activeElement !== input || Math.abs(Number(input.value) - place) > 0.02) input.value = String(place);
      input.setAttribute("aria-valuetext", words);
      output.textContent = words;
    }
  }

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
        text: `${each.kept ? percent(each.drawn) : "cut"}${counts && each.kept ? `  ${counts.get(each.id) ?? 0}×` : ""}`,
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
      ? `${whole(left.n)} more tokens share ${percent(left.probability)} of the model's chances${left.drawn ? ` and ${percent(left.drawn)} of what is drawn` : "; all of them are cut"}.`
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

  /** @returns {import("./table.js").TableData | null} */
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
      drawn.textContent = `${visible(token.text)} is part of a character, or a token with a name of its own: it cannot be written into the prompt.`;
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
      drawn.textContent = `Drawn ${whole(n)} times: the rings show how often each token came, beside the bars that say how often to expect it.`;
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
      write(store.get());
      drawFacts();
      drawBars();
    },
  });

  return {
    update(state) {
      write(state);
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
