// @ts-check
/**
 * A reply from the server, piece by piece as it is written, or whole from a server that does not stream. The calls it
 * makes are handed in (`events` and `json` of api.js), so that tests can answer them.
 */
import { ApiError } from "../base/api.js";

/** @typedef {{delta?: string, token?: {id: number, text: string, bits: number, rank: number}}} Piece */
/** @typedef {import("../base/api.js").Ask} Ask */

/**
 * Ask for a reply and hand over its pieces as they come.
 *
 * Aborting `signal` closes the connection, which halts the server at its next token, and raises what fetch raises.
 * A server whose stream answers 404 is asked by the plain call; if that answers 404 too, what it says is the error.
 *
 * @param {Record<string, unknown>} body
 * @param {{events: (path: string, ask: Ask) => AsyncIterable<import("../base/sse.js").ServerEvent>,
 *   json: (path: string, ask: Ask) => Promise<any>, signal: AbortSignal, onPiece: (piece: Piece) => void,
 *   onNotes: (notes: string[]) => void}} options
 * @returns {Promise<string | null>} why the reply ended: "stop" or "length"
 * @throws {ApiError} refused, broken off, or no answer; its message is for the reader
 */
export async function askReply(body, { events, json, signal, onPiece, onNotes }) {
  let begun = false;
  try {
    for await (const { data } of events("/api/chat/stream", { body, signal })) {
      begun = true;
      const said = JSON.parse(data);
      if (said.error) throw new ApiError(said.error.message ?? "The server could not go on.", said.error.type ?? "internal", 500);
      if (said.notes?.length) onNotes(said.notes);
      if (said.done) return said.finish_reason ?? null;
      if (said.delta !== undefined || said.token) onPiece({ delta: said.delta, token: said.token });
    }
  } catch (error) {
    if (signal.aborted || (error instanceof ApiError && error.status !== 404)) throw error;
    if (!(error instanceof ApiError)) throw broken();
    if (begun) throw error;
    return askWhole(body, { json, signal, onPiece, onNotes });
  }
  throw broken();
}

/**
 * @param {Record<string, unknown>} body
 * @param {{json: (path: string, ask: Ask) => Promise<any>, signal: AbortSignal, onPiece: (piece: Piece) => void,
 *   onNotes: (notes: string[]) => void}} options
 */
async function askWhole(body, { json, signal, onPiece, onNotes }) {
  const answer = await json("/api/chat", { body: { ...body, tokens: false }, signal });
  if (answer.notes?.length) onNotes(answer.notes);
  onPiece({ delta: answer.reply });
  return answer.finish_reason ?? null;
}

function broken() {
  return new ApiError("The connection broke before the reply was complete. What was written so far is kept.", "broken", 0);
}
