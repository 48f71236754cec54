// @ts-check
/**
 * The one state of the page, which lives in the URL's hash: what is reloaded, shared or gone back to is what was seen.
 *
 * A field is left out of the hash while it has its default, so that addresses stay short. `prompt` is null until the
 * reader types one: the run's own sample is shown then. `""` is a prompt too: the beginning of a text.
 */

/**
 * @typedef {Object} State
 * @property {string} place  "train", "chat" or "look"
 * @property {string} view  a view of Look inside
 * @property {string} run  a run's name; "" is the server's default
 * @property {string} step  "best", "live" or a whole number
 * @property {string | null} prompt
 * @property {number} token  the picked token of the prompt, -1 for none
 * @property {number} layer  -1 for none
 * @property {number} head  -1 for none
 * @property {number} query  the locked cell of a head's map, -1 for none
 * @property {number} key
 * @property {string} scale  "trained", "sqrt" or "none"
 * @property {string} mask  "trained", "causal" or "none"
 * @property {string} map  what a head's map shows: "weights" or "scores"
 * @property {number} row  the picked row of the bigram table (a token's id), -1 for none
 * @property {number} temperature
 * @property {number} top_k  0 for all
 * @property {number} top_p
 * @property {number} min_p
 * @property {string} chat  the open chat's id, "" for a new one
 * @property {string} job  the job that Train shows
 */

/** @type {State} */
export const DEFAULTS = Object.freeze({
  place: "look",
  view: "tokens",
  run: "",
  step: "best",
  prompt: null,
  token: -1,
  layer: -1,
  head: -1,
  query: -1,
  key: -1,
  scale: "trained",
  mask: "trained",
  map: "weights",
  row: -1,
  temperature: 0.5,
  top_k: 25,
  top_p: 1,
  min_p: 0,
  chat: "",
  job: "",
});

/**
 * What may be chosen from a short list; anything else in a hash gives the default.
 * @type {Record<string, string[]>}
 */
const CHOICES = {
  place: ["train", "chat", "look"],
  scale: ["trained", "sqrt", "none"],
  mask: ["trained", "causal", "none"],
  map: ["weights", "scores"],
};

/** Where numbers must lie. @type {Record<string, [number, number]>} */
const RANGES = {
  temperature: [0.1, 2],
  top_k: [0, 1e6],
  top_p: [0.01, 1],
  min_p: [0, 1],
};

/** Changes of these fields alone are not worth a step of Back. */
const QUIET = new Set(["prompt", "token", "query", "key", "temperature", "top_k", "top_p", "min_p"]);

/**
 * The state that a hash describes; what is missing, unknown or malformed gets its default.
 * @param {string} hash with or without its "#"
 * @returns {State}
 */
export function parseHash(hash) {
  const given = new URLSearchParams(hash.replace(/^#/, ""));
  /** @type {Record<string, unknown>} */
  const state = { ...DEFAULTS };
  for (const [name, standard] of Object.entries(DEFAULTS)) {
    const text = given.get(name);
    if (text === null) continue;
    state[name] = typeof standard === "number" ? parseNumber(name, text, standard) : parseText(name, text, standard);
  }
  return /** @type {State} */ (/** @type {unknown} */ (state));
}

/** @param {string} name @param {string} text @param {number} standard */
function parseNumber(name, text, standard) {
  const value = text.trim() === "" ? NaN : Number(text);
  const range = RANGES[name];
  if (!range) return Number.isInteger(value) && value >= -1 ? value : standard;
  return value >= range[0] && value <= range[1] ? value : standard;
}

/** @param {string} name @param {string} text @param {string | null} standard */
function parseText(name, text, standard) {
  const choices = CHOICES[name];
  return choices && !choices.includes(text) ? standard : text;
}

/**
 * The hash of a state, with its "#".
 * @param {State} state
 */
export function formatHash(state) {
  const words = new URLSearchParams();
  for (const [name, standard] of Object.entries(DEFAULTS)) {
    const value = /** @type {Record<string, unknown>} */ (/** @type {unknown} */ (state))[name];
    if (value !== standard && value !== null && value !== undefined) words.set(name, String(value));
  }
  return `#${words}`;
}

/** Which weights, as requests name them: a whole number, "best" or "live". @param {string} step of the state */
export const stepAsked = (step) => (/^\d+$/.test(step) ? Number(step) : step);

/** @typedef {{location: {hash: string, pathname: string, search: string}, history: {pushState: Function, replaceState: Function},
 *    addEventListener: (type: string, listener: () => void) => void}} Host  the part of `window` that is needed here */

/**
 * The state and those who watch it. Everyone is told of every change, with the names of the fields that changed.
 * @param {Host} host
 */
export function createStore(host) {
  let state = parseHash(host.location.hash);
  /** @type {Set<(state: State, changed: Set<string>) => void>} */
  const watchers = new Set();

  /** @param {State} next */
  function become(next) {
    const before = /** @type {any} */ (state);
    const after = /** @type {any} */ (next);
    const changed = new Set(Object.keys(DEFAULTS).filter((name) => before[name] !== after[name]));
    state = next;
    if (changed.size) for (const watcher of [...watchers]) watcher(state, changed);
    return changed;
  }

  const fromAddress = () => void become(parseHash(host.location.hash));
  host.addEventListener("popstate", fromAddress);
  host.addEventListener("hashchange", fromAddress);

  return {
    get: () => state,
    /**
     * Change some fields. A change of place, view, run or another lasting choice becomes a step of Back; typing,
     * picking and sliding replace the address that is there. `push` decides otherwise.
     * @param {Partial<State>} patch
     * @param {{push?: boolean}} [options]
     */
    set(patch, { push } = {}) {
      const next = { ...state, ...patch };
      const address = host.location.pathname + host.location.search + formatHash(next);
      const loud = Object.entries(patch).some(
        ([name, value]) => !QUIET.has(name) && value !== /** @type {any} */ (state)[name],
      );
      if (formatHash(next) !== formatHash(state)) {
        try {
          if (push ?? loud) host.history.pushState(null, "", address);
          else host.history.replaceState(null, "", address);
        } catch {
          // a prompt longer than the browser's addresses: it is looked at, and a reload forgets it
        }
      }
      become(next);
    },
    /**
     * @param {(state: State, changed: Set<string>) => void} watcher
     * @returns {() => void} call it to stop watching
     */
    watch(watcher) {
      watchers.add(watcher);
      return () => void watchers.delete(watcher);
    },
  };
}

/** @typedef {ReturnType<typeof createStore>} Store */
