import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const WEB = fileURLToPath(new URL("../../src/pellucid/web", import.meta.url));
const MAY = {
  base: ["base"],
  parts: ["parts", "base"],
  look: ["look", "parts", "base"],
  train: ["train", "parts", "base"],
  chat: ["chat", "parts", "base"],
};

test("the rooms of the page import one way only", () => {
  let seen = 0;
  for (const [room, allowed] of Object.entries(MAY)) {
    for (const name of readdirSync(join(WEB, room)).filter((each) => each.endsWith(".js"))) {
      for (const [, address] of readFileSync(join(WEB, room, name), "utf8").matchAll(/(?:from |import\()"([^"]+)"/g)) {
        const other = relative(WEB, join(WEB, room, dirname(address))).split("/")[0];
        assert.ok(allowed.includes(other), `${room}/${name} imports ${address}`);
        seen++;
      }
    }
  }
  assert.ok(seen > 100);
});
