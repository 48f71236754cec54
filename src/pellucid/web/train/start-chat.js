// @ts-check
/** What one decides of a chat: who the model becomes, what is not taken out, which run learns it, and how. */
import { debounce, el, fill } from "../base/dom.js";
import { whole } from "../base/scale.js";
import { chatExamples } from "./chat-picture.js";
import { askedAs, tooFewText } from "./chat-report.js";
import { createTuning } from "./start-tuning.js";

/** @typedef {import("./chat-report.js").ChatPreview} ChatPreview @typedef {import("./chat-report.js").Person} Person */

const CHANGED_AFTER = 500; // milliseconds without another change

/**
 * @param {import("../base/types.js").Shell} shell
 * @param {{changed: () => void, asText: () => void}} ears  told when another look is due; when it is no chat after all
 */
export function createChatChoice(shell, { changed, asText }) {
  const soon = debounce(changed, CHANGED_AFTER);
  let dateOrder = "";
  const tuning = createTuning(shell, soon);
  const who = createPeople(soon);
  const redactions = createRedactions(soon);
  const anyway = createAnyway();
  const notice = createNotice();
  const caption = el("p", { class: "note", "data-testid": "examples-caption" });
  const examples = el("ol", { class: "chat-examples", "data-testid": "chat-examples" });
  const learned = el("section", { "aria-label": "What it learns" }, el("h3", {}, "What it learns"), caption, examples);
  const root = el("div", { class: "chat-choice", "data-testid": "chat-choice" }, notice.root, who.root, redactions.root, learned,
    tuning.root, anyway.root,
    el("p", { class: "note" }, "Is this no chat? ", el("button", { type: "button", class: "quiet", "data-testid": "as-text", onclick: asText }, "learn it as plain text")));

  let known = false;

  return {
    root,
    /** What shows the chat as it was last looked at. */
    shown: learned,
    /** Whether a survey was shown. */
    known: () => known,
    /** @param {ChatPreview} found */
    show(found) {
      known = true;
      who.show(found);
      redactions.show(found);
      notice.show(found);
      anyway.show(found);
      const about = found.as.chosen ? "" : " (who wrote most; choose above)";
      caption.textContent = `As the model meets it when it becomes ${found.as.name}${about}. What is marked “learned” it learns to say; the rest it only reads.`;
      fill(examples, found.examples.length ? chatExamples(found) : el("li", { class: "note" }, "There is no reply of that person to learn from."));
    },
    update: () => tuning.update(),
    focus: () => who.focus(),
    name: () => tuning.name(),
    settings: () => tuning.settings(),
    /** For the server: how the chat is read, and, once somebody is chosen, what a fine-tuning is to be. */
    values() {
      const as = who.value();
      return {
        ...(as ? { as_name: as, ...tuning.values() } : {}), ...(dateOrder ? { date_order: dateOrder } : {}),
        ...(redactions.value().length ? { keep: redactions.value() } : {}), ...(redactions.names() ? { names: true } : {}), ...(anyway.value() ? { anyway: true } : {}),
      };
    },
    /** @param {string} order */
    readDates: (order) => void (dateOrder = order),
    /** What was decided before this page was opened; {} for nothing. @param {Record<string, any>} values @param {Record<string, any>} settings */
    restore(values, settings) {
      known = false;
      dateOrder = values.date_order ?? "";
      who.restore(values.as_name ?? "");
      redactions.restore(values.keep ?? [], values.names ?? false);
      tuning.restore(values, settings);
      anyway.restore(values.anyway ?? false);
    },
  };
}

/** Who wrote, and which of them the model becomes. @param {() => void} changed */
function createPeople(changed) {
  const list = el("div", { class: "people" });
  const root = el("fieldset", { class: "decision", "data-testid": "people" }, el("legend", {}, "Who should the model become?"),
    el("p", { class: "note" }, "Not you: the one you want to talk to."), list);
  let chosen = "";
  let drawn = "";

  /** @param {Person} person @param {Person[]} people @param {number} n */
  function entry(person, people, n) {
    const asked = askedAs(person, people);
    const input = el("input", { type: "radio", name: "as", id: `person-${n}`, value: asked, required: true, "data-testid": `person-${n}`, onchange: () => {
      chosen = asked;
      changed();
    } });
    return el("label", { class: "pick", for: input.id }, input, el("span", { class: "pick-name", dir: "auto" }, person.name),
      el("span", { class: "note" }, `${whole(person.messages)} messages${asked === person.name ? "" : ` · ${person.id}`}`));
  }

  return {
    root,
    value: () => chosen,
    focus: () => /** @type {HTMLElement | null} */ (list.querySelector("input"))?.focus(),
    /** @param {string} name */
    restore: (name) => void (chosen = name),
    /** @param {ChatPreview} found */
    show({ people, as }) {
      if (!chosen && as.chosen) chosen = askedAs(as, people); // the data says it
      const now = JSON.stringify(people);
      if (now !== drawn) fill(list, people.map((person, n) => entry(person, people, n)));
      drawn = now;
      for (const input of list.querySelectorAll("input")) input.checked = input.value === chosen;
    },
  };
}

