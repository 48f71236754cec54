// @ts-check
/** How long to train, and, folded away, everything else one may decide: what is left empty is chosen for the reader. */
import { el, debounce } from "../base/dom.js";

const STOPS = [0.5, 1, 2, 3, 5, 8, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240, 360, 480];
const MOST_MINUTES = 10_080; // a week
const DEFAULT_MINUTES = 5;
const CHANGED_AFTER = 900; // milliseconds without another change

/** @typedef {{name: string, label: string, about: string, kind: "whole" | "number" | "text" | "choice", choices?: string[],
 *    low?: number, high?: number}} Setting */

/** @type {Setting[]} */
const SETTINGS = [
  { name: "preset", label: "recipe", about: "auto chooses from the text, the time and this machine", kind: "choice",
    choices: ["auto", "lesson", "mini", "chars", "gpt2", "gutenberg-moe", "bigram"] },
  { name: "tokenizer", label: "tokenizer", about: "what one token is: a character, or a frequent piece of a word", kind: "choice",
    choices: ["auto", "char", "bpe", "wordpiece"] },
  { name: "vocab_size", label: "vocabulary", about: "tokens of a BPE or WordPiece vocabulary", kind: "whole", low: 2, high: 1 << 20 },
  { name: "context_length", label: "context", about: "tokens it sees at once", kind: "whole", low: 1, high: 1 << 20 },
  { name: "n_layers", label: "layers", about: "blocks, one after another", kind: "whole", low: 1, high: 1000 },
  { name: "n_heads", label: "heads", about: "of attention, in each layer", kind: "whole", low: 1, high: 1000 },
  { name: "d_model", label: "channels", about: "numbers a token is made of (d_model)", kind: "whole", low: 1, high: 1 << 16 },
  { name: "batch_size", label: "batch", about: "stretches of text read in a step", kind: "whole", low: 1, high: 1 << 20 },
  { name: "lr", label: "learning rate", about: "its peak", kind: "number", low: 1e-12, high: 100 },
  { name: "dropout", label: "dropout", about: "share of activations left out while learning", kind: "number", low: 0, high: 0.99 },
  { name: "seed", label: "seed", about: "of the weights, the order and the samples", kind: "whole", low: 0, high: 2 ** 31 },
  { name: "sample_prompt", label: "samples begin with", about: "what it writes while learning goes on from this", kind: "text" },
];

/** Minutes as they are said. @param {number} minutes */
function said(minutes) {
  if (minutes < 1) return `${Math.round(60 * minutes)} seconds`;
  if (minutes < 120) return minutes === 1 ? "1 minute" : `${minutes} minutes`;
  return `${Number((minutes / 60).toFixed(1))} hours`;
}

/** @param {{changed: () => void}} ears  told when another setting is there to be looked at */
export function createSettings({ changed }) {
  const soon = debounce(changed, CHANGED_AFTER);
  const number = el("input", { type: "number", id: "minutes", min: 0.05, max: MOST_MINUTES, step: "any", value: DEFAULT_MINUTES, required: true, "data-testid": "minutes" });
  const slider = el("input", { type: "range", min: 0, max: STOPS.length - 1, step: 1, value: STOPS.indexOf(DEFAULT_MINUTES),
    "aria-label": "minutes of training", "data-testid": "minutes-slider" });
  const tell = () => slider.setAttribute("aria-valuetext", said(STOPS[Number(slider.value)]));
  slider.addEventListener("input", () => {
    number.value = String(STOPS[Number(slider.value)]);
    tell();
    soon();
  });
  number.addEventListener("input", () => {
    const nearest = STOPS.reduce((best, stop, n) => (Math.abs(Math.log(stop / Number(number.value))) < Math.abs(Math.log(STOPS[best] / Number(number.value))) ? n : best), 0);
    slider.value = String(nearest);
    tell();
    soon();
  });
  tell();

  const fields = SETTINGS.map((setting) => ({ setting, input: fieldOf(setting) }));
  for (const { input } of fields) input.addEventListener("input", soon);
  const name = el("input", { type: "text", id: "run-name", maxlength: 60, pattern: "[A-Za-z0-9][A-Za-z0-9._\\-]*", title: "letters, digits, . _ -",
    placeholder: "chosen from the text", "data-testid": "run-name", autocomplete: "off" });
  const root = el("div", { class: "settings" },
    el("div", { class: "minutes" }, el("label", { for: "minutes" }, "minutes of training"), el("div", { class: "minutes-row" }, slider, number)),
    el("details", { class: "more", "data-testid": "more-settings" },
      el("summary", {}, "Other settings"),
      el("p", { class: "note" }, "What is left empty is chosen from the text, the time and this machine; the grey numbers are what was chosen."),
      el("div", { class: "fields" },
        el("div", { class: "field" }, el("label", { for: "run-name" }, "name of the run"), name),
        fields.map(({ setting, input }) => el("div", { class: "field" },
          el("label", { for: input.id }, setting.label), input, el("span", { class: "note", id: `${input.id}-about` }, setting.about))))));

  return {
    root,
    /** Whether all that was typed can be used; where not, the browser says why. */
    valid() {
      const bad = [number, name, ...fields.map(({ input }) => input)].find((input) => !input.checkValidity());
      bad?.closest("details")?.setAttribute("open", "");
      bad?.reportValidity();
      return !bad;
    },
    name: () => name.value.trim(),
    focus: () => slider.focus(),
    /** The settings that were decided. @returns {Record<string, any>} */
    values() {
      /** @type {Record<string, any>} */
      const values = { minutes: Number(number.value) };
      for (const { setting, input } of fields) {
        const text = input.value.trim();
        if (text === "" || text === "auto") continue;
        values[setting.name] = setting.kind === "whole" || setting.kind === "number" ? Number(text) : input.value;
      }
      return values;
    },
    /** Show settings that were decided before this page was opened. @param {Record<string, any>} values */
    restore(values) {
      if (values.minutes) {
        number.value = String(values.minutes);
        slider.value = String(Math.max(0, STOPS.findIndex((stop) => stop >= values.minutes)));
        tell();
      }
      for (const { setting, input } of fields) input.value = String(values[setting.name] ?? setting.choices?.[0] ?? "");
    },
    /** Choose the recipe that a text comes with. @param {string} preset */
    propose(preset) {
      for (const { setting, input } of fields) if (setting.name === "preset") input.value = preset;
    },
    /** Show in grey what was chosen where nothing was decided. @param {Record<string, any>} chosen */
    suggest(chosen) {
      for (const { setting, input } of fields) {
        if (input instanceof HTMLInputElement && setting.kind !== "text") input.placeholder = chosen[setting.name] === undefined ? "" : String(chosen[setting.name]);
      }
    },
  };
}

/** @param {Setting} setting */
function fieldOf({ name, kind, choices, low, high }) {
  const shared = { id: `setting-${name}`, "aria-describedby": `setting-${name}-about`, "data-testid": `setting-${name}` };
  if (kind === "choice") return el("select", shared, (choices ?? []).map((choice) => el("option", { value: choice }, choice)));
  if (kind === "text") return el("input", { type: "text", maxlength: 500, autocomplete: "off", ...shared });
  return el("input", { type: "number", min: low, max: high, step: kind === "whole" ? 1 : "any", ...shared });
}
