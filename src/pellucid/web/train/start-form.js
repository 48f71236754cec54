// @ts-check
/**
 * Starting a training: choose a text, see what is in it and what training on it would take, decide how long, train.
 * The server looks at the text in a job of its own; the job's name is in the URL, so that a reload comes back to it.
 */
import * as api from "../base/api.js";
import { announce, el, fill } from "../base/dom.js";
import { cancelJob, followJob, readJob, startJob } from "./jobs.js";
import { bytes, whole } from "../base/scale.js";
import { forecastOf, reportOf } from "./start-report.js";
import { chatReport, outlookOf } from "./chat-picture.js";
import { createChatChoice } from "./start-chat.js";
import { createSettings } from "./start-settings.js";
import { createSourceChooser } from "./start-source.js";
import { upload } from "./upload.js";

/** @typedef {import("./jobs.js").Job} Job @typedef {import("./jobs.js").Source} Source */

const UNNAMED = "Your files";

/** @param {import("../base/types.js").Shell} shell */
export function createStartForm(shell) {
  /** @type {Source | null} */
  let source = null;
  /** The job that is shown. @type {string} */
  let job = "";
  /** A training was asked for: a change of settings comes too late, and must not call it off. */
  let starting = false;
  /** Ends what is under way. */
  let work = new AbortController();

  /** What the source is, once that is known: decided by the server, or here. @type {"" | "text" | "chat"} */
  let kind = "";
  /** What was sent is not learned before it was looked at: what turns out to be a chat must not be learned as it stands. */
  let seen = false;

  const chooser = createSourceChooser({ corpus: (name) => chooseCorpus(name), files: (files) => send(files) });
  const settings = createSettings({ changed: () => source && !starting && look() });
  const chat = createChatChoice(shell, {
    changed: () => source && !starting && look(),
    asText: () => learnAsText(),
  });
  const heading = el("h3", { class: "source-name", "data-testid": "source-name" });
  const status = el("p", { class: "status", role: "status", "data-testid": "start-status" });
  const bar = el("progress", { max: 1, value: 0, hidden: true, "aria-label": "sent", "data-testid": "upload-progress" });
  const cancel = el("button", { type: "button", hidden: true, "data-testid": "start-cancel", onclick: () => giveUp() }, "Cancel");
  const problem = el("div", { class: "problem", role: "alert", hidden: true, "data-testid": "start-problem" });
  const log = el("pre", { class: "log", tabindex: 0, "aria-label": "What the job says", "data-testid": "start-log" });
  const logHolder = el("details", { class: "log-holder", hidden: true }, el("summary", {}, "What it says while it works"), log);
  const forecast = el("div", { class: "forecast-holder" });
  const report = el("div", { class: "report-holder", "data-testid": "report" });
  const train = el("button", { type: "submit", class: "primary", "data-testid": "train" }, "Train");
  const what = el("p", { class: "note" }, "The text");
  const decide = el("form", { class: "decide", hidden: true, "data-testid": "start-form" },
    el("div", { class: "decide-head" }, el("div", {}, what, heading),
      el("button", { type: "button", class: "quiet", "data-testid": "choose-another", onclick: () => { giveUp(); reset(); } }, "choose another")),
    settings.root, chat.root, forecast, el("div", { class: "buttons" }, train));
  decide.addEventListener("submit", (event) => {
    event.preventDefault();
    begin();
  });
  become("");
  const progressRow = el("div", { class: "progress-row", hidden: true }, bar, status, cancel);
  const root = el("section", { class: "start", "aria-labelledby": "start-title", "data-testid": "start" },
    el("h2", { id: "start-title" }, "Grow a model from your own words"),
    el("p", { class: "hint" }, "Choose a text, see what is in it, say for how many minutes to learn: then a small model writes in its manner. Or choose a chat, and whom in it a model shall learn to answer as. All of it happens on this machine, and nothing leaves it."),
    chooser.root, decide, progressRow, problem, logHolder, report);

  /** @param {Error} error @param {() => void} [again] @param {string} [label] of the button that does it */
  function failed(error, again, label = "Try again") {
    if (error.name === "AbortError") return;
    working("");
    problem.hidden = false;
    fill(problem, el("p", {}, error.message), again && el("button", { type: "button", "data-testid": "start-retry", onclick: again }, label));
  }

  /** Say what is under way; "" for nothing. @param {string} text */
  function working(text) {
    status.textContent = text;
    cancel.hidden = text === "";
    if (text === "") bar.hidden = true;
    problem.hidden = true;
    for (const part of [report, forecast, chat.shown]) part.classList.toggle("stale", text !== "");
    progressRow.hidden = text === "";
  }

  /** Show what there is to decide of a text, or of a chat. @param {"" | "text" | "chat"} now */
  function become(now) {
    kind = now;
    const decided = now !== "chat" || chat.known();
    settings.root.hidden = now === "chat";
    chat.root.hidden = now !== "chat" || !decided;
    train.hidden = !decided;
    what.textContent = now === "chat" ? "The chat" : "The text";
  }

  /** @param {boolean} now */
  function see(now) {
    seen = now;
    train.disabled = starting || !seen;
  }

  /** What the server is told to look at, or to learn. */
  function order() {
    if (kind === "chat") return { settings: chat.settings(), chat: chat.values() };
    return { settings: settings.values(), ...(kind === "text" ? { chat: { format: "text" } } : {}) };
  }

  const valid = () => (kind === "chat" ? decide.reportValidity() : settings.valid());

  function reset() {
    work.abort();
    source = null;
    become("");
    chat.restore({}, {});
    job = "";
    working("");
    decide.hidden = true;
    chooser.root.hidden = false;
    logHolder.hidden = true;
    fill(report);
    fill(forecast);
  }

  /** Stop what is under way, here and on the server. */
  function giveUp() {
    work.abort();
    if (job) cancelJob(job).catch(() => {}); // it may have ended just now
    if (!source) chooser.root.hidden = false;
    working("");
  }

  /** @returns {AbortSignal} of what begins now; what was under way ends */
  function anew() {
    giveUp();
    work = new AbortController();
    return work.signal;
  }

  /** @param {string} name */
  function chooseCorpus(name) {
    settings.propose(shell.session()?.corpora.find((each) => each.name === name)?.preset ?? "auto");
    choose({ corpus: name }, name);
  }

  /** @param {Source} from @param {string} label */
  function choose(from, label) {
    source = from;
    chat.restore({}, {});
    become("");
    see("corpus" in from);
    heading.textContent = label;
    chooser.root.hidden = true;
    decide.hidden = false;
    look();
    settings.focus();
  }

  /** @param {import("./upload.js").Picked[]} files */
  async function send(files) {
    const limits = shell.session()?.limits;
    const total = files.reduce((sum, { file }) => sum + file.size, 0);
    if (!files.length) return failed(new Error("There is no file in what was chosen: drop text files, or a folder with some."));
    if (limits && files.length > limits.upload_files) return failed(new Error(`These are ${whole(files.length)} files, and ${whole(limits.upload_files)} are the most at once: choose fewer, or train on the folder from a terminal.`));
    if (limits && total > limits.upload_bytes) return failed(new Error(`This is ${bytes(total)}, and ${bytes(limits.upload_bytes)} is the most: choose less, or train on it from a terminal.`));
    const signal = anew();
    chooser.root.hidden = true;
    working("Sending…");
    bar.hidden = false;
    try {
      const id = await upload(files, { signal, progress: (sent, all, path) => {
        bar.value = all ? sent / all : 1;
        status.textContent = `Sending ${path} · ${bytes(sent)} of ${bytes(all)}`;
      } });
      bar.hidden = true;
      const first = files[0].path.split("/")[0];
      choose({ upload: id }, files.length === 1 ? files[0].path : `${first}${files[0].path.includes("/") ? "" : " and others"} · ${whole(files.length)} files`);
    } catch (error) {
      if (!source) chooser.root.hidden = false;
      failed(/** @type {Error} */ (error), () => send(files));
    }
  }

  /** Let the server look at the text, with the settings as they are now. */
  async function look() {
    if (!source || (kind !== "chat" && !settings.valid())) return;
    const signal = anew();
    working(looking());
    try {
      const started = await startJob("preview", source, order());
      if (signal.aborted) return void cancelJob(started.id).catch(() => {});
      job = started.id;
      shell.store.set({ job }, { push: false });
      await followJob(job, hear, signal);
    } catch (error) {
      if (!signal.aborted) failed(/** @type {Error} */ (error), look);
    }
  }

  function learnAsText() {
    become("text");
    look();
  }

  const looking = () => (kind === "chat" ? "Looking at the chat…" : "Looking at the text…");

  /** @param {Job} told of a preview */
  function hear(told) {
    drawLog(told.log);
    const noChat = !!told.problem?.includes("--format text"); // as where one person wrote
    if (told.state !== "running") see(!noChat);
    if (told.state === "running") status.textContent = `${looking()} ${kind === "chat" ? "" : (told.log.at(-1) ?? "")}`;
    else if (told.question) askBack(told.question);
    else if (noChat) failed(new Error(told.problem ?? ""), learnAsText, "Learn it as plain text");
    else if (told.state === "failed") failed(new Error(told.problem ?? "The look at the text failed and did not say why."), look);
    else if (told.state === "cancelled") working("");
    else if (told.result.chat) hearOfChat(told.result);
    else {
      working("");
      settings.suggest({ ...told.result.model, ...told.result.training, vocab_size: told.result.model.vocab_size });
      if (heading.textContent === UNNAMED) heading.textContent = told.result.name;
      fill(forecast, forecastOf(told.result));
      fill(report, reportOf(told.result));
      announce("The report is there.");
    }
  }

  /** @param {import("./chat-report.js").ChatPreview} found */
  function hearOfChat(found) {
    working("");
    chat.update();
    chat.show(found);
    become("chat");
    fill(forecast, found.outlook && outlookOf(found.outlook));
    fill(report, chatReport(found));
    announce(found.outlook ? "The forecast is there." : "The report on the chat is there.");
  }

  /** Dates that can be read in several ways: the reader says which is right. @param {import("./chat-report.js").Question} question */
  function askBack({ place, date_order }) {
    working("");
    become("chat");
    problem.hidden = false;
    fill(problem, el("p", {}, `${place} can be read in ${date_order.length === 2 ? "two" : "several"} ways. Which is right?`),
      el("div", { class: "buttons" }, date_order.map(({ order, words, date }) => el("button", { type: "button", "data-testid": `dates-${order}`, onclick: () => {
        chat.readDates(order);
        look();
      } }, `${date} (${words})`))));
  }

  /** @param {string[]} lines */
  function drawLog(lines) {
    logHolder.hidden = lines.length === 0;
    log.textContent = lines.join("\n");
    log.scrollTop = log.scrollHeight;
  }

  async function begin() {
    if (!source || !valid()) return;
    const signal = anew();
    starting = true;
    see(seen);
    working("Starting the training…");
    try {
      const started = await (kind === "chat"
        ? startJob("finetune", source, order(), chat.name())
        : startJob("train", source, { settings: settings.values() }, settings.name()));
      job = started.id;
      shell.store.set({ job }, { push: false });
      await attend(job, signal);
    } catch (error) {
      if (!signal.aborted) failed(/** @type {Error} */ (error), begin);
    }
    starting = false;
    see(seen);
  }

  /** Wait for the run that a training makes, and go there. @param {string} id @param {AbortSignal} signal */
  async function attend(id, signal) {
    await followJob(id, (told) => {
      drawLog(told.log);
      if (told.run) {
        reset();
        shell.store.set({ run: told.run, step: "best", job: "" });
        shell.refresh().catch(() => {});
        return true;
      }
      if (told.state === "running") status.textContent = `Starting the training… ${told.log.at(-1) ?? ""}`;
      else failed(new Error(told.problem ?? "The training ended before it began, and did not say why."), source ? begin : undefined);
      return false;
    }, signal);
  }

  /** Come back to a job that was begun before this page was opened. @param {string} id */
  async function restore(id) {
    const signal = anew();
    job = id;
    see(false);
    try {
      const known = await readJob(id, signal);
      if (signal.aborted) return;
      if (known.source) {
        source = known.source;
        heading.textContent = known.result?.name ?? ("corpus" in known.source ? known.source.corpus : UNNAMED);
        if (known.chat && known.chat.format !== "text") {
          become("chat");
          chat.restore(known.chat, known.settings ?? {});
        } else {
          become(known.chat ? "text" : "");
          settings.restore(known.settings ?? {});
        }
        chooser.root.hidden = true;
        decide.hidden = false;
      }
      if (known.kind !== "preview") {
        starting = true;
        see(seen);
        working("Starting the training…");
        await attend(id, signal).finally(() => {
          starting = false;
          see(true);
        });
        return;
      }
      working(looking());
      await followJob(id, hear, signal);
    } catch (error) {
      if (signal.aborted) return;
      const lost = error instanceof api.ApiError && error.status === 404;
      job = "";
      if (lost) shell.store.set({ job: "new" }, { push: false });
      failed(lost ? new Error("The server has started anew and has forgotten that look at the text: choose the text again.") : /** @type {Error} */ (error));
    }
  }

  return {
    root,
    /** @param {string} id the URL's job: "new", or the name of one */
    update(id) {
      chooser.update(shell.session()?.corpora ?? []);
      chat.update();
      const given = shell.session() ? shell.taken() : null;
      if (given) {
        reset();
        send(given);
        return;
      }
      if (id && id !== "new" && id !== job && shell.session()) restore(id);
    },
  };
}
