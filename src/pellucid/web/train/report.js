// @ts-check
/** What a preview found, and what training would be, in plain words. No browser in here. */
import { duration } from "../base/axes.js";
import { bytes, percent, significant, whole } from "../base/scale.js";

/**
 * @typedef {Object} Preview  the result of `pellucid preview --json`, as far as it is told here
 * @property {string} name
 * @property {number} n_files
 * @property {number} n_documents
 * @property {number} n_characters
 * @property {number} n_bytes
 * @property {number} n_words
 * @property {number} shortest_document
 * @property {number} longest_document
 * @property {number} n_symbols
 * @property {[string, number][]} rarest
 * @property {[string, number][]} damage
 * @property {Record<string, number>} scripts
 * @property {Record<string, number> | null} languages
 * @property {number} repeated_documents
 * @property {number} repeated_paragraphs
 * @property {string[]} beginning
 * @property {[string, string][]} unreadable
 * @property {string[]} notes
 * @property {{rule: string, dev_rule: string, characters: Record<string, number>}} split
 * @property {{kind: string, symbols: number, reserved: number, reason: string, pieces: string[]}} tokenizer
 * @property {{train: number, dev: number, validation: number}} tokens
 * @property {number} unknown
 * @property {Record<string, any>} model
 * @property {Record<string, any>} training
 * @property {string[]} reasons
 * @property {{device: string, precision: string, threads: number, memory: number}} machine
 * @property {{seconds_per_step: number, steps: number, tokens: number, epochs: number, memory: number, seconds: number,
 *   ability: string}} forecast
 *
 * @typedef {{id: string, label: string, lines: string[], warning?: boolean}} Row
 */

const LEAST_SHARE = 0.001; // of a script or a language that is named
const MOST_UNREADABLE = 20; // files named one by one

/** @param {number} count @param {string} one @param {string} [many] */
export function plural(count, one, many = `${one}s`) {
  return `${whole(count)} ${count === 1 ? one : many}`;
}

/** What the text holds. @param {Preview} found @returns {Row[]} */
export function foundRows(found) {
  /** @type {Row[]} */
  const rows = [
    { id: "found", label: "Found", lines: [foundText(found), ...lengthsText(found)] },
    {
      id: "alphabet", label: "Alphabet",
      lines: [`${plural(found.n_symbols, "different character")}; the rarest: ${found.rarest.map(timesText).join(", ")}`],
    },
    { id: "languages", label: "Languages", lines: [languagesText(found)] },
    { id: "repeated", label: "Repeated", lines: [repeatedText(found)] },
  ];
  if (found.damage.length) {
    const kinds = found.damage.map(timesText).join(", ");
    rows.push({ id: "damage", label: "Damage?", lines: [`${kinds}: probably read or written in another encoding than its own`], warning: true });
  }
  if (found.unreadable.length) {
    const named = found.unreadable.slice(0, MOST_UNREADABLE).map(([name, reason]) => (reason.startsWith(name) ? reason : `${name}: ${reason}`));
    const left = found.unreadable.length - named.length;
    rows.push({ id: "unreadable", label: "Not read", lines: left ? [...named, `and ${whole(left)} more`] : named, warning: true });
  }
  const notes = found.notes.filter((note) => !note.startsWith("skipped: ")); // those stand under "Not read"
  if (notes.length) rows.push({ id: "notes", label: "Notes", lines: notes });
  return rows;
}

/** What training would be. @param {Preview} found @returns {Row[]} */
export function planRows(found) {
  const { characters, rule, dev_rule } = found.split;
  const unknown = found.unknown
    ? [`${plural(found.unknown, "character is unknown to the tokenizer and becomes", "characters are unknown to the tokenizer and become")} one unknown token`]
    : [];
  return [
    {
      id: "split", label: "Split",
      lines: [
        `${whole(characters.train)} characters to learn from; ${whole(characters.dev)} to choose the best weights by (dev, ${dev_rule}); ` +
          `${whole(characters.validation)} never seen, for the final score (validation, ${rule})`,
      ],
    },
    { id: "tokenizer", label: "Tokens", lines: [found.tokenizer.reason, `${whole(found.tokens.train)} tokens to learn from`, ...unknown] },
    { id: "model", label: "Model", lines: [modelText(found.model, found.tokenizer.reserved), ...found.reasons] },
    {
      id: "memory", label: "Memory",
      lines: [`about ${bytes(found.forecast.memory)} of ${bytes(found.machine.memory)} that are free; ${found.machine.precision} on ` +
        `${found.machine.device}, ${plural(found.machine.threads, "thread")}`],
    },
  ];
}

