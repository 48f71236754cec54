// @ts-check
/**
 * Binary answers: uint32 N, N bytes of JSON, zeros up to a multiple of 8, then the arrays that the JSON names.
 * Everything is little-endian, as every machine that runs a browser is.
 */

/** @typedef {{name: string, dtype: "float32" | "uint8", shape: number[], offset: number}} ArrayNote */
/** @typedef {{shape: number[], data: Float32Array | Uint8Array}} NamedArray */

const KINDS = { float32: Float32Array, uint8: Uint8Array };

/**
 * @param {ArrayBuffer} buffer
 * @returns {{header: any, arrays: Record<string, NamedArray>}}  the arrays are views of the buffer, not copies
 * @throws {Error} when the buffer is shorter than it says, or holds an unknown kind of number
 */
export function readFrame(buffer) {
  if (buffer.byteLength < 4) throw new Error("The answer is shorter than a frame can be.");
  const length = new DataView(buffer).getUint32(0, true);
  if (4 + length > buffer.byteLength) throw new Error("The answer ends within its header.");
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const start = Math.ceil((4 + length) / 8) * 8;
  /** @type {Record<string, NamedArray>} */
  const arrays = {};
  for (const note of /** @type {ArrayNote[]} */ (header.arrays)) {
    const Kind = KINDS[note.dtype];
    if (!Kind) throw new Error(`The answer holds numbers of the kind ${note.dtype}, which this page does not read.`);
    const size = note.shape.reduce((product, n) => product * n, 1);
    if (start + note.offset + size * Kind.BYTES_PER_ELEMENT > buffer.byteLength) {
      throw new Error(`The answer ends within its array ${note.name}.`);
    }
    arrays[note.name] = { shape: note.shape, data: new Kind(buffer, start + note.offset, size) };
  }
  return { header, arrays };
}
