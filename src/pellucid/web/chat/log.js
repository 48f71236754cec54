// @ts-check
/** The conversation on the page: who said what, the tools of each message, and only what changed drawn anew. */
import { drawTokens, pickable } from "./reply-tokens.js";
import { el, fill } from "../base/dom.js";

/** @typedef {import("./conversation.js").Message} Message */
/** @typedef {{user: string, model: string}} Names */

const ENDS = { length: "cut at the most tokens that were allowed", stopped: "stopped" };

/**
 * @param {{names: () => Names, busy: () => boolean, edit: (index: number, text: string) => void, regenerate: (index: number) => void,
 *   goOn: () => void, picked: (token: HTMLElement, index: number) => void}} house
 */
export function createChatLog(house) {
  const list = el("ol", { class: "messages" });
  // told as a whole when a reply ends, not token by token: the log itself is silent
  const root = el("div", { role: "log", "aria-live": "off", "aria-label": "Conversation", "data-testid": "messages" }, list);
  /** @type {Message[]} */
  let known = [];

  /** @param {Message} message @param {number} index */
  function entry(message, index) {
    const mine = message.role === "user";
    const said = el("div", { class: "said", dir: "auto", "data-testid": mine ? "said-user" : "said-model" });
    if (!mine) pickable(said, (token) => house.picked(token, index));
    return el("li", { class: `message ${mine ? "from-user" : "from-model"}`, dataset: { role: message.role, index }, "data-testid": `message-${index}` },
      el("p", { class: "speaker" }), said, el("ul", { class: "notes", hidden: true, "data-testid": "reply-notes" }),
      el("div", { class: "message-foot" }));
  }

  /** @param {Message} message @param {number} index @param {HTMLElement} item */
  function draw(message, index, item) {
    const [speaker, said, notes, foot] = /** @type {HTMLElement[]} */ ([...item.children]);
    const names = house.names();
    speaker.textContent = message.role === "user" ? names.user : names.model;
    const writing = house.busy() && index === known.length - 1;
    item.toggleAttribute("data-writing", writing);
    if (message.role === "user" || !message.tokens?.length) {
      if (said.textContent !== message.content || said.childElementCount) fill(said, message.content);
    } else drawTokens(said, message.tokens);
    notes.hidden = !message.notes?.length;
    fill(notes, (message.notes ?? []).map((note) => el("li", {}, note)));
    fill(foot, message.role === "user" ? userTools(index, item) : modelTools(message, index, writing));
  }

  /** @param {number} index @param {HTMLElement} item */
  function userTools(index, item) {
    return el("button", { type: "button", class: "quiet", "data-testid": `edit-${index}`, onclick: () => beginEdit(index, item) }, "edit");
  }

  /** @param {Message} message @param {number} index @param {boolean} writing */
  function modelTools(message, index, writing) {
    if (writing) return el("span", { class: "note writing" }, message.content ? "" : "reading…");
    const last = index === known.length - 1;
    const end = message.finish_reason === "length" || message.finish_reason === "stopped" ? message.finish_reason : null;
    const goOn = last && message.tokens?.length && (end || message.problem);
    return [
      message.problem ? el("p", { class: "problem", role: "alert", "data-testid": "reply-problem" }, message.problem) : null,
      !message.content && !message.problem ? el("span", { class: "note" }, "said nothing") : null,
      el("button", { type: "button", class: message.problem && !goOn ? "" : "quiet", "data-testid": `regenerate-${index}`, onclick: () => house.regenerate(index) },
        message.problem ? "Retry" : "regenerate"),
      goOn ? el("button", { type: "button", class: "quiet", "data-testid": "go-on", onclick: () => house.goOn() }, "go on") : null,
      end && !message.problem ? el("span", { class: "note", "data-testid": "finish", dataset: { reason: end } }, ENDS[end]) : null,
    ];
  }

  /** @param {number} index @param {HTMLElement} item */
  function beginEdit(index, item) {
    const [, said, , foot] = /** @type {HTMLElement[]} */ ([...item.children]);
    const before = known[index].content;
    const area = el("textarea", { class: "edit-area", dir: "auto", rows: Math.min(8, before.split("\n").length + 1), "aria-label": "Your message", "data-testid": "edit-area" });
    area.value = before;
    const cancel = () => {
      draw(known[index], index, item);
      /** @type {HTMLElement | null} */ (foot.querySelector("button"))?.focus();
    };
    const finish = () => (area.value.trim() === "" ? area.focus() : house.edit(index, area.value));
    area.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        finish();
      } else if (event.key === "Escape") {
        event.stopPropagation();
        cancel();
      }
    });
    fill(said, area);
    fill(foot, el("button", { type: "button", "data-testid": "edit-send", onclick: finish }, "Send"),
      el("button", { type: "button", class: "quiet", onclick: cancel }, "cancel"),
      index < known.length - 2 ? el("span", { class: "note" }, "What follows will be said anew.") : null);
    area.focus();
  }

  return {
    root,
    /** All of it. @param {Message[]} messages */
    show(messages) {
      known = messages;
      while (list.children.length > messages.length) list.lastElementChild?.remove();
      messages.forEach((message, index) => {
        let item = /** @type {HTMLElement | undefined} */ (list.children[index]);
        if (!item || item.dataset.role !== message.role) {
          const made = entry(message, index);
          if (item) item.replaceWith(made);
          else list.append(made);
          item = made;
        }
        draw(message, index, item);
      });
    },
    /** The last message has grown. @param {Message[]} messages */
    grow(messages) {
      known = messages;
      const index = messages.length - 1;
      const item = /** @type {HTMLElement | undefined} */ (list.children[index]);
      if (item) draw(messages[index], index, item);
    },
  };
}
