// @ts-check
/** Tokens: the text as the model's tokenizer cuts it, beside the numbers that the model reads. */
import { el, fill, svg, token as style } from "../base/dom.js";
import { createPanel } from "../parts/panel.js";
import { saveSvg } from "../parts/save.js";
import { whole } from "../base/scale.js";
import { chips } from "../parts/chips.js";
import { cropped, tint, visible } from "../base/token-text.js";

export const id = "tokens";
export const tab = "Tokens";
export const title = "Tokens";
export const hint =
  "A model reads numbers, not letters: the tokenizer cuts your text into pieces, and each piece has one number.";

const ABOUT_SPACES = "· is a space, ↵ a line's end, → a tab. A token has the same tint wherever it stands; others may share it.";

/** @type {import("./views.js").View["mount"]} */
export function mount(root, shell) {
  const panel = createPanel(
    { id, title, hint },
    {
      saveSvg: () =>
        saveSvg(picture(), {
          title,
          stamp: panel.stampText(),
          legend: `${ABOUT_SPACES} Below each piece is its number.`,
        }),
      table: () =>
        shown && {
          caption: `The first ${shown.shown} tokens`,
          columns: ["place", "text", "id", "from character", "to"],
          rows: shown.tokens.map((/** @type {any} */ each, /** @type {number} */ i) => [
            i,
            visible(each.text),
            each.id,
            each.start,
            each.end,
          ]),
          note:
            shown.n_tokens > shown.shown
              ? `Of ${whole(shown.n_tokens)} tokens the first ${whole(shown.shown)}.`
              : undefined,
        },
    },
  );
  /** @param {number} index */
  const pick = (index) => {
    const place = index - left;
    shell.store.set({ token: place < 0 || place === shell.store.get().token ? -1 : place });
  };
  /** @param {number} index */
  const hover = (index) => {
    text.point(index);
    ids.point(index);
  };
  const text = chips({ label: "The text in pieces", testid: "token-texts", pick, hover });
  const ids = chips({
    label: "The pieces' numbers",
    testid: "token-ids",
    write: (each) => String(each.id),
    pick,
    hover,
  });
  const facts = el("dl", { class: "facts" });
  const beyond = el("span", {}, " Pieces that are struck out no longer fit into what the model sees.");
  panel.body.append(
    facts,
    el(
      "div",
      { class: "pair" },
      el("div", {}, el("h3", {}, "The text in pieces"), text.root),
      el("div", {}, el("h3", {}, "What the model reads"), ids.root),
    ),
    el("p", { class: "note legend" }, ABOUT_SPACES, beyond),
  );
  root.append(panel.root);

  /** @type {any} */
  let shown = null;
  let left = 0;

  /** The chips as a drawing: text above, number below. */
  function picture() {
    const [width, high, gap] = [880, 40, 4];
    let [x, y] = [0, 0];
    const parts = [];
    for (const each of shown?.tokens.slice(0, 600) ?? []) {
      const words = visible(each.text);
      const wide = Math.max([...words].length * 9, String(each.id).length * 7) + 10;
      if (x + wide > width) [x, y] = [0, y + high + gap];
      parts.push(
        svg("rect", { x, y, width: wide, height: high, rx: 2, fill: style(tint(each.id)) }),
        svg(
          "text",
          {
            x: x + wide / 2,
            y: y + 16,
            fill: style("ink"),
            "font-family": style("mono"),
            "font-size": 14,
            "text-anchor": "middle",
          },
          words,
        ),
        svg(
          "text",
          {
            x: x + wide / 2,
            y: y + 33,
            fill: style("ink-soft"),
            "font-family": style("mono"),
            "font-size": 10,
            "text-anchor": "middle",
          },
          String(each.id),
        ),
      );
      [x, y] = each.text.endsWith("\n") ? [0, y + high + gap] : [x + wide + gap, y];
    }
    return svg("svg", { width, height: y + high, viewBox: `0 0 ${width} ${y + high}` }, ...parts);
  }

  /** @param {any} answer */
  function show(answer) {
    shown = answer;
    left = cropped(answer.n_tokens, answer.context_length);
    beyond.hidden = !left;
    const paler = (/** @type {any} */ _, /** @type {number} */ index) => ({ class: index < left ? "beyond" : "" });
    text.show(answer.tokens, paler);
    ids.show(answer.tokens, paler);
    const numbers = [
      [answer.n_characters, "characters"],
      [answer.n_bytes, "bytes"],
      [answer.n_tokens, "tokens"],
      [answer.vocab_size, "in the vocabulary"],
      [answer.context_length, "tokens the model sees"],
    ];
    fill(
      facts,
      numbers.map(([n, words]) =>
        el("div", {}, el("dt", {}, words), el("dd", { dataset: { value: n } }, whole(Number(n)))),
      ),
      el("div", {}, el("dt", {}, "tokenizer"), el("dd", { class: "words" }, answer.kind)),
    );
    panel.ready(answer.stamp, answer.notes);
  }

  return {
    update(state) {
      const answer = shell.tokens();
      if (!answer) return panel.busy();
      if (answer.failed) return panel.failed(answer.failed, answer.retry);
      if (answer !== shown) show(answer);
      const index = state.token < 0 ? -1 : state.token + left;
      text.pick(index);
      ids.pick(index);
    },
    destroy: () => root.replaceChildren(),
  };
}
