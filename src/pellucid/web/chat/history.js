// @ts-check
/** The chats that are kept in a run's folder: opened again, deleted one by one or all at once. */
import * as api from "../base/api.js";
import { ask } from "../parts/ask.js";
import { announce, el, fill } from "../base/dom.js";

/** @typedef {{id: string, title: string, updated: string, messages: number}} Kept */

/** @param {{run: () => string, open: (id: string) => void, fresh: () => void, deleted: (id: string | null) => void, failed: (error: Error) => void}} house */
export function createChatHistory({ run, open, fresh, deleted, failed }) {
  const list = el("ul", { class: "chats", "data-testid": "chats" });
  const all = el("button", { type: "button", class: "quiet", hidden: true, "data-testid": "delete-all-chats", onclick: () => remove(null) }, "delete all");
  const none = el("p", { class: "note" }, "None yet. Chats are kept in the run's folder, on this machine.");
  const anew = el("button", { type: "button", "data-testid": "new-chat", onclick: fresh }, "New chat");
  const root = el("div", { class: "history" }, anew, none, list, all);
  /** @type {Kept[]} */
  let chats = [];
  let shown = "";

  function draw() {
    none.hidden = chats.length > 0;
    all.hidden = chats.length === 0;
    const focused = /** @type {HTMLElement | null} */ (list.contains(document.activeElement) ? document.activeElement : null)?.dataset.testid;
    fill(list, chats.map((chat) => el("li", { class: "chat", "data-testid": `chat-${chat.id}` },
      el("button", { type: "button", class: "chat-open", "aria-current": chat.id === shown ? "true" : null, "data-testid": `open-${chat.id}`, onclick: () => open(chat.id) },
        el("span", { class: "chat-title" }, chat.title), el("span", { class: "note" }, `${when(chat.updated)} · ${chat.messages} ${chat.messages === 1 ? "message" : "messages"}`)),
      el("button", { type: "button", class: "quiet", "aria-label": `Delete the chat ${chat.title}`, "data-testid": `delete-${chat.id}`, onclick: () => remove(chat) }, "delete"))));
    if (focused) /** @type {HTMLElement | null} */ (list.querySelector(`[data-testid="${CSS.escape(focused)}"]`))?.focus();
  }

  /** @param {Kept | null} chat null: all of them */
  async function remove(chat) {
    const sure = await ask(chat
      ? { title: "Delete this chat?", text: `“${chat.title}” cannot be brought back.`, yes: "Delete" }
      : { title: `Delete all ${chats.length} chats with ${run()}?`, text: "They cannot be brought back.", yes: "Delete all" });
    if (!sure) return;
    try {
      await api.request(`${address(run())}${chat ? `/${chat.id}` : ""}`, { method: "DELETE" });
      announce(chat ? "The chat is deleted." : "All chats are deleted.");
      deleted(chat?.id ?? null);
      await refresh();
      anew.focus(); // the button that was pressed is gone
    } catch (error) {
      failed(/** @type {Error} */ (error));
    }
  }

  async function refresh() {
    const mine = run();
    if (!mine) return;
    try {
      const answer = await api.json(address(mine));
      if (mine !== run()) return;
      chats = answer.chats;
    } catch {
      if (mine !== run()) return;
      chats = []; // why there is no answer is told where somebody asked for something
    }
    draw();
  }

  return {
    root, refresh,
    /** @param {string} id of the chat that is open */
    mark(id) {
      if (id === shown) return;
      shown = id;
      draw();
    },
  };
}

/** @param {string} run */
const address = (run) => `/api/runs/${encodeURIComponent(run)}/chats`;

/** A time as one says it of something recent. @param {string} iso */
function when(iso) {
  const then = new Date(iso);
  const today = new Date().toDateString() === then.toDateString();
  return today ? then.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }) : then.toLocaleDateString();
}
