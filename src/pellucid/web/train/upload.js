// @ts-check
/** Files from this machine to the server: what was chosen, sent one by one with progress. */
import * as api from "../base/api.js";

/** @typedef {import("../parts/drop.js").Picked} Picked */

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
