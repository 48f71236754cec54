// @ts-check
/** Where one writes: Enter sends, Shift and Enter break the line, and what was typed outlives a reload. */
import { el } from "../base/dom.js";

const DRAFT = "pellucid-draft";

/** @param {{send: (text: string) => void, stop: () => void}} house */
export function createComposer({ send, stop }) {
  const area = el("textarea", { id: "message", rows: 1, dir: "auto", placeholder: "Say something", "aria-describedby": "composer-keys", "data-testid": "message", enterkeyhint: "send" });
  const sendButton = el("button", { type: "submit", class: "primary", "data-testid": "send" }, "Send");
  const stopButton = el("button", { type: "button", class: "primary", hidden: true, "data-testid": "stop-reply", onclick: () => {
    stop();
    area.focus();
  } }, "Stop");
  const root = el("form", { class: "composer", "data-testid": "composer" }, el("label", { for: "message", class: "unseen" }, "Your message"),
    area, sendButton, stopButton,
    el("p", { class: "note composer-keys", id: "composer-keys" }, el("kbd", {}, "Enter"), " sends, ", el("kbd", {}, "Shift Enter"), " breaks the line, ", el("kbd", {}, "Esc"), " stops"));
  let writing = false;

  function remember() {
    try {
      sessionStorage.setItem(DRAFT, area.value);
    } catch {
      // then it lasts as long as the page
    }
  }

  function fit() {
    area.style.setProperty("height", "auto");
    area.style.setProperty("height", `${Math.min(area.scrollHeight + 2, 240)}px`);
  }

  function submit() {
    if (writing || area.disabled || area.value.trim() === "") return;
    const text = area.value;
    area.value = "";
    remember();
    fit();
    send(text);
  }

  root.addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  area.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    submit();
  });
  area.addEventListener("input", () => {
    remember();
    fit();
  });
  try {
    area.value = sessionStorage.getItem(DRAFT) ?? "";
  } catch {
    // storage is forbidden
  }

  return {
    root,
    focus: () => area.focus(),
    /** @param {boolean} now whether a reply is being written */
    busy(now) {
      if (now === writing) return;
      writing = now;
      const focused = document.activeElement === sendButton || document.activeElement === stopButton;
      sendButton.hidden = now;
      stopButton.hidden = !now;
      if (focused) (now ? stopButton : area).focus();
    },
    /** @param {boolean} usable */
    enable(usable) {
      area.disabled = sendButton.disabled = !usable;
    },
  };
}
