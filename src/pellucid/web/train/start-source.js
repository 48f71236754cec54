// @ts-check
/** Which text: files or a folder of one's own, dropped or chosen, or one of the corpora that Pellucid knows by name. */
import { el, fill } from "../base/dom.js";
import { takeDrops } from "../parts/drop.js";
import { chosen } from "./upload.js";

const KINDS = "A chat as WhatsApp, Telegram, Signal or another messenger exports it; plain text, Markdown, HTML, EPUB, Word, JSON and zip archives of these; PDF and Parquet where their readers are installed.";

/** @param {{corpus: (name: string) => void, files: (files: import("./upload.js").Picked[]) => void}} ears */
export function createSourceChooser({ corpus, files }) {
  const one = el("input", { type: "file", multiple: true, hidden: true, "data-testid": "input-files", "aria-label": "files", onchange: () => take(one) });
  const folder = el("input", { type: "file", webkitdirectory: true, hidden: true, "data-testid": "input-folder", "aria-label": "folder", onchange: () => take(folder) });
  const zone = el("div", { class: "drop", "data-testid": "drop" },
    el("p", { class: "lead" }, "Drop a file or a folder here"),
    el("div", { class: "buttons" },
      el("button", { type: "button", "data-testid": "choose-files", onclick: () => one.click() }, "Choose files"),
      el("button", { type: "button", "data-testid": "choose-folder", onclick: () => folder.click() }, "Choose a folder")),
    el("p", { class: "note" }, KINDS), one, folder);
  const list = el("ul", { class: "corpora" });
  const named = el("div", { class: "named", hidden: true }, el("h3", {}, "Or begin with one of these"), list);
  const root = el("div", { class: "sources" }, zone, named);
  let drawn = "";

  /** @param {HTMLInputElement} input */
  function take(input) {
    const found = chosen(input);
    input.value = ""; // so that the same choice can be made again
    files(found);
  }

  takeDrops(zone, files);

  return {
    root,
    /** @param {{name: string, about: string}[]} corpora */
    update(corpora) {
      corpora = corpora.filter(({ name }) => !name.includes("NUMBER")); // one that is a pattern cannot be clicked
      const now = JSON.stringify(corpora);
      if (now === drawn) return;
      drawn = now;
      named.hidden = corpora.length === 0;
      fill(list, corpora.map(({ name, about }) => el("li", {},
        el("button", { type: "button", class: "corpus", "data-testid": `corpus-${name}`, onclick: () => corpus(name) },
          el("span", { class: "corpus-name" }, name), el("span", { class: "note" }, about)))));
    },
  };
}
