// @ts-check
/** How replies are drawn, and what the two speakers are called. The sampling is shared with the view of that name. */
import { el } from "../base/dom.js";
import { createSliders } from "../parts/sliders.js";

const KEPT = "pellucid-chat";
const MOST = 400; // tokens that the slider offers
const UNNAMED = "PELLUCID";
const LONGEST_SYSTEM = 20_000; // characters

/** @typedef {{user_name: string, model_name: string, max_tokens: number, system: string}} Own */

/** @returns {Own} */
function recall() {
  const standard = { user_name: "YOU", model_name: UNNAMED, max_tokens: 180, system: "" };
  try {
    return { ...standard, ...JSON.parse(localStorage.getItem(KEPT) ?? "{}") };
  } catch {
    return standard; // storage is forbidden, or holds something else
  }
}

/** @param {import("../base/types.js").Shell} shell @param {{renamed: () => void}} ears */
export function createChatSettings(shell, { renamed }) {
  const own = recall();

  function keep() {
    try {
      localStorage.setItem(KEPT, JSON.stringify(own));
    } catch {
      // then they last as long as the page
    }
  }

  const sliders = createSliders(shell.store, () => shell.run()?.model?.vocab_size ?? 65, "chat-");
  const most = el("input", { type: "range", id: "chat-max", min: 10, max: MOST, step: 10, value: own.max_tokens, "data-testid": "chat-max-tokens", oninput: () => {
    own.max_tokens = Number(most.value);
    keep();
    draw();
  } });
  const mostSaid = el("output", { class: "number", for: "chat-max" });
  const names = /** @type {const} */ (["user_name", "model_name"]).map((name) => {
    const input = el("input", { type: "text", id: `chat-${name}`, value: own[name], maxlength: 40, autocomplete: "off", spellcheck: "false", "data-testid": `chat-${name}`, onchange: () => rename({ [name]: input.value.trim() }) });
    return { name, input };
  });
  const system = el("textarea", { id: "chat-system", rows: 3, dir: "auto", maxlength: LONGEST_SYSTEM, "aria-describedby": "system-about", "data-testid": "system", oninput: () => {
    own.system = system.value;
    keep();
  } });
  system.value = own.system;
  const systemField = el("div", { class: "field system-field", hidden: true }, el("label", { for: "chat-system" }, "it is told first (system prompt)"), system,
    el("span", { class: "note", id: "system-about" }, "counts from the next message on; empty is none"));
  const problem = el("p", { class: "problem", role: "alert", hidden: true });
  const hint = el("p", { class: "note", hidden: true, "data-testid": "play-hint" }, "This model learned from plays: it speaks best as somebody in them. ",
    el("button", { type: "button", class: "quiet", onclick: () => rename({ user_name: "ROMEO", model_name: "JULIET" }) }, "Be ROMEO, and let it be JULIET"));

  /** How the run was taught to answer; null where it only goes on with text. */
  const learned = () => shell.run()?.learned ?? null;

  /** @param {Partial<Own>} change */
  function rename(change) {
    const next = { ...own, ...change };
    const wrong = !next.user_name || !next.model_name ? "Both speakers need a name." : next.user_name === next.model_name ? "The two speakers need different names." : "";
    problem.hidden = !wrong;
    problem.textContent = wrong;
    if (wrong) return;
    Object.assign(own, next);
    for (const { name, input } of names) input.value = own[name];
    keep();
    renamed();
  }

  function draw() {
    sliders.write(shell.store.get());
    mostSaid.textContent = String(own.max_tokens);
    hint.hidden = !/shakespeare|play/i.test(shell.run()?.data?.name ?? "") || own.model_name !== UNNAMED || !!learned();
    speakers.hidden = !!learned();
    systemField.hidden = !learned();
  }

  const speakers = el("div", { class: "speakers" }, names.map(({ name, input }) => el("div", { class: "field" },
    el("label", { for: input.id }, name === "user_name" ? "you are" : "the model is"), input)));
  const root = el("div", { class: "chat-settings" },
    speakers,
    problem, hint, systemField,
    sliders.root,
    el("div", { class: "slider" }, el("label", { for: "chat-max" }, "at most, in tokens"), mostSaid, most));

  return {
    root, update: draw,
    /** What the two are called on the page; a model that learned to answer reads no names. */
    names: () => (learned() ? { user: "YOU", model: learned()?.as ?? UNNAMED } : { user: own.user_name, model: own.model_name }),
    /** @returns {import("./conversation.js").ChatSettings} */
    values() {
      const { temperature, top_k, top_p, min_p } = shell.store.get();
      return { temperature, top_k, top_p: Math.max(top_p, 0.01), min_p, ...own, system: learned() ? own.system.trim() : "" };
    },
  };
}
