// @ts-check
/** What the server sends, as types; nothing runs here. */

/** @typedef {{run: string, step: number | null, kind: "best" | "live" | "checkpoint"}} Stamp */
/**
 * @typedef {{id: number, text: string, start: number, end: number}} Token  `start`–`end` is its span of the text as sent
 */

/** @typedef {{floor: number, gap: number, error: number, level: number}} Floor  of a text whose entropy is known: bits a
 *    character, and `level` where it lies among the losses */

/**
 * @typedef {Object} Run
 * @property {string} name
 * @property {"training" | "paused" | "finished" | "stopped" | "damaged"} state
 * @property {number | null} step
 * @property {number | null} total_steps
 * @property {number} [minutes]  of the budget, where it is one of time
 * @property {string} started
 * @property {number} bytes
 * @property {number | null} validation_loss
 * @property {number | null} bigram_loss
 * @property {Floor | null} floor
 * @property {(string | number)[]} steps  what may be looked into: "best", "live", whole numbers
 * @property {Record<string, any> | null} model
 * @property {{kind: string, symbols: number} | null} tokenizer
 * @property {{name: string, characters: number, tokens: number} | null} data
 * @property {{template: string, as: string | null, base: string | null, private: boolean} | null} learned  how it was taught to answer
 * @property {string | null} problem
 * @property {string | null} job
 * @property {string} [sample]  some text of the run's own kind, to begin with
 */

/**
 * @typedef {Object} Session
 * @property {string} version
 * @property {string} token
 * @property {string | null} default_run
 * @property {{name: string, about: string, preset: string}[]} corpora
 * @property {{prompt_characters: number, upload_bytes: number, upload_files: number, max_tokens: number}} limits
 * @property {string} machine
 */

/**
 * What the places share.
 * @typedef {Object} Shell
 * @property {import("./store.js").Store} store
 * @property {() => Session | null} session
 * @property {() => Run[]} runs
 * @property {() => Run | null} run  the chosen one, null if there is none of that name
 * @property {() => string} runName  its name, which may be that of no run
 * @property {() => Promise<void>} refresh  read the list of runs anew
 * @property {(files: {path: string, file: File}[]) => void} offer  take files to Train
 * @property {() => {path: string, file: File}[] | null} taken  the files that were offered, once
 */

/**
 * A place of the page. It is mounted when first seen and stays; `update` is called when it is shown and on every change
 * of the state or the list of runs while it is seen.
 * @typedef {Object} Place
 * @property {string} id
 * @property {string} title
 * @property {(root: HTMLElement, shell: Shell) => {update: (state: import("./store.js").State) => void, hide?: () => void}} mount
 */

export {};
