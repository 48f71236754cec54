// @ts-check
/** Files from this machine to the server: what was dropped or chosen, folders included, sent one by one with progress. */
import * as api from "../base/api.js";

/** @typedef {{path: string, file: File}} Picked  the path is relative to what was dropped, with slashes */

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

/** The files chosen with an input. @param {HTMLInputElement} input @returns {Picked[]} */
export function chosen(input) {
  return [...(input.files ?? [])]
    .map((file) => ({ path: file.webkitRelativePath || file.name, file }))
    .filter(({ path }) => !path.split("/").some((part) => part.startsWith(".")));
}

/**
 * Send files; the answer is the upload's name.
 * @param {Picked[]} files
 * @param {{signal: AbortSignal, progress: (sent: number, total: number, path: string) => void}} options  in bytes
 * @returns {Promise<string>}
 * @throws {api.ApiError} refused or broken off; what was sent is removed again
 */
export async function upload(files, { signal, progress }) {
  const total = files.reduce((sum, { file }) => sum + file.size, 0);
  const { upload: id } = await api.json("/api/uploads", { method: "POST", signal });
  let sent = 0;
  try {
    for (const { path, file } of files) {
      progress(sent, total, path);
      await put(`/api/uploads/${id}/${path.split("/").map(encodeURIComponent).join("/")}`, file, signal, (bytes) => progress(sent + bytes, total, path));
      sent += file.size;
    }
  } catch (error) {
    api.request(`/api/uploads/${id}`, { method: "DELETE" }).catch(() => {}); // the server forgets old uploads by itself
    throw error;
  }
  progress(total, total, "");
  return id;
}

/**
 * Send one file. By XMLHttpRequest, for fetch does not say how much has been sent.
 * @param {string} address @param {File} file @param {AbortSignal} signal @param {(bytes: number) => void} progress
 * @returns {Promise<void>}
 */
function put(address, file, signal, progress) {
  return new Promise((done, failed) => {
    const call = new XMLHttpRequest();
    const stop = () => call.abort();
    call.open("PUT", address);
    for (const [name, value] of Object.entries(api.credentials())) call.setRequestHeader(name, value);
    call.setRequestHeader("Content-Type", "application/octet-stream");
    call.upload.onprogress = (event) => progress(event.loaded);
    call.onabort = () => failed(new DOMException("The upload was called off.", "AbortError"));
    call.onerror = () => failed(new api.ApiError(`${file.name} could not be sent: the file cannot be read any more, or the server has stopped.`, "gone", 0));
    call.onload = () => (call.status < 300 ? done() : failed(refusal(call, file)));
    call.onloadend = () => signal.removeEventListener("abort", stop);
    signal.addEventListener("abort", stop);
    if (signal.aborted) return failed(new DOMException("The upload was called off.", "AbortError"));
    call.send(file);
  });
}

/** @param {XMLHttpRequest} call @param {File} file */
function refusal(call, file) {
  try {
    const { error } = JSON.parse(call.responseText);
    return new api.ApiError(`${file.name}: ${error.message}`, error.type, call.status);
  } catch {
    return new api.ApiError(`${file.name} was refused by the server (${call.status}).`, "internal", call.status);
  }
}
