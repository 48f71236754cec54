// @ts-check
/** The settings of sampling as sliders; how k lies on its slider. */
import { debounce, el } from "../base/dom.js";
import { whole } from "../base/scale.js";

/** @typedef {import("../base/store.js").State} State */

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

/**
 * The k that an arrow key leads to: by one, or by a twentieth of a large one.
 * @param {number} k 0 for all
 * @param {boolean} up
 * @param {number} vocabulary
 */
export function nextK(k, up, vocabulary) {
  const here = k === 0 ? vocabulary : k;
  const next = up ? Math.max(here + 1, Math.round(here * 1.05)) : Math.min(here - 1, Math.round(here / 1.05));
  return next >= vocabulary ? 0 : Math.max(next, 1);
}

/**
 * The four settings that the page shares, in the URL: wherever they are moved, they move.
 * @param {import("../base/store.js").Store} store
 * @param {() => number} vocabulary tokens there are
 * @param {string} [prefix] of ids, where two of these are in one page
 */
export function createSliders(store, vocabulary, prefix = "") {
  /** @type {Partial<State>} */
  let pending = {};
  const change = debounce(() => {
    const patch = pending;
    pending = {};
    store.set(patch);
  }, 40);

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
  const root = el(
    "div",
    { class: "sliders" },
    Object.values(sliders).map((each) => each.root),
  );

  // its places are uneven: the arrow keys go from one k to the next, and faster where k is large
  sliders.top_k.input.addEventListener("keydown", (event) => {
    const up = { ArrowRight: true, ArrowUp: true, ArrowLeft: false, ArrowDown: false }[event.key];
    if (up === undefined) return;
    event.preventDefault();
    const k = pending.top_k ?? store.get().top_k;
    move({ top_k: nextK(k, up, vocabulary()) }, true);
  });

  /** @param {Partial<State>} patch @param {boolean} [byKey] */
  function move(patch, byKey = false) {
    pending = { ...pending, ...patch };
    write({ ...store.get(), ...pending }, byKey);
    change();
  }

  /**
   * @param {string} name
   * @param {string} label
   * @param {{min: number, max: number, step: number}} range
   * @param {string} says
   * @param {(value: number) => Partial<State>} patch
   */
  function slider(name, label, range, says, patch) {
    const input = el("input", {
      type: "range",
      id: `${prefix}set-${name}`,
      "data-testid": `${prefix}${name}`,
      "aria-describedby": `${prefix}about-${name}`,
      ...range,
    });
    const output = el("output", { for: `${prefix}set-${name}` });
    input.addEventListener("input", () => {
      const next = patch(Number(input.value));
      move(next);
    });
    return {
      input,
      output,
      root: el(
        "div",
        { class: "slider" },
        el("label", { for: `${prefix}set-${name}` }, label),
        output,
        input,
        el("span", { class: "note", id: `${prefix}about-${name}` }, says),
      ),
    };
  }

  /** @param {State} state @param {boolean} [byKey] */
  function write(state, byKey = false) {
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
      if (byKey || document.activeElement !== input || Math.abs(Number(input.value) - place) > 0.02)
        input.value = String(place);
      input.setAttribute("aria-valuetext", words);
      output.textContent = words;
    }
  }

  return { root, write: (/** @type {State} */ state) => write({ ...state, ...pending }) };
}
