// @ts-check
/**
 * What a training has said so far, as the page keeps it: steps, evaluations and samples, each once and in order.
 *
 * A training that was resumed goes back to its last checkpoint and tells again what it does from there. And a stream that
 * broke may begin anew. One rule serves both: what is told of a step replaces what was known of it and of later ones.
 * No browser in here.
 */

/**
 * @typedef {{ step: number, tokens: number, seconds: number, rate: number, loss: number, gradient_norm: number,
 *   tokens_per_second: number }} Step
 * @typedef {{ step: number, tokens: number, seconds: number, dev_loss: number | null, train_sample_loss: number,
 *   dev_bits_per_byte: number | null, best: boolean, finetune_loss?: number | null }} Evaluation
 * @typedef {{ step: number, text: string }} Sample
 * @typedef {"tokens" | "step" | "seconds"} Along
 */

export class Curves {
  /** @type {Step[]} */
  steps = [];
  /** @type {Evaluation[]} */
  evaluations = [];
  /** @type {Sample[]} */
  samples = [];

  clear() {
    this.steps = [];
    this.evaluations = [];
    this.samples = [];
  }

  /** @param {Step} step */
  addStep(step) {
    put(this.steps, step);
  }

  /** @param {Step[]} steps */
  addSteps(steps) {
    for (const step of steps) this.addStep(step);
  }

  /** @param {Evaluation} evaluation */
  addEvaluation(evaluation) {
    put(this.evaluations, evaluation);
  }

  /** @param {Sample} sample */
  addSample(sample) {
    put(this.samples, sample);
  }

  /**
   * One value of the steps, over what is chosen.
   *
   * @param {"loss" | "rate" | "gradient_norm" | "tokens_per_second"} name
   * @param {Along} along
   */
  ofSteps(name, along) {
    return this.steps
      .filter((step) => Number.isFinite(step[name]) && (name !== "tokens_per_second" || step[name] > 0)) // 0: not measured
      .map((step) => ({ x: step[along], y: step[name], step: step.step }));
  }

  /**
   * One value of the evaluations, where it was measured.
   *
   * @param {"dev_loss" | "train_sample_loss" | "finetune_loss"} name
   * @param {Along} along
   */
  ofEvaluations(name, along) {
    /** @type {{ x: number, y: number, step: number, best: boolean }[]} */
    const points = [];
    for (const evaluation of this.evaluations) {
      const y = evaluation[name];
      if (typeof y === "number" && Number.isFinite(y)) {
        points.push({ x: evaluation[along], y, step: evaluation.step, best: evaluation.best });
      }
    }
    return points;
  }
}

/**
 * Put a record at its place; later ones are dropped, for they are told again.
 *
 * @template {{ step: number }} R
 * @param {R[]} records by rising step; changed
 * @param {R} record
 */
function put(records, record) {
  while (records.length && records[records.length - 1].step >= record.step) records.pop();
  records.push(record);
}
