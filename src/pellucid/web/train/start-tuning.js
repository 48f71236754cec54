// @ts-check
/** How a chat is learned: from which run, all of its weights or adapters beside them, how often, under which name. */
import { el, fill } from "../base/dom.js";

const EPOCHS = 4;
const SMALL = 2e7; // parameters up to which all of a model is trained, unless one decides otherwise

/** @param {import("../base/types.js").Shell} shell @param {() => void} changed */
export function createTuning(shell, changed) {
  const base = el("select", { id: "base", required: true, "data-testid": "base", onchange: () => {
    choose();
    changed();
  } });
  const none = el("p", { class: "problem", hidden: true, "data-testid": "no-base" },
    "There is no model to start from yet: train one on a text first, or take over a published one with `pellucid import smollm2-135m-instruct`.");
  const ways = ["lora", "full"].map((way) => el("input", { type: "radio", name: "way", id: `way-${way}`, value: way, "data-testid": `way-${way}`, onchange: () => {
    decided = true;
    changed();
  } }));
  const epochs = el("input", { type: "number", id: "epochs", min: 0.1, max: 100, step: "any", value: EPOCHS, required: true, "aria-describedby": "epochs-about", "data-testid": "epochs", oninput: changed });
  const name = el("input", { type: "text", id: "tuned-name", maxlength: 60, pattern: "[A-Za-z0-9][A-Za-z0-9._\\-]*", title: "letters, digits, . _ -",
    placeholder: "chosen from the file", autocomplete: "off", "data-testid": "tuned-name" });
  const words = { lora: ["small adapters (LoRA)", "the model stays as it is, and little is added: for models with much to forget"],
    full: ["all of its weights", "for small models, such as those trained here"] };
  const root = el("section", { class: "tuning", "aria-label": "How it learns" }, el("h3", {}, "How it learns"), none,
    el("div", { class: "fields" },
      el("div", { class: "field" }, el("label", { for: "base" }, "starts from the run"), base, el("span", { class: "note" }, "which is left as it is")),
      el("div", { class: "field" }, el("label", { for: "epochs" }, "times through the chat"), epochs, el("span", { class: "note", id: "epochs-about" }, "it stops sooner where it no longer gets better")),
      el("div", { class: "field" }, el("label", { for: "tuned-name" }, "name of the new run"), name)),
    el("fieldset", { class: "decision" }, el("legend", {}, "What is trained"), ways.map((input) => {
      const [label, about] = words[/** @type {"lora" | "full"} */ (input.value)];
      return el("label", { class: "pick", for: input.id }, input, el("span", { class: "pick-name" }, label), el("span", { class: "note" }, about));
    })));
  let wanted = "";
  let decided = false; // what is trained

  /** @param {boolean} lora */
  function check(lora) {
    for (const input of ways) input.checked = (input.value === "lora") === lora;
  }

  /** Choose what is trained of the run that is chosen, while nobody has decided it. */
  function choose() {
    if (decided) return;
    const parameters = shell.runs().find((run) => run.name === base.value)?.model?.parameters ?? Infinity;
    check(parameters > SMALL);
  }

  function update() {
    const usable = shell.runs().filter((run) => run.steps.includes("best") && run.model?.architecture !== "bigram").map((run) => run.name);
    const chosen = [wanted, base.value, shell.runName(), usable[0]].find((each) => each && usable.includes(each)) ?? "";
    if ([...base.options].map((option) => option.value).join("\n") !== usable.join("\n")) fill(base, usable.map((each) => el("option", { value: each }, each)));
    base.value = chosen;
    if (wanted === chosen) wanted = "";
    none.hidden = usable.length > 0;
    choose();
  }

  return {
    root, update,
    name: () => name.value.trim(),
    settings: () => ({ epochs: Number(epochs.value) || EPOCHS }),
    values: () => ({ ...(base.value ? { base: base.value } : {}), lora: ways[0].checked }),
    /** @param {Record<string, any>} values @param {Record<string, any>} settings */
    restore(values, settings) {
      wanted = values.base ?? "";
      epochs.value = String(settings.epochs ?? EPOCHS);
      decided = values.lora !== undefined;
      check(values.lora ?? true);
      name.value = "";
      update();
    },
  };
}
