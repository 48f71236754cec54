import assert from "node:assert/strict";
import { test } from "node:test";
import { createStore, DEFAULTS, formatHash, parseHash } from "../../../src/pellucid/web/base/store.js";

/** A window as far as the store needs one. */
function fakeWindow(hash = "") {
  const listeners = {};
  const entries = [hash];
  let here = 0;
  const host = {
    location: { hash, pathname: "/", search: "" },
    history: {
      pushState: (_data, _title, address) => {
        entries.splice(++here, Infinity, new URL(address, "http://x").hash);
        host.location.hash = entries[here];
      },
      replaceState: (_data, _title, address) => {
        entries[here] = new URL(address, "http://x").hash;
        host.location.hash = entries[here];
      },
    },
    addEventListener: (type, listener) => void (listeners[type] = listener),
    entries,
    back: () => {
      host.location.hash = entries[--here];
      listeners.popstate();
    },
  };
  return host;
}

test("the defaults need no hash, and an empty hash gives them", () => {
  assert.equal(formatHash(DEFAULTS), "#");
  assert.deepEqual(parseHash(""), { ...DEFAULTS });
});

test("every field survives the way into the address and back", () => {
  const state = {
    place: "chat", view: "attention", run: "a b/ü", step: "120", prompt: "“Hé” &=#+%\n\t 🙂", token: 3, layer: 0, head: 7,
    query: 4, key: 2, scale: "none", mask: "causal", map: "scores", row: 0, temperature: 1.25, top_k: 0, top_p: 0.9,
    min_p: 0.05, chat: "abc-1", job: "j7",
  };
  assert.deepEqual(Object.keys(state).sort(), Object.keys(DEFAULTS).sort());
  assert.deepEqual(parseHash(formatHash(state)), state);
});

test("an empty prompt is a prompt, and none is none", () => {
  assert.equal(parseHash(formatHash({ ...DEFAULTS, prompt: "" })).prompt, "");
  assert.equal(parseHash(formatHash({ ...DEFAULTS, prompt: null })).prompt, null);
});

test("what is malformed gets its default", () => {
  const state = parseHash("#place=nowhere&layer=x&head=-7&token=1.5&temperature=99&top_p=&mask=all&zzz=1&row=NaN");
  assert.deepEqual(state, { ...DEFAULTS });
});

test("views and runs are steps of Back; typing and picking are not", () => {
  const host = fakeWindow();
  const store = createStore(host);
  store.set({ view: "attention" });
  store.set({ prompt: "a" });
  store.set({ prompt: "ab", token: 1 });
  assert.equal(host.entries.length, 2);
  store.set({ layer: 2, head: 1 });
  assert.equal(host.entries.length, 3);
  host.back();
  assert.equal(store.get().layer, -1);
  assert.equal(store.get().prompt, "ab");
  host.back();
  assert.equal(store.get().view, DEFAULTS.view);
});

test("watchers hear which fields changed, and nothing when none did", () => {
  const store = createStore(fakeWindow("#run=x"));
  const heard = [];
  const stop = store.watch((_state, changed) => heard.push([...changed].sort()));
  store.set({ run: "y", token: 2 });
  store.set({ run: "y" });
  stop();
  store.set({ run: "z" });
  assert.deepEqual(heard, [["run", "token"]]);
});
