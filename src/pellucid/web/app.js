// @ts-check
/** The shell: three places, the chooser of run and step, the theme, and word of a server that is gone. */
import * as api from "./base/api.js";
import { el, fill, announce } from "./base/dom.js";
import { createStore, formatHash } from "./base/store.js";
import * as train from "./train/place.js";
import * as chat from "./chat/place.js";
import * as look from "./look/place.js";

/** @typedef {import("./base/types.js").Run} Run */

/** @type {Record<string, import("./base/types.js").Place>} */
const PLACES = { train, chat, look };
/** While something trains, or Train is seen (a terminal may start one, too), the runs are read anew this often. */
const REFRESH = 4000;

const store = createStore(window);
/** @type {import("./base/types.js").Session | null} */
let session = null;
/** @type {Run[]} */
let runs = [];
/** @type {Record<string, ReturnType<import("./base/types.js").Place["mount"]>>} */
const mounted = {};
let seen = "";
/** What was dropped on another place, for Train. @type {{path: string, file: File}[] | null} */
let offered = null;

const runName = () => store.get().run || session?.default_run || runs[0]?.name || "";
/** @type {import("./base/types.js").Shell} */
const shell = {
  store,
  runName,
  refresh,
  session: () => session,
  runs: () => runs,
  run: () => runs.find((run) => run.name === runName()) ?? null,
  offer: (files) => {
    offered = files;
    store.set({ place: "train", job: "new" });
  },
  taken: () => {
    const files = offered;
    offered = null;
    return files;
  },
};

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/* ---------------------------------------------------------------------- run and step */

const runSelect = el("select", {
  id: "run",
  "data-testid": "run",
  onchange: () => store.set({ run: runSelect.value, step: "best", ...UNPICKED }),
});
const stepSelect = el("select", {
  id: "step",
  "data-testid": "step",
  onchange: () => store.set({ step: stepSelect.value }),
});
const UNPICKED = { token: -1, layer: -1, head: -1, query: -1, key: -1, row: -1 };

/** @param {string | number} step @param {Run} run */
function stepLabel(step, run) {
  if (step === "best") return "best";
  if (step === "live") return run.state === "training" ? "live (training)" : "live";
  return `step ${Number(step).toLocaleString("en-US")}`;
}

function drawChooser() {
  const [run, state] = [shell.run(), store.get()];
  const names = runs.map((each) => each.name);
  if (!run && runName()) names.unshift(runName());
  options(
    runSelect,
    names.map((name) => [name, name]),
    runName(),
  );
  const steps = run ? [...new Set([...run.steps.map(String), state.step])] : [state.step];
  options(
    stepSelect,
    steps.map((step) => [step, run ? stepLabel(step, run) : step]),
    state.step,
  );
  byId("chooser").hidden = names.length === 0;
  stepSelect.disabled = !run;
}

/**
 * Change a select only where it differs, so that an open one is left alone.
 * @param {HTMLSelectElement} select
 * @param {string[][]} wanted
 * @param {string} chosen
 */
function options(select, wanted, chosen) {
  const same =
    select.options.length === wanted.length &&
    wanted.every(([value, label], i) => select.options[i].value === value && select.options[i].text === label);
  if (!same)
    fill(
      select,
      wanted.map(([value, label]) => el("option", { value }, label)),
    );
  if (select.value !== chosen) select.value = chosen;
}

/* ---------------------------------------------------------------------- places */

function drawPlaces() {
  const state = store.get();
  for (const link of /** @type {NodeListOf<HTMLAnchorElement>} */ (document.querySelectorAll("#places a"))) {
    const place = /** @type {string} */ (link.dataset.place);
    link.href = formatHash({ ...state, place });
    if (place === state.place) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  for (const id of Object.keys(PLACES)) byId(`place-${id}`).hidden = id !== state.place;
  document.title = `${PLACES[state.place].title} · Pellucid`;
}

function update() {
  const state = store.get();
  drawChooser();
  drawPlaces();
  if (seen && seen !== state.place) mounted[seen]?.hide?.();
  seen = state.place;
  mounted[seen] ??= PLACES[seen].mount(byId(`place-${seen}`), shell);
  mounted[seen].update(state);
}

byId("places").addEventListener("click", (event) => {
  const link = /** @type {HTMLElement} */ (event.target).closest("a");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  store.set({ place: link.dataset.place });
});

byId("skip").addEventListener("click", (event) => {
  event.preventDefault(); // the hash holds the state
  byId("main").focus();
});

/* ---------------------------------------------------------------------- theme */

byId("theme").addEventListener("click", () => {
  const next = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  try {
    localStorage.setItem("pellucid-theme", next);
    document.dispatchEvent(new Event("themechosen"));
  } catch {
    document.documentElement.dataset.theme = next;
    document.dispatchEvent(new Event("themechange"));
  }
  announce(`The page is ${next} now.`);
});

/* ---------------------------------------------------------------------- the server */

let asked = 0;
let heard = 0;

async function refresh() {
  const mine = ++asked;
  const answer = await api.json("/api/runs");
  if (mine < heard) return; // one that was asked later has answered already
  heard = mine;
  runs = answer.runs;
  if (session && !runs.some((run) => run.name === session?.default_run)) {
    session.default_run = runs[0]?.name ?? null; // it was deleted
  }
  const run = shell.run();
  if (run && store.get().step === "live" && !run.steps.includes("live")) {
    announce("The training has ended: its best weights are shown.");
    store.set({ step: "best" }, { push: false });
  }
  update();
}

async function begin() {
  try {
    session = await api.json("/api/session");
    api.useToken(/** @type {NonNullable<typeof session>} */ (session).token);
    await refresh();
    // a first visit begins where a model is made: there is nothing to look into
    if (!runs.length && !location.hash.slice(1)) store.set({ place: "train" }, { push: false });
  } catch (error) {
    if (error instanceof api.ApiError && error.status === 401) return askKey();
    update();
    if (!(error instanceof api.ApiError && error.status === 0)) throw error;
  }
}

/** A server that is open to others wants its key. */
function askKey() {
  document.querySelector("form.key")?.remove();
  const input = el("input", { type: "password", id: "key", autocomplete: "off" });
  const form = el(
    "form",
    { class: "key" },
    el("label", { for: "key" }, "This server asks for its key"),
    input,
    el("button", {}, "Open"),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    api.useKey(input.value);
    form.remove();
    begin();
  });
  byId("main").prepend(form);
  input.focus();
}

api.onReach((reachable) => {
  byId("gone").hidden = reachable;
  announce(reachable ? "The server is back." : "The server does not answer.");
  if (reachable) begin();
});

const changing = () =>
  store.get().place === "train" || runs.some((run) => run.state === "training" || run.state === "paused");
const lookAgain = () => {
  if (session && !document.hidden && changing()) refresh().catch(() => {}); // that the server is gone is told elsewhere
};
setInterval(lookAgain, REFRESH);
document.addEventListener("visibilitychange", lookAgain);

fill(byId("chooser"), el("label", { for: "run" }, "run"), runSelect, el("label", { for: "step" }, "step"), stepSelect);
store.watch(update);
begin();
