// @ts-check
/** The server's jobs: a preview or a training, each a process of its own, followed until it ends. */
import * as api from "../base/api.js";

/**
 * @typedef {Object} Job
 * @property {string} id
 * @property {"preview" | "train" | "finetune"} kind
 * @property {"running" | "done" | "failed" | "cancelled"} state
 * @property {string | null} run  the run it trains, once that is there
 * @property {string[]} log  its last lines
 * @property {any} result
 * @property {string | null} problem
 * @property {Source} [source]
 * @property {Record<string, any>} [settings]
 * @property {Record<string, any> | null} [chat]  how a chat is read, and what is learned of it
 * @property {import("./chat-report.js").Question | null} [question]  asked back before it can go on
 */
/** @typedef {{corpus: string} | {upload: string}} Source */

const LOOK_AGAIN = 600; // milliseconds

/**
 * @param {Job["kind"]} kind @param {Source} source
 * @param {{settings: Record<string, any>, chat?: Record<string, any>}} order @param {string} [name] of the run
 */
export function startJob(kind, source, { settings, chat }, name) {
  return /** @type {Promise<Job>} */ (api.json("/api/jobs", { body: { kind, source, settings, ...(chat ? { chat } : {}), ...(name ? { name } : {}) } }));
}

/** @param {string} id @param {AbortSignal} [signal] @returns {Promise<Job>} */
export const readJob = (id, signal) => api.json(`/api/jobs/${encodeURIComponent(id)}`, { signal });

/** @param {string} id */
export const cancelJob = (id) => api.request(`/api/jobs/${encodeURIComponent(id)}`, { method: "DELETE" });

/**
 * Look at a job again and again until it ends or `heard` has enough; a server that is gone for a while is waited for.
 * @param {string} id
 * @param {(job: Job) => boolean | void} heard  true: enough
 * @param {AbortSignal} signal
 * @throws {api.ApiError} there is no such job (any more)
 */
export async function followJob(id, heard, signal) {
  while (!signal.aborted) {
    try {
      const job = await readJob(id, signal);
      if (signal.aborted || heard(job) || job.state !== "running") return;
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof api.ApiError) || error.status !== 0) throw error;
    }
    await new Promise((done) => setTimeout(done, LOOK_AGAIN));
  }
}
