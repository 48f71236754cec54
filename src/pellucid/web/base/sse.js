// @ts-check
/** Server-sent events, however the network cuts them: bytes in, whole events out. No browser in here. */

/** @typedef {{event: string, data: string, id: string}} ServerEvent */

export class EventReader {
  #decoder = new TextDecoder("utf-8"); // takes a byte-order mark away, and keeps half a character for the next piece
  #rest = "";
  #skipNewline = false; // the last piece ended in \r: a \n that follows belongs to it
  #event = "";
  /** @type {string[]} */
  #data = [];
  /** The last id that was sent; it stays until another comes, as the standard has it. */
  lastId = "";
  /** Milliseconds the server asks to wait before the next try, or null. @type {number | null} */
  retry = null;

  /**
   * @param {Uint8Array} bytes
   * @returns {ServerEvent[]} the events that these bytes complete
   */
  push(bytes) {
    let text = this.#rest + this.#decoder.decode(bytes, { stream: true });
    if (this.#skipNewline && text) {
      if (text[0] === "\n") text = text.slice(1);
      this.#skipNewline = false;
    }
    const events = [];
    let start = 0;
    for (const match of text.matchAll(/\r\n|\n|\r/g)) {
      const event = this.#line(text.slice(start, match.index));
      if (event) events.push(event);
      start = match.index + match[0].length;
      if (match[0] === "\r" && start === text.length) this.#skipNewline = true;
    }
    this.#rest = text.slice(start);
    return events;
  }

  /** @param {string} line @returns {ServerEvent | null} the event that an empty line ends */
  #line(line) {
    if (line === "") return this.#end();
    if (line[0] === ":") return null;
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (field === "data") this.#data.push(value);
    else if (field === "event") this.#event = value;
    else if (field === "id" && !value.includes("\0")) this.lastId = value;
    else if (field === "retry" && /^\d+$/.test(value)) this.retry = Number(value);
    return null;
  }

  #end() {
    const event = this.#data.length
      ? { event: this.#event || "message", data: this.#data.join("\n"), id: this.lastId }
      : null;
    this.#event = "";
    this.#data = [];
    return event;
  }
}
