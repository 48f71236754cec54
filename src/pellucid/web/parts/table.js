// @ts-check
/** "Show as table": a real table with the numbers of a picture, bounded, copied whole. */
import { announce, el, fill } from "../base/dom.js";
import { whole } from "../base/scale.js";

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
 * A button that shows and hides a table; the table is made when it is first shown, and its words are written anew when
 * the numbers change: where one has scrolled to, and the focus, stay.
 * @param {() => TableData | null} read
 */
export function tableTool(read) {
  const holder = el("div", { class: "table-holder", hidden: true, "data-testid": "table" });
  const button = el(
    "button",
    { type: "button", class: "quiet", "aria-expanded": "false", "data-testid": "show-table", onclick: toggle },
    "show as table",
  );
  /** @type {ReturnType<typeof createTable> | null} */
  let table = null;

  function toggle() {
    holder.hidden = !holder.hidden;
    button.setAttribute("aria-expanded", String(!holder.hidden));
    button.textContent = holder.hidden ? "show as table" : "hide table";
    refresh();
  }

  function refresh() {
    const data = holder.hidden ? null : read();
    if (data) {
      table ??= createTable(read);
      if (table.root.parentNode !== holder) fill(holder, table.root);
      table.write(data);
      return;
    }
    table = null;
    fill(holder, !holder.hidden && el("p", { class: "note" }, "There is nothing to show yet."));
  }

  return { button, holder, refresh };
}

/** @param {() => TableData | null} read */
function createTable(read) {
  const note = el("span", { class: "note" });
  const caption = el("caption", {});
  const [head, body] = [el("thead", {}), el("tbody", {})];
  const region = el(
    "div",
    { class: "table-scroll", tabindex: 0, role: "region" },
    el("table", {}, caption, head, body),
  );
  const copying = el("button", { type: "button", class: "quiet", onclick: () => copy(read()) }, "copy table");
  return {
    root: el("div", {}, el("div", { class: "table-tools" }, note, copying), region),
    /** @param {TableData} data */
    write(data) {
      const shown = data.rows.slice(0, MOST_ROWS);
      const left = data.rows.length - shown.length;
      const cut = left > 0 && `The first ${shown.length} rows of ${whole(data.rows.length)}; copying takes all.`;
      note.textContent = [data.note, cut].filter(Boolean).join(" ");
      caption.textContent = data.caption;
      region.setAttribute("aria-label", data.caption);
      const names = data.columns.map((name) => el("th", { scope: "col" }, name));
      fill(head, el("tr", {}, names));
      const rows = shown.map((row) => el("tr", {}, row.map(cell)));
      fill(body, rows);
    },
  };
}

/** @param {string | number} value */
function cell(value) {
  if (typeof value !== "number") return el("td", {}, value);
  return el("td", { class: "number", dataset: { value } }, String(value));
}

/** @param {TableData | null} data */
async function copy(data) {
  if (!data) return;
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