/** What is taken out, kind by kind, and what one keeps nevertheless. @param {() => void} changed */
function createRedactions(changed) {
  const names = el("input", { type: "checkbox", id: "other-names", "data-testid": "other-names", onchange: changed });
  const list = el("div", { class: "redactions" });
  const none = el("p", { class: "note" }, "Nothing was found; that does not mean nothing private is there.");
  const root = el("fieldset", { class: "decision", "data-testid": "redactions" }, el("legend", {}, "What is taken out before it learns"),
    el("p", { class: "note" }, "Found by its shape, and never all that is private."), none, list,
    el("label", { class: "check", for: "other-names" }, names, "give people other names, the same ones everywhere"));
  /** @type {Set<string>} */
  let kept = new Set();
  /** What was found of kinds that are kept now, too. @type {Map<string, {count: number, samples: string[]}>} */
  const known = new Map();

  /** @param {string} kind @param {string} about */
  function entry(kind, about) {
    const { count, samples } = known.get(kind) ?? { count: 0, samples: [] };
    const input = el("input", { type: "checkbox", id: `keep-${kind}`, checked: kept.has(kind), "data-testid": `keep-${kind}`, onchange: () => {
      kept[input.checked ? "add" : "delete"](kind);
      changed();
    } });
    return el("div", { class: "redaction", "data-testid": `redacted-${kind}`, dataset: { count } },
      el("span", {}, el("strong", {}, count ? `${whole(count)} × ` : ""), about, el("span", { class: "note mono" }, samples.map((sample) => ` ${sample}`).join(" "))),
      el("label", { class: "check", for: input.id }, input, "keep", el("span", { class: "unseen" }, ` ${about}`)));
  }

  return {
    root,
    value: () => [...kept],
    names: () => names.checked,
    /** @param {string[]} kinds @param {boolean} otherNames */
    restore(kinds, otherNames) {
      names.checked = otherNames;
      kept = new Set(kinds);
      known.clear();
    },
    /** @param {ChatPreview} found */
    show({ redacted }) {
      for (const [kind, count] of Object.entries(redacted.counts)) known.set(kind, { count, samples: redacted.samples[kind] ?? [] });
      const shown = Object.keys(redacted.kinds).filter((kind) => known.has(kind) || kept.has(kind));
      none.hidden = shown.length > 0;
      const focused = list.contains(document.activeElement) ? document.activeElement?.id : "";
      fill(list, shown.map((kind) => entry(kind, redacted.kinds[kind])));
      if (focused) document.getElementById(focused)?.focus();
    },
  };
}

/** So few replies are only learned from where one insists. */
function createAnyway() {
  const why = el("span", { "data-testid": "too-few" });
  const box = el("input", { type: "checkbox", id: "anyway", "data-testid": "anyway" });
  const root = el("div", { class: "problem", hidden: true }, el("p", {}, why),
    el("label", { class: "check", for: "anyway" }, box, "learn from them anyway"));
  return {
    root,
    value: () => !root.hidden && box.checked,
    /** @param {boolean} on */
    restore(on) {
      box.checked = on;
      root.hidden = !on;
    },
    /** @param {ChatPreview} found */
    show(found) {
      why.textContent = tooFewText(found);
      root.hidden = why.textContent === "";
      box.required = !root.hidden;
    },
  };
}

/** A word about the others in a chat: said once on a machine, and here until one has read it. */
function createNotice() {
  const text = el("p", {});
  const root = el("div", { class: "notice", role: "note", hidden: true, "data-testid": "notice" }, text,
    el("button", { type: "button", "data-testid": "notice-read", onclick: () => (root.hidden = true) }, "I have read this"));
  return {
    root,
    /** @param {ChatPreview} found */
    show({ notice }) {
      if (!notice) return;
      text.textContent = notice.replace(" (Said once.)", "");
      root.hidden = false;
    },
  };
}
