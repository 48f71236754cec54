// @ts-check
/** The place Chat: a conversation with the chosen weights, how replies are drawn, and the chats that were kept. */
import { createChatHistory } from "./history.js";
import { createChatLog } from "./log.js";
import { createChatSession } from "./session.js";
import { createChatSettings } from "./settings.js";
import { surpriseLegend } from "./reply-tokens.js";
import { createComposer } from "./composer.js";
import { announce, el, fill } from "../base/dom.js";
import { takeDrops } from "../parts/drop.js";
import { formatHash } from "../base/store.js";
import { createTokenPopover } from "./token-popover.js";

export const id = "chat";
export const title = "Chat";

const LONGEST_SPOKEN = 2000; // characters of a reply that are read out at its end
const NEAR = 120; // pixels from the end within which one follows what is written

/** How a run answers. @param {import("../base/types.js").Run} run */
function mannerText({ learned, data }) {
  if (!learned) return `It has learned to go on with ${data?.name ?? "its text"}, not to answer: it goes on with your words as that text would.`;
  const who = learned.as ? `It has learned to answer as ${learned.as} does; it is not ${learned.as}.` : "It has learned to answer.";
  return `${who}${learned.private ? " It learned from a private chat: keep it to yourself." : ""}`;
}

/** @param {HTMLElement} root @param {import("../base/types.js").Shell} shell */
export function mount(root, shell) {
  const problem = el("div", { class: "problem", role: "alert", hidden: true, "data-testid": "chat-problem" });
  const welcome = el("div", { class: "welcome", "data-testid": "welcome" });
  const settings = createChatSettings(shell, { renamed: () => log.show(session.messages()) });
  const session = createChatSession({
    weights: () => ({ run: shell.runName(), step: shell.store.get().step }),
    settings: settings.values,
    mostTokens: () => shell.session()?.limits.max_tokens ?? 4096,
    changed, ended,
    kept: (chat) => {
      if (session.id() !== chat) return;
      opened = `${shell.runName()}/${chat}`;
      if (shell.store.get().chat !== chat) shell.store.set({ chat }, { push: false });
      history.refresh();
    },
    unkept: (error) => fail(new Error(`This chat could not be kept: ${error.message}`)),
  });
  const log = createChatLog({
    names: settings.names, busy: session.busy,
    edit: (index, text) => session.edit(index, text), regenerate: (index) => session.regenerate(index), goOn: () => session.goOn(),
    picked: (token, index) => popover.open(token, index),
  });
  const popover = createTokenPopover({
    ask: (reply, at, signal) => session.alternatives(reply, at, signal),
    take: (reply, at, { id: token, text, bits, rank }) => session.branch(reply, at, { id: token, text, bits, rank, delta: text }),
  });
  const composer = createComposer({ send: (text) => session.send(text), stop: () => session.stop() });
  const history = createChatHistory({
    run: shell.runName,
    open: (chat) => shell.store.set({ chat }),
    fresh: () => {
      session.clear(shell.runName());
      shell.store.set({ chat: "" });
      composer.focus();
    },
    deleted: (chat) => {
      if (chat === null || chat === shell.store.get().chat) shell.store.set({ chat: "" }, { push: false });
    },
    failed: fail,
  });
  const colour = el("input", { type: "checkbox", id: "colour", "data-testid": "colour", onchange: () => {
    talk.classList.toggle("coloured", colour.checked);
    legend.hidden = !colour.checked;
  } });
  const legend = surpriseLegend();
  legend.hidden = true;
  const talk = el("div", { class: "talk" },
    el("div", { class: "talk-tools" }, el("label", { class: "check" }, colour, "colour by surprise"), legend),
    welcome, log.root, problem, composer.root, popover.root);
  const wide = window.matchMedia("(min-width: 961px)").matches;
  const aside = el("aside", { class: "chat-side", "aria-label": "Settings and earlier chats" },
      el("details", { open: wide }, el("summary", {}, el("h2", {}, "Chats")), history.root),
      el("details", { open: wide }, el("summary", {}, el("h2", {}, "How it replies")), settings.root));
  root.append(el("h1", { class: "unseen" }, title), el("div", { class: "chat-place" }, talk, aside));

  /** The run and chat that are shown, so that only a change of them opens something. */
  let opened = "";
  let run = "";

  /** @param {"all" | "reply"} what */
  function changed(what) {
    const follow = document.documentElement.scrollHeight - window.scrollY - window.innerHeight < NEAR;
    if (what === "all") {
      popover.hide();
      problem.hidden = true;
      log.show(session.messages());
      composer.busy(session.busy());
      if (session.busy()) announce(`${settings.names().model} is writing.`);
    } else log.grow(session.messages());
    drawWelcome();
    if (session.busy() && follow && !root.hidden) window.scrollTo({ top: document.documentElement.scrollHeight });
  }

  function ended() {
    const reply = session.messages().at(-1);
    if (reply?.role !== "assistant" || reply.problem) return; // a problem is an alert of its own
    const end = reply.finish_reason === "stopped" ? " Stopped." : "";
    announce(`${settings.names().model}: ${reply.content.slice(0, LONGEST_SPOKEN)}${end}`);
  }

  /** @param {Error} error */
  function fail(error) {
    problem.hidden = false;
    fill(problem, el("p", {}, error.message));
  }

  function drawWelcome() {
    const known = shell.run();
    welcome.hidden = session.messages().length > 0;
    if (!known) {
      fill(welcome, el("p", { class: "lead" }, shell.runName()
        ? `There is no run called ${shell.runName()} here: it may have been deleted.`
        : ["There is no model here yet. ", el("a", { href: formatHash({ ...shell.store.get(), place: "train" }) }, "Train one"), ", and talk to it when it has learned a little."]));
      composer.enable(false);
      aside.hidden = !shell.runName();
      return;
    }
    composer.enable(true);
    aside.hidden = false;
    fill(welcome, el("p", { class: "lead" }, `Say something to ${known.name}.`),
      el("p", { class: "note" }, `${mannerText(known)} Every word it writes can be clicked, to see what else it might have been.`));
  }

  takeDrops(root, shell.offer);

  /** @param {string} chat */
  async function open(chat) {
    try {
      await session.open(shell.runName(), chat);
    } catch (error) {
      if (session.id() !== chat) return;
      session.clear(shell.runName());
      opened = `${shell.runName()}/`;
      shell.store.set({ chat: "" }, { push: false });
      fail(/** @type {Error} */ (error));
    }
  }

  root.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && session.busy()) session.stop();
  });

  return {
    /** @param {import("../base/store.js").State} state */
    update(state) {
      settings.update();
      const name = shell.runName();
      if (!shell.session()) return; // which run is meant is not known yet
      if (run && name !== run && state.chat && opened === `${run}/${state.chat}`) {
        [run, opened] = [name, ""];
        shell.store.set({ chat: "" }, { push: false }); // the chat belongs to the other run; this comes here again
        return;
      }
      const wanted = `${name}/${state.chat}`;
      const anew = name !== run;
      run = name;
      if (anew) history.refresh();
      if (wanted !== opened) {
        opened = wanted;
        if (state.chat) open(state.chat);
        else session.clear(name);
      }
      history.mark(state.chat);
      drawWelcome();
    },
    hide: () => popover.hide(),
  };
}
