// @ts-check
/** "Show as table": a real table with the numbers of a picture, bounded, copied whole. */
import { el, fill, announce } from "../base/dom.js";

/** Rows that are put into the page; what is left out is said, and copying takes all. */
const MOST_ROWS = 400;

/**
 * @typedef {Object} TableData
 * @property {string} caption
 * @property {string[]} columns
 * @property {(string | number)[][]} rows
 * @property {string} [note]  what the numbers leave out, if anything
 */

/**
 * A button that shows and hides a table; the table is made only when it is shown, and anew when the numbers change.
 * @param {() => TableData | null} read
 */
export function tableTool(read) {
  const holder = el("div", { class: "table-holder", hidden: true, "data-testid": "table" });
  const button = el(
    "button",
    { type: "button", class: "quiet", "aria-expanded": "false", "data-testid": "show-table", onclick: toggle },
    "show as table",
  );

  function toggle() {
    holder.hidden = !holder.hidden;
    button.setAttribute("aria-expanded", String(!holder.hidden));
    button.textContent = holder.hidden ? "show as table" : "hide table";
    refresh();
  }

  function refresh() {
    if (holder.hidden) return void holder.replaceChildren();
    const data = read();
    if (!data) return fill(holder, el("p", { class: "note" }, "There is nothing to show yet."));
    fill(holder, tableOf(data));
  }

  return { button, holder, refresh };
}

/** @param {TableData} data */
function tableOf(data) {
  const shown = data.rows.slice(0, MOST_ROWS);
  const left = data.rows.length - shown.length;
  const notes = [
    data.note,
    left > 0 ? `The first ${shown.length} rows of ${data.rows.length.toLocaleString("en-US")}; copying takes all.` : "",
  ];
  return [
    el(
      "div",
      { class: "table-tools" },
      el("span", { class: "note" }, notes.filter(Boolean).join(" ")),
      el("button", { type: "button", class: "quiet", onclick: () => copy(data) }, "copy table"),
    ),
    el(
      "div",
      { class: "table-scroll", tabindex: 0, role: "region", "aria-label": data.caption },
      el(
        "table",
        {},
        el("caption", {}, data.caption),
        el(
          "thead",
          {},
          el(
            "tr",
            {},
            data.columns.map((name) => el("th", { scope: "col" }, name)),
          ),
        ),
        el(
          "tbody",
          {},
          shown.map((row) => el("tr", {}, row.map(cell))),
        ),
      ),
    ),
  ];
}

/** @param {string | number} value */
function cell(value) {
  if (typeof value !== "number") return el("td", {}, value);
  return el("td", { class: "number", dataset: { value } }, String(value));
}

/** @param {TableData} data */
async function copy(data) {
  const line = (/** @type {(string | number)[]} */ row) =>
    row.map((value) => String(value).replace(/[\t\n\r]/g, " ")).join("\t");
  const text = [data.columns, ...data.rows].map(line).join("\n");
  try {
    await navigator.clipboard.writeText(text);
    announce(`Copied ${data.rows.length} rows.`);
  } catch {
    announce("This browser did not let the table be copied; select it and copy it by hand.");
  }
}
