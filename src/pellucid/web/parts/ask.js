// @ts-check
/** A question that must be answered before something is lost: a dialog that keys and screen readers can work with. */
import { el } from "../base/dom.js";

/**
 * @param {{title: string, text: string, yes: string, no?: string}} words
 * @returns {Promise<boolean>} whether the answer was yes; Escape and clicks beside the dialog say no
 */
export function ask({ title, text, yes, no = "Keep" }) {
  return new Promise((answered) => {
    const refuse = el("button", { type: "button", autofocus: true, "data-testid": "dialog-no", onclick: () => dialog.close("no") }, no);
    const agree = el("button", { type: "button", class: "danger", "data-testid": "dialog-yes", onclick: () => dialog.close("yes") }, yes);
    const dialog = el("dialog", { class: "ask", "aria-labelledby": "ask-title", "aria-describedby": "ask-text", "data-testid": "dialog" },
      el("h2", { id: "ask-title" }, title), el("p", { id: "ask-text" }, text), el("div", { class: "buttons" }, refuse, agree));
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog) dialog.close("no");
    });
    dialog.addEventListener("close", () => {
      dialog.remove();
      answered(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
