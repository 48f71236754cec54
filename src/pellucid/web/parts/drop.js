// @ts-check
/** Files that are dropped on a part of the page, those in folders included. */

/** @typedef {{path: string, file: File}} Picked  the path is relative to what was dropped, with slashes */

/** @param {HTMLElement} zone has the class "over" while files are held over it @param {(files: Picked[]) => void} taken */
export function takeDrops(zone, taken) {
  let inside = 0; // entering a child comes before leaving its parent
  const holdsFiles = (/** @type {DragEvent} */ event) => !!event.dataTransfer?.types.includes("Files"); // and not text or a link
  zone.addEventListener("dragenter", (event) => holdsFiles(event) && zone.classList.toggle("over", ++inside > 0));
  zone.addEventListener("dragleave", (event) => holdsFiles(event) && zone.classList.toggle("over", --inside > 0));
  zone.addEventListener("dragover", (event) => holdsFiles(event) && event.preventDefault());
  zone.addEventListener("drop", async (event) => {
    if (!event.dataTransfer || !holdsFiles(event)) return;
    event.preventDefault();
    inside = 0;
    zone.classList.remove("over");
    taken(await dropped(event.dataTransfer));
  });
}

/**
 * The files of a drop, those in folders included.
 * @param {DataTransfer} transfer
 * @returns {Promise<Picked[]>}
 */
export async function dropped(transfer) {
  const items = [...transfer.items].filter((item) => item.kind === "file");
  // asked for before anything is awaited: the list is emptied when the event is over
  const entries = items.map((item) => item.webkitGetAsEntry?.() ?? null);
  const loose = [...transfer.files];
  if (entries.some((entry) => entry === null)) return loose.map((file) => ({ path: file.name, file }));
  const found = await Promise.all(entries.map((entry) => walk(/** @type {FileSystemEntry} */ (entry))));
  return found.flat();
}

/** @param {FileSystemEntry} entry @returns {Promise<Picked[]>} */
async function walk(entry) {
  if (entry.isFile) {
    const file = await new Promise((done, failed) => /** @type {FileSystemFileEntry} */ (entry).file(done, failed));
    return [{ path: entry.fullPath.replace(/^\/+/, ""), file: /** @type {File} */ (file) }];
  }
  const reader = /** @type {FileSystemDirectoryEntry} */ (entry).createReader();
  /** @type {Picked[]} */
  const found = [];
  for (;;) {
    /** @type {FileSystemEntry[]} */
    const some = await new Promise((done, failed) => reader.readEntries(done, failed)); // a hundred at most, then the next
    if (!some.length) return found;
    for (const inner of some) if (!inner.name.startsWith(".")) found.push(...(await walk(inner)));
  }
}
