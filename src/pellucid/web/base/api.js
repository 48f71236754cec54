// @ts-check
/** Talking to the server: JSON, frames and event streams, with one kind of error, and knowing whether it is there. */
import { readFrame } from "./frame.js";
import { EventReader } from "./sse.js";

export class ApiError extends Error {
  /**
   * @param {string} message @param {string} type @param {number} status 0 when there was no answer
   * @param {number} [retryAfter] seconds that a busy server asks to wait
   */
  constructor(message, type, status, retryAfter = 0) {
    super(message);
    this.type = type;
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

/** Longest one waits for an answer before the panel says that none came. */
const PATIENCE = 60_000;
const KEY = "pellucid-key";

let token = "";
let reachable = true;
/** @type {Set<(reachable: boolean) => void>} */
const watchers = new Set();

/** The token that changing calls need; `GET /api/session` gives it. @param {string} text */
export const useToken = (text) => void (token = text);

/** The key of a server that is open to others. @param {string} key */
export const useKey = (key) => sessionStorage.setItem(KEY, key);

/** Be told when the server is gone and when it is back. @param {(reachable: boolean) => void} watcher */
export const onReach = (watcher) => void watchers.add(watcher);

/** @param {boolean} now */
function reached(now) {
  if (now === reachable) return;
  reachable = now;
  for (const watcher of watchers) watcher(now);
  if (!now) knock();
}

/** Ask until there is an answer. */
async function knock() {
  await new Promise((done) => setTimeout(done, 1500));
  try {
    const answer = await fetch("/health", { cache: "no-store", signal: AbortSignal.timeout(4000) });
    if (answer.ok) return reached(true);
  } catch {
    // not yet
  }
  knock();
}

/**
 * @typedef {Object} Ask
 * @property {string} [method]
 * @property {unknown} [body]  sent as JSON, or as it is if it is a Blob
 * @property {AbortSignal} [signal]
 * @property {boolean} [endless]  a stream: no time limit
 * @property {Record<string, string>} [headers]
 */

/**
 * An answer whose status is good.
 * @param {string} path @param {Ask} [ask] @returns {Promise<Response>}
 * @throws {ApiError} with the server's own words, or saying that no answer came; an AbortError when called off
 */
export async function request(path, { method, body, signal, endless, headers = {} } = {}) {
  const limits = [signal, endless ? null : AbortSignal.timeout(PATIENCE)].filter((limit) => !!limit);
  const sent = { ...headers, ...credentials() };
  if (body !== undefined && !(body instanceof Blob)) sent["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(path, {
      method: method ?? (body === undefined ? "GET" : "POST"), headers: sent, cache: "no-store",
      body: body === undefined || body instanceof Blob ? body : JSON.stringify(body),
      signal: limits.length ? AbortSignal.any(limits) : undefined,
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    if (/** @type {Error} */ (error).name === "TimeoutError") throw new ApiError("The server took longer than a minute to answer.", "slow", 0);
    reached(false);
    throw new ApiError("The server does not answer. It may have been stopped; `pellucid serve` starts it again.", "gone", 0);
  }
  reached(true);
  if (!answer.ok) throw await refusal(answer);
  return answer;
}

/** What every call carries: the page's token, and the key of a server that asks for one. */
export function credentials() {
  const key = sessionStorage.getItem(KEY);
  /** @type {Record<string, string>} */
  const headers = {};
  if (token) headers["X-Pellucid-Token"] = token;
  if (key) headers["Authorization"] = `Bearer ${key}`;
  return headers;
}

/** @param {Response} answer */
async function refusal(answer) {
  try {
    const { error } = await answer.json();
    return new ApiError(String(error.message), String(error.type ?? "internal"), answer.status, Number(answer.headers.get("Retry-After")) || 0);
  } catch {
    return new ApiError(`The server answered ${answer.status} ${answer.statusText}`.trim() + ".", "internal", answer.status);
  }
}

/** @param {string} path @param {Ask} [ask] @returns {Promise<any>} */
export async function json(path, ask) {
  return (await request(path, ask)).json();
}

/** @param {string} path @param {Ask} [ask] */
export async function frame(path, ask) {
  return readFrame(await (await request(path, ask)).arrayBuffer());
}

/** The events of one streamed answer. @param {string} path @param {Ask} [ask] @returns {AsyncGenerator<import("./sse.js").ServerEvent>} */
export async function* events(path, ask) {
  const answer = await request(path, { ...ask, endless: true });
  const body = /** @type {ReadableStream<Uint8Array>} */ (answer.body).getReader();
  const reader = new EventReader();
  try {
    for (;;) {
      const { done, value } = await body.read();
      if (done) return;
      yield* reader.push(value);
    }
  } finally {
    body.cancel().catch(() => {});
  }
}

/**
 * Follow a stream of events for as long as the signal lets it: after a break it goes on behind the last id it has seen.
 * @param {string} path
 * @param {(event: import("./sse.js").ServerEvent) => void} heard
 * @param {AbortSignal} signal
 * @param {(error: ApiError | null) => void} [trouble] told when the stream breaks, and with null when it runs again
 */
export async function follow(path, heard, signal, trouble) {
  let last = "";
  for (let wait = 500; !signal.aborted; wait = Math.min(wait * 2, 5000)) {
    try {
      /** @type {Record<string, string>} */
      const headers = last ? { "Last-Event-ID": last } : {};
      for await (const event of events(path, { signal, headers })) {
        if (event.id) last = event.id;
        wait = 500;
        trouble?.(null);
        heard(event);
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ApiError) {
        trouble?.(error);
        if (error.status >= 400 && error.status < 500 && error.status !== 429) return;
      }
    }
    await new Promise((done) => setTimeout(done, wait));
  }
}

/**
 * One question at a time: a new one calls the last one off, and an answer that comes too late is never heard.
 * @template T
 * @param {(signal: AbortSignal) => Promise<T>} ask
 * @param {{answered: (answer: T) => void, failed: (error: Error) => void, busy?: () => void}} ears
 */
export function latest(ask, { answered, failed, busy }) {
  /** @type {AbortController | null} */
  let current = null;
  return {
    async ask() {
      current?.abort();
      const mine = (current = new AbortController());
      busy?.();
      try {
        const answer = await ask(mine.signal);
        if (mine === current && !mine.signal.aborted) answered(answer);
      } catch (error) {
        if (mine === current && !mine.signal.aborted) failed(/** @type {Error} */ (error));
      }
    },
    stop: () => current?.abort(),
  };
}
