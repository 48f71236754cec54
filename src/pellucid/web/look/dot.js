// @ts-check
/** How one score is made: a query and a key, number by number, their products and their sum. */
import { el, fill } from "../base/dom.js";
import { colourScale, exact, significant, symmetric } from "../base/scale.js";
import { visible } from "../base/token-text.js";
import { theme } from "./views.js";

export function createDot() {
  const sum = el("p", { class: "readout", "data-testid": "dot" });
  const strips = el("div", { class: "strips" });
  const root = el("div", { class: "dot", hidden: true }, el("h4", {}, "How this score is made"), strips, sum);

  /**
   * One line of numbers as colours.
   * @param {string} name
   * @param {string} role
   * @param {number[]} values
   * @param {[number, number]} domain
   * @param {boolean} ends
   */
  function strip(name, role, values, domain, ends) {
    const scale = colourScale({ kind: "diverging", domain, theme: theme() });
    return [
      el("span", { class: `strip-name ${role}` }, name),
      el(
        "span",
        {
          class: "strip",
          role: "img",
          "aria-label":
            `${name}: ${values.length} numbers from ` +
            `${significant(Math.min(...values))} to ${significant(Math.max(...values))}`,
        },
        values.map((value) => el("span", { title: significant(value, 4), style: { background: scale.css(value) } })),
      ),
      el("span", { class: "note strip-end" }, ends && `±${significant(domain[1])}`),
    ];
  }

  return {
    root,
    clear: () => void (root.hidden = true),
    /**
     * @param {any} answer a head's frame
     * @param {number} row
     * @param {number} column
     * @param {boolean} masked
     */
    show(answer, row, column, masked) {
      const { header, arrays } = answer;
      const width = arrays.q.shape[1];
      const q = [...arrays.q.data.subarray(row * width, (row + 1) * width)];
      const k = [...arrays.k.data.subarray(column * width, (column + 1) * width)];
      const products = q.map((value, i) => value * k[i]);
      const total = products.reduce((all, one) => all + one, 0);
      const score = arrays.scores.data[row * header.tokens.length + column];
      const domain = symmetric([...q, ...k]);
      root.hidden = false;
      fill(
        strips,
        strip(`query of ${visible(header.tokens[row].text)}`, "role-q", q, domain, true),
        strip(`key of ${visible(header.tokens[column].text)}`, "role-k", k, domain, true),
        strip("products", "", products, symmetric(products), true),
      );
      const divided = header.scale.kind === "sqrt";
      fill(
        sum,
        `The ${width} products sum to ${significant(total, 4)}`,
        divided ? `; ÷ √${width} gives the score ${significant(score, 4)}` : ", which is the score",
        masked ? ". It is masked: the softmax never sees it." : ".",
      );
      sum.dataset.value = exact(score);
    },
  };
}
