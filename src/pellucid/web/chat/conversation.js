// @ts-check
/**
 * A chat as data: who said what, and what follows from sending, editing, regenerating and branching.
 *
 * Every function gives a new list and leaves the old one alone, so that nothing is lost when a request fails.
 * No browser in here.
 */

/**
 * @typedef {{ id: number, text: string, bits: number, rank: number, delta: string }} ReplyToken
 *   `text` is the token as the tokenizer names it; `delta` is what it added to the reply (empty for a part of a character)
 * @typedef {{ role: "user" | "assistant", content: string, tokens?: ReplyToken[], finish_reason?: string | null,
 *   notes?: string[], problem?: string | null }} Message
 * @typedef {{ temperature: number, top_k: number, top_p: number, min_p: number, max_tokens: number, user_name: string,
 *   model_name: string, system: string }} ChatSettings  `system` is what a model that learned to answer is told first
 * @typedef {{ message: string, history: { role: string, content: string }[], reply_ids: number[] }} Asked
 * @typedef {{ first: number, last: number, text: string }} Span tokens `first`..`last` together write `text`
 */

/**
 * The chat with one more message of the person's, and an empty reply for the model to fill.
 * @param {Message[]} messages
 * @param {string} text
 * @returns {Message[]}
 */
export function send(messages, text) {
  return [...messages, { role: "user", content: text }, emptyReply()];
}

/**
 * The chat in which the person said something else at `index`: what followed it is gone, the model answers anew.
 * @param {Message[]} messages
 * @param {number} index of a message of the person's
 * @param {string} text
 * @returns {Message[]}
 */
export function edit(messages, index, text) {
  return send(messages.slice(0, index), text);
}

/**
 * The chat with the reply at `index` to be written anew; what followed it is gone.
 * @param {Message[]} messages
 * @param {number} index of a reply
 * @returns {Message[]}
 */
export function regenerate(messages, index) {
  return [...messages.slice(0, index), emptyReply()];
}

/**
 * The chat in which the reply at `index` took another token at `at`: the tokens before it stay, the model goes on after it.
 * @param {Message[]} messages
 * @param {number} index of a reply with tokens
 * @param {number} at which of its tokens
 * @param {ReplyToken} token what stands there instead
 * @returns {Message[]}
 */
export function branch(messages, index, at, token) {
  const tokens = [...(messages[index].tokens ?? []).slice(0, at), token];
  return [...messages.slice(0, index), { ...emptyReply(), tokens, content: written(tokens) }];
}

/**
 * The chat in which the last reply, cut short, is to go on from where it stands.
 * @param {Message[]} messages ending with a reply
 * @returns {Message[]}
 */
export function goOn(messages) {
  const reply = messages[messages.length - 1];
  return [...messages.slice(0, -1), { ...emptyReply(), tokens: reply.tokens ?? [], content: reply.content }];
}

/** @returns {Message} */
function emptyReply() {
  return { role: "assistant", content: "", tokens: [], finish_reason: null };
}

/**
 * The reply with one more piece of the stream.
 * @param {Message} reply
 * @param {{ delta?: string, token?: Omit<ReplyToken, "delta"> }} piece
 * @returns {Message}
 */
export function append(reply, piece) {
  const delta = piece.delta ?? "";
  const tokens = piece.token ? [...(reply.tokens ?? []), { ...piece.token, delta }] : reply.tokens;
  return { ...reply, content: reply.content + delta, tokens };
}

/**
 * What is shown of a reply that had a beginning: the server tells the beginning again, and until it is through, the
 * beginning stays as it was.
 * @param {Message} beginning @param {Message} told
 * @returns {Message}
 */
export function shown(beginning, told) {
  return (told.tokens?.length ?? 0) < (beginning.tokens?.length ?? 0) && told.content.length < beginning.content.length ? beginning : told;
}

/**
 * What the server is asked so that it fills the last reply: the message before it, all that came before that, and the
 * tokens the reply has already.
 * @param {Message[]} messages ending with a reply
 * @param {string} [system] what stands before all of it
 * @returns {Asked}
 */
export function asked(messages, system = "") {
  const reply = messages[messages.length - 1];
  const said = messages[messages.length - 2];
  const hasMessage = said?.role === "user";
  const before = messages.slice(0, messages.length - (hasMessage ? 2 : 1));
  return {
    message: hasMessage ? said.content : "",
    history: [...(system ? [{ role: "system", content: system }] : []), ...before.map(({ role, content }) => ({ role, content }))],
    reply_ids: (reply.tokens ?? []).map((token) => token.id),
  };
}

/** @param {ReplyToken[]} tokens */
export function written(tokens) {
  return tokens.map((token) => token.delta).join("");
}

/**
 * Tokens in groups that can stand apart on the page: each writes whole characters as people see them, so that an emoji
 * made of several tokens, or of several joined characters, is never torn. Tokens that write nothing belong to the group
 * that follows; those at the end, which the reply was cut before, to none.
 * @param {ReplyToken[]} tokens
 * @returns {Span[]}
 */
export function spans(tokens) {
  const parts = share(tokens);
  const text = parts.join("");
  const boundaries = new Set([...new Intl.Segmenter().segment(text)].map(({ index }) => index).concat(text.length));
  /** @type {Span[]} */
  const groups = [];
  let [first, begin, position] = [0, 0, 0];
  parts.forEach((part, n) => {
    position += part.length;
    if (position === begin || !boundaries.has(position)) return;
    groups.push({ first, last: n, text: text.slice(begin, position) });
    [first, begin] = [n + 1, position];
  });
  return groups;
}

/**
 * The text that each token wrote. The server holds back what may be the beginning of an end, and then sends the text of
 * several tokens with the last of them: it is shared out again where the tokens' own texts are just that text.
 * @param {ReplyToken[]} tokens
 * @returns {string[]}
 */
function share(tokens) {
  const parts = tokens.map((token) => token.delta);
  let first = 0;
  tokens.forEach((token, n) => {
    if (token.delta === "") return;
    const own = tokens.slice(first, n + 1).map((each) => each.text);
    const whole = own.join("");
    if (n > first && whole.endsWith(token.delta)) {
      let dropped = whole.length - token.delta.length; // blank lines before a speech are not shown
      own.forEach((text, i) => {
        parts[first + i] = text.slice(Math.min(dropped, text.length));
        dropped = Math.max(0, dropped - text.length);
      });
    }
    first = n + 1;
  });
  return parts;
}

const LEVELS = [1, 2, 4, 7, 10];

/**
 * How surprising, in six levels: below 1 bit (0), from 1, 2, 4, 7 and 10 bits on (5).
 * @param {number} bits
 */
export function surpriseLevel(bits) {
  return LEVELS.filter((limit) => bits >= limit).length;
}

export const SURPRISE_LIMITS = LEVELS;
