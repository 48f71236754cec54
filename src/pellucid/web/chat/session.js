// @ts-check
/** One chat with one model: what is sent, written, stopped, edited, branched and kept. The page draws what this knows. */
import * as api from "../base/api.js";
import { stepAsked } from "../base/store.js";
import { askReply } from "./stream.js";
import { append, asked, branch, edit, goOn, regenerate, send, shown, written } from "./conversation.js";

/** @typedef {import("./conversation.js").Message} Message @typedef {import("./conversation.js").ReplyToken} ReplyToken */
/** @typedef {import("./conversation.js").ChatSettings} ChatSettings */
/** @typedef {{run: string, step: string}} Weights */

const SAVE_EVERY = 3000; // milliseconds, while a reply is written

/**
 * @param {{weights: () => Weights, settings: () => ChatSettings, mostTokens: () => number,
 *   changed: (what: "all" | "reply") => void, ended: () => void, kept: (id: string) => void, unkept: (error: Error) => void}} house
 *   what to ask for, and who hears of changes, of the end of a reply, and of what became of keeping the chat
 */
export function createChatSession({ weights, settings, mostTokens, changed, ended, kept, unkept }) {
  /** @type {Message[]} */
  let messages = [];
  let id = "";
  /** The run that this chat belongs to. */
  let run = "";
  /** @type {AbortController | null} */
  let writing = null;
  let savedAt = 0;
  /** One save at a time, in order. @type {Promise<void>} */
  let saving = Promise.resolve();

  /** @param {Message} reply */
  const setReply = (reply) => void (messages = [...messages.slice(0, -1), reply]);

  function body() {
    const wanted = settings();
    const words = asked(messages, wanted.system);
    return {
      ...words, step: stepAsked(weights().step), run: run || null, tokens: true,
      temperature: wanted.temperature, top_k: wanted.top_k, top_p: wanted.top_p, min_p: wanted.min_p,
      max_tokens: Math.min(wanted.max_tokens + words.reply_ids.length, mostTokens()),
      user_name: wanted.user_name, model_name: wanted.model_name,
    };
  }

  /** Let the model fill the last reply. @param {Message[]} next */
  async function write(next) {
    stop();
    messages = next;
    id ||= newId();
    const mine = (writing = new AbortController());
    const beginning = messages[messages.length - 1];
    /** @type {Message} */
    let told = { ...beginning, content: "", tokens: [] };
    const finish = (/** @type {Partial<Message>} */ end) => {
      if (writing !== mine) return;
      writing = null;
      setReply({ ...shown(beginning, told), ...end });
      save();
      changed("all");
      ended();
    };
    changed("all");
    save();
    try {
      const reason = await askReply(body(), {
        events: api.events, json: api.json, signal: mine.signal,
        onNotes: (notes) => (told = { ...told, notes }),
        onPiece: (piece) => {
          if (writing !== mine) return;
          told = append(told, piece);
          setReply(shown(beginning, told));
          changed("reply");
          if (Date.now() - savedAt > SAVE_EVERY) save();
        },
      });
      finish({ ...told, finish_reason: reason });
    } catch (error) {
      if (mine.signal.aborted) finish({ finish_reason: "stopped", notes: told.notes });
      else finish({ finish_reason: told.content || beginning.content ? "stopped" : null, notes: told.notes, problem: wordsOf(/** @type {Error} */ (error)) });
    }
  }

  /** Keep the chat in the run's folder. */
  function save() {
    savedAt = Date.now();
    const [name, chat, content] = [run, id, JSON.parse(JSON.stringify({ messages: storable(messages) }))];
    if (!name || !content.messages.length) return;
    saving = saving.then(async () => {
      try {
        await api.json(`/api/runs/${encodeURIComponent(name)}/chats/${chat}`, { method: "PUT", body: content });
        kept(chat);
      } catch (error) {
        unkept(/** @type {Error} */ (error));
      }
    });
  }

  /** Stop the model, and keep what it wrote. */
  function stop() {
    const mine = writing;
    if (!mine) return;
    mine.abort();
    const reply = messages[messages.length - 1];
    writing = null;
    setReply({ ...reply, finish_reason: "stopped" });
    save();
    changed("all");
    ended();
  }

  return {
    messages: () => messages,
    id: () => id,
    busy: () => writing !== null,
    stop,
    /** @param {string} text */
    send: (text) => write(send(messages, text)),
    /** @param {number} index @param {string} text */
    edit: (index, text) => write(edit(messages, index, text)),
    /** @param {number} index */
    regenerate: (index) => write(regenerate(messages, index)),
    /** @param {number} index @param {number} at @param {ReplyToken} token */
    branch: (index, at, token) => write(branch(messages, index, at, token)),
    goOn: () => write(goOn(messages)),
    /**
     * What the model thought of its own where a token was written.
     * @param {number} index of the reply @param {number} at which of its tokens @param {AbortSignal} signal
     */
    alternatives(index, at, signal) {
      const { temperature, top_k, top_p, max_tokens, user_name, model_name, system } = settings();
      const words = asked(messages.slice(0, index + 1), system);
      return api.json("/api/chat/alternatives", { signal, body: {
        ...words, reply_ids: words.reply_ids.slice(0, at + 1), index: at, run: run || null, step: stepAsked(weights().step),
        temperature, top_k, top_p, max_tokens, user_name, model_name,
      } });
    },
    /** Begin anew, with a run. @param {string} name */
    clear(name) {
      stop();
      [messages, id, run] = [[], "", name];
      changed("all");
    },
    /** Take up a chat that was kept. @param {string} name @param {string} chat @throws {api.ApiError} */
    async open(name, chat) {
      stop();
      [messages, id, run] = [[], chat, name];
      const answer = await api.json(`/api/runs/${encodeURIComponent(name)}/chats/${encodeURIComponent(chat)}`);
      if (id !== chat || run !== name || messages.length) return;
      messages = answer.messages.map(restored);
      changed("all");
    },
  };
}

/** @typedef {ReturnType<typeof createChatSession>} ChatSession */

/** A name for a new chat that sorts by time. */
function newId() {
  return `${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 8)}`;
}

/** What is kept of messages: an empty reply is none, and a problem is of this moment only. @param {Message[]} messages */
function storable(messages) {
  return messages
    .filter((message) => message.role === "user" || message.content)
    .map(({ role, content, tokens, finish_reason, notes }) => ({
      role, content,
      ...(tokens?.length ? { tokens } : {}), ...(finish_reason ? { finish_reason } : {}), ...(notes?.length ? { notes } : {}),
    }));
}

/** A kept message; where its tokens do not write its text (somebody else kept it), the text counts. @param {Message} message */
function restored(message) {
  const whole = message.tokens?.every((token) => typeof token.delta === "string") && written(message.tokens) === message.content;
  return whole ? message : { ...message, tokens: undefined };
}

/** @param {Error} error */
function wordsOf(error) {
  if (error instanceof api.ApiError && error.status === 429) {
    return `${error.message}${error.retryAfter ? ` Try again in ${error.retryAfter} s.` : ""}`;
  }
  return error.message;
}
