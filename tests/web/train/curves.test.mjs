import assert from "node:assert/strict";
import { test } from "node:test";
import { Curves } from "../../../src/pellucid/web/train/curves.js";

const step = (n, loss = 4 - n / 10) => ({ step: n, tokens: 100 * n, seconds: n / 2, rate: 0.1, loss, gradient_norm: 1, tokens_per_second: n === 1 ? 0 : 50 });
const evaluation = (n, dev = 3) => ({ step: n, tokens: 100 * n, seconds: n / 2, dev_loss: dev, train_sample_loss: 2.5, dev_bits_per_byte: 4, best: true });

function told(curves, from, to) {
  curves.addSteps(Array.from({ length: to - from + 1 }, (_, n) => step(from + n)));
}

test("a stream that begins anew doubles nothing", () => {
  const curves = new Curves();
  for (let again = 0; again < 3; again++) {
    told(curves, 1, 50);
    curves.addEvaluation(evaluation(25));
    curves.addEvaluation(evaluation(50));
    curves.addSample({ step: 25, text: "a" });
    curves.addSample({ step: 50, text: "b" });
  }
  assert.deepEqual(curves.steps.map((each) => each.step), Array.from({ length: 50 }, (_, n) => n + 1));
  assert.deepEqual([curves.evaluations.length, curves.samples.length], [2, 2]);
});

test("a training that goes on from an earlier step replaces what came after it", () => {
  const curves = new Curves();
  told(curves, 1, 50);
  curves.addStep(step(31, 9));
  assert.equal(curves.steps.length, 31);
  assert.equal(curves.steps.at(-1).loss, 9);
});

test("a curve has the values that were told, over what is chosen", () => {
  const curves = new Curves();
  told(curves, 1, 3);
  assert.deepEqual(curves.ofSteps("loss", "tokens").map(({ x, y }) => [x, y]), [[100, 3.9], [200, 3.8], [300, 3.7]]);
  assert.deepEqual(curves.ofSteps("rate", "seconds").map(({ x }) => x), [0.5, 1, 1.5]);
  assert.equal(curves.ofSteps("tokens_per_second", "step").length, 2, "a speed of 0 was not measured");
});

test("what was not measured, or is no number, is not drawn", () => {
  const curves = new Curves();
  curves.addEvaluation(evaluation(0, null));
  curves.addEvaluation(evaluation(5, 2));
  curves.addSteps([step(1, NaN), step(2, Infinity), step(3)]);
  assert.deepEqual(curves.ofEvaluations("dev_loss", "step").map(({ x, y }) => [x, y]), [[5, 2]]);
  assert.equal(curves.ofEvaluations("train_sample_loss", "step").length, 2);
  assert.deepEqual(curves.ofEvaluations("finetune_loss", "step"), []);
  assert.equal(curves.ofSteps("loss", "step").length, 1);
});

test("cleared, nothing is left", () => {
  const curves = new Curves();
  told(curves, 1, 3);
  curves.clear();
  assert.deepEqual([curves.steps, curves.evaluations, curves.samples], [[], [], []]);
});