/** What it will take and what can be hoped of it, as one sentence each. @param {Preview} found @returns {string[]} */
export function forecastText({ forecast }) {
  return [
    `About ${duration(forecast.seconds)}: ${plural(forecast.steps, "step")} of ${stepText(forecast.seconds_per_step)}, ` +
      `${whole(forecast.tokens)} tokens, ${significant(forecast.epochs, 3)} times through the text.`,
    `A model that has read so much writes ${forecast.ability}.`,
  ];
}

/** A model in a few words. @param {Record<string, any>} model @param {number} [reserved] tokens whose weights are no one's words */
export function modelText(model, reserved = 0) {
  const own = reserved * (model.d_model ?? 0) * (model.tie_embeddings ? 1 : 2);
  const parameters = `${whole(model.parameters - (model.architecture === "bigram" ? 0 : own))} parameters`;
  if (model.architecture === "bigram") return `a table of pairs, ${parameters}`;
  const experts = model.feedforward === "experts" ? `, ${model.n_experts} experts of which a token meets ${model.experts_per_token}` : "";
  return `a transformer of ${parameters}: ${plural(model.n_layers, "layer")}, ${plural(model.n_heads, "head")}, ` +
    `${model.d_model} channels${experts}, sees ${whole(model.context_length)} tokens at once`;
}

/** @param {number} seconds */
function stepText(seconds) {
  return seconds < 10 ? `${Math.round(1000 * seconds)} ms` : duration(seconds);
}

/** @param {Preview} found */
function foundText(found) {
  const files = found.n_files ? `${plural(found.n_files, "file")}, ` : "";
  return `${files}${plural(found.n_documents, "document")}, ${whole(found.n_characters)} characters (${bytes(found.n_bytes)}), ` +
    `about ${plural(found.n_words, "word")}`;
}

/** @param {Preview} found @returns {string[]} */
function lengthsText(found) {
  if (found.n_documents < 2) return [];
  return [`documents of ${whole(found.shortest_document)} to ${whole(found.longest_document)} characters`];
}

/** @param {Preview} found */
function languagesText(found) {
  const scripts = sharesText(found.scripts) || "no letters";
  if (found.languages === null) return `letters: ${scripts}; which languages was not looked for (it needs an extra: pip install 'pellucid[languages]')`;
  return `${sharesText(found.languages) || "none recognised"}; letters: ${scripts}`;
}

/** @param {Preview} found */
function repeatedText(found) {
  if (found.repeated_documents < LEAST_SHARE && found.repeated_paragraphs < LEAST_SHARE) return "hardly anything stands there twice";
  return `${percent(found.repeated_documents)} of the text are documents that stood before, ${percent(found.repeated_paragraphs)} paragraphs that did`;
}

/** @param {Record<string, number>} shares */
function sharesText(shares) {
  const named = Object.entries(shares).filter(([, share]) => share >= LEAST_SHARE);
  const rest = Object.values(shares).reduce((sum, share) => sum + share, 0) - named.reduce((sum, [, share]) => sum + share, 0);
  if (rest >= LEAST_SHARE) named.push(["others", rest]);
  return named.map(([name, share]) => `${name} ${percent(share)}`).join(", ");
}

/** @param {[string, number]} symbol and how often it occurs */
function timesText([symbol, count]) {
  return `${withCode(symbol)} ${whole(count)}×`;
}

/** A character as it looks, with its code point where that says little. @param {string} text */
export function withCode(text) {
  if ([...text].length !== 1 || /[!-~]/.test(text)) return text;
  const code = /** @type {number} */ (text.codePointAt(0)).toString(16).toUpperCase().padStart(4, "0");
  return /[\p{C}\p{Z}\p{M}]/u.test(text) ? `U+${code}` : `${text} (U+${code})`;
}
