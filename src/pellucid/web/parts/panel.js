// @ts-check
/** A panel: title, one sentence saying what one sees, stamp, tools, notes, and a plain message when something failed. */
import { el, fill } from "../base/dom.js";
import { tableTool } from "./table.js";

/** @param {import("../base/types.js").Stamp | null} stamp @returns {string} "shakespeare-1 · step 1,234" */
export function stampText(stamp) {
  if (!stamp) return "";
  const step = stamp.step === null ? stamp.kind : `step ${stamp.step.toLocaleString("en-US")}`;
  return `${stamp.run} · ${step}${stamp.kind === "live" ? " (live)" : ""}`;
}

/**
 * @typedef {Object} Tools
 * @property {() => void} [savePng]
 * @property {() => void} [saveSvg]
 * @property {() => import("./table.js").TableData | null} [table]
 */

/**
 * @param {{id: string, title: string, hint: string, level?: 2 | 3}} about
 * @param {Tools} [tools]
 */
export function createPanel({ id, title, hint, level = 2 }, { savePng, saveSvg, table } = {}) {
  const stamp = el("p", { class: "stamp", "data-testid": "stamp" });
  const notes = el("ul", { class: "notes", hidden: true, "data-testid": "notes" });
  const problem = el("div", { class: "problem", role: "alert", hidden: true, "data-testid": "problem" });
  const body = el("div", { class: "panel-body" });
  const tableOf = table && tableTool(table);
  const hintLine = el("p", { class: "hint" }, hint);
  const root = el(
    "section",
    { class: "panel", "data-testid": `panel-${id}`, "aria-labelledby": `title-${id}` },
    el(
      "header",
      { class: "panel-head" },
      el(level === 2 ? "h2" : "h3", { id: `title-${id}` }, title),
      stamp,
      hintLine,
      el(
        "div",
        { class: "tools" },
        savePng &&
          el("button", { type: "button", class: "quiet", "data-testid": "save-png", onclick: savePng }, "save PNG"),
        saveSvg &&
          el("button", { type: "button", class: "quiet", "data-testid": "save-svg", onclick: saveSvg }, "save SVG"),
        tableOf?.button,
      ),
    ),
    notes,
    problem,
    body,
    tableOf?.holder,
  );

  let slow = 0;
  return {
    root,
    body,
    title,
    /** @param {string} text */
    setHint: (text) => void (hintLine.textContent = text),
    stampText: () => stamp.textContent ?? "",
    /** An answer is under way: the old picture stays, and is dimmed if it takes long. */
    busy() {
      clearTimeout(slow);
      slow = window.setTimeout(() => root.setAttribute("aria-busy", "true"), 250);
    },
    /** An answer came. @param {import("../base/types.js").Stamp | null} from @param {string[]} [said] */
    ready(from, said = []) {
      clearTimeout(slow);
      root.removeAttribute("aria-busy");
      problem.hidden = true;
      body.hidden = false;
      stamp.textContent = stampText(from);
      notes.hidden = said.length === 0;
      fill(
        notes,
        said.map((note) => el("li", {}, note)),
      );
      tableOf?.refresh();
    },
    /** @param {Error} error @param {() => void} [retry] */
    failed(error, retry) {
      clearTimeout(slow);
      root.removeAttribute("aria-busy");
      body.hidden = true;
      notes.hidden = true;
      problem.hidden = false;
      fill(problem, el("p", {}, error.message), retry && el("button", { type: "button", onclick: retry }, "Try again"));
    },
    refreshTable: () => tableOf?.refresh(),
  };
}

/** @typedef {ReturnType<typeof createPanel>} Panel */
