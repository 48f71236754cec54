// @ts-check
/** The place Look inside: one prompt, and the views that show what the model makes of it. */
import * as api from "../base/api.js";
import { debounce, el, fill, roving } from "../base/dom.js";
import { whole } from "../base/scale.js";
import { formatHash } from "../base/store.js";
import { chips } from "../parts/chips.js";
import { beginning, cropped } from "../base/token-text.js";
import { freshness, weights } from "./views.js";
import * as tokens from "./view-tokens.js";
import * as bigram from "./view-bigram.js";
import * as attention from "./view-attention.js";
import * as sampling from "./view-sampling.js";
import * as shapes from "./view-shapes.js";

/** @type {import("./views.js").View[]} */
const VIEWS = [tokens, bigram, attention, sampling, shapes];
/** A prompt is looked at when typing has paused for this long: a key held down repeats within it. */
const PAUSE = 50;

export const id = "look";
export const title = "Look inside";

/** @param {HTMLElement} root @param {import("../base/types.js").Shell} shell */
export function mount(root, shell) {
  const { store } = shell;
  const field = el("textarea", {
    id: "prompt",
    rows: 2,
    spellcheck: false,
    dir: "auto",
    autocomplete: "off",
    "data-testid": "prompt",
    "aria-describedby": "prompt-note",
  });
  const note = el("p", { id: "prompt-note", class: "note", "data-testid": "prompt-note" });
  const strip = chips({ label: "The prompt's tokens; pick one", testid: "strip", pick: (index) => pickToken(index) });
  const tabs = el("div", { class: "tabs", role: "tablist", "aria-label": "Views" });
  const stage = el("div", { id: "view", role: "tabpanel" });
  const empty = el(
    "p",
    { class: "lead", hidden: true, "data-testid": "no-run" },
    "There is no run yet. ",
    el("a", { href: formatHash({ ...store.get(), place: "train" }) }, "Train one"),
    ", and then look inside it here.",
  );
  const inside = el(
    "div",
    {},
    el(
      "div",
      { class: "prompt" },
      el("label", { for: "prompt" }, "The prompt that every view reads"),
      field,
      note,
      strip.root,
    ),
    tabs,
    stage,
  );
  root.append(el("h1", { class: "unseen" }, title), empty, inside);

  /** The first prompts of runs, by name. @type {Map<string, string>} */
  const samples = new Map();
  /** @type {any} */
  let read = null;
  let asked = "";
  /** @type {{id: string, view: ReturnType<import("./views.js").View["mount"]>} | null} */
  let shown = null;

  const prompt = () => store.get().prompt ?? samples.get(shell.runName()) ?? null;
  /** @type {import("./views.js").LookShell} */
  const look = {
    ...shell,
    prompt,
    setPrompt: (text) => store.set({ prompt: text, token: -1, query: -1, key: -1 }),
    tokens: () => read,
  };

  /** What is in the field is newer than the state: nothing that comes in between may write over it. */
  let typing = false;
  function take() {
    if (typing && field.value !== prompt()) look.setPrompt(field.value);
    typing = false;
  }
  const settle = debounce(take, PAUSE);
  field.addEventListener("input", () => {
    typing = true;
    settle();
  });
  field.addEventListener("change", take); // before one goes elsewhere

  /** @param {number} index */
  function pickToken(index) {
    store.set({ token: store.get().token === index ? -1 : index, row: -1 });
  }

  /* the tokens of the prompt, asked once for all views */
  const reading = api.latest(
    (signal) => api.json("/api/inspect/tokens", { body: { ...weights(shell), text: prompt() ?? "" }, signal }),
    {
      answered(answer) {
        read = answer;
        const left = cropped(answer.n_tokens, answer.context_length);
        const seen = answer.tokens.slice(left);
        strip.show(answer.shown < answer.n_tokens ? [] : seen);
        const words = [
          `${whole(answer.n_characters)} characters, ${whole(answer.n_tokens)} tokens.`,
        ];
        if (left)
          words.push(
            `The model sees ${whole(answer.context_length)} tokens: the first ${whole(left)} are left out.`,
          );
        note.textContent = words.join(" ");
        update(store.get());
      },
      failed(error) {
        read = { failed: error, retry: () => askTokens(true) };
        note.textContent = error.message;
        update(store.get());
        // after the update, which would ask at once: what wanted a server is asked again when there is one
        if (error instanceof api.ApiError && error.status === 0) asked = "";
      },
    },
  );

  /** @param {boolean} [again] */
  function askTokens(again = false) {
    const words = JSON.stringify([weights(shell), prompt()]);
    if (words === asked && !again) return;
    asked = words;
    reading.ask();
  }

  /** The run whose sample is asked for. */
  let finding = "";

  /** The first prompt of a run is the beginning of what it wrote itself. */
  async function findSample() {
    const name = shell.runName();
    if (!name || name === finding) return;
    finding = name;
    try {
      const run = await api.json(`/api/runs/${encodeURIComponent(name)}`);
      samples.set(name, beginning(run.sample ?? "", run.tokenizer?.kind === "char"));
    } catch (error) {
      if (error instanceof api.ApiError && error.status === 0) return; // asked again when the server is back
      samples.set(name, "");
    } finally {
      if (finding === name) finding = "";
    }
    if (name === shell.runName()) update(store.get());
  }

  function drawTabs() {
    const state = store.get();
    if (!tabs.childElementCount) {
      fill(
        tabs,
        VIEWS.map((view) =>
          el(
            "button",
            {
              type: "button",
              role: "tab",
              id: `tab-${view.id}`,
              "aria-controls": "view",
              dataset: { view: view.id },
              onclick: () => store.set({ view: view.id }),
            },
            view.tab,
          ),
        ),
      );
      roving(tabs, "[role=tab]", (item) => store.set({ view: item.dataset.view }));
    }
    for (const tab of /** @type {NodeListOf<HTMLElement>} */ (tabs.querySelectorAll("[role=tab]"))) {
      const chosen = tab.dataset.view === state.view;
      tab.setAttribute("aria-selected", String(chosen));
      tab.tabIndex = chosen ? 0 : -1;
    }
    stage.setAttribute("aria-labelledby", `tab-${state.view}`);
  }

  /** @param {import("../base/store.js").State} state */
  function update(state) {
    empty.hidden = !!shell.runName() || !shell.session();
    inside.hidden = !shell.runName();
    if (!shell.runName()) return;
    const view = VIEWS.find((each) => each.id === state.view) ?? VIEWS[0];
    if (view.id !== state.view) return store.set({ view: view.id }, { push: false });
    drawTabs();
    const text = prompt();
    if (text === null) return void findSample();
    if (field.value !== text && !typing) field.value = text;
    askTokens();
    strip.root.hidden = view.id === "tokens";
    strip.pick(state.token);
    if (shown?.id !== view.id) {
      shown?.view.destroy();
      stage.replaceChildren();
      shown = { id: view.id, view: view.mount(stage, look) };
    }
    shown.view.update(state);
  }

  return { update };
}
