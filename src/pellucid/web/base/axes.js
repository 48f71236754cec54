// @ts-check
/** Straight and logarithmic axes: values to places and back, and round values to mark on them. No browser in here. */
import { ticks as straightTicks } from "./scale.js";

/** @typedef {"linear" | "log"} AxisKind */
/** @typedef {{ kind: AxisKind, low: number, high: number, from: number, to: number }} Axis */

/**
 * An axis from `low`..`high` in values to `from`..`to` in pixels. An empty or single-valued range is widened, so that
 * every value has a place; a logarithmic axis begins above zero.
 * @param {AxisKind} kind @param {number} low @param {number} high @param {number} from @param {number} to
 * @returns {Axis}
 */
export function makeAxis(kind, low, high, from, to) {
  if (!(Number.isFinite(low) && Number.isFinite(high))) [low, high] = [0, 1];
  if (kind === "log") {
    high = high > 0 ? high : 1;
    low = low > 0 ? low : high / 1000;
    return low === high ? { kind, low: low / 2, high: high * 2, from, to } : { kind, low, high, from, to };
  }
  if (low !== high) return { kind, low, high, from, to };
  const margin = Math.abs(low) * 0.05 || 1;
  return { kind, low: low - margin, high: high + margin, from, to };
}

/**
 * Where a value stands, in pixels. On a logarithmic axis what is below its beginning stands there.
 * @param {Axis} axis @param {number} value
 */
export function place({ kind, low, high, from, to }, value) {
  const share = kind === "log" ? Math.log(Math.max(value, low) / low) / Math.log(high / low) : (value - low) / (high - low);
  return from + share * (to - from);
}

/** The value that stands at a place: the inverse of `place`. @param {Axis} axis @param {number} pixel */
export function valueAt({ kind, low, high, from, to }, pixel) {
  const share = (pixel - from) / (to - from);
  return kind === "log" ? low * (high / low) ** share : low + share * (high - low);
}

/**
 * Round values to mark on an axis, about `about` of them, all within it.
 * @param {Axis} axis @param {number} [about]
 * @returns {number[]}
 */
export function marks(axis, about = 5) {
  if (axis.kind === "linear") return straightTicks([axis.low, axis.high], about);
  const found = powers(axis, about);
  return found.length >= 3 ? found : straightTicks([axis.low, axis.high], about).filter((mark) => mark > 0);
}

/** Powers of ten, and 2 and 5 times them where there is room. @param {Axis} axis @param {number} about */
function powers({ low, high }, about) {
  const decades = Math.log10(high / low);
  const factors = decades * 3 <= about * 1.5 ? [1, 2, 5] : [1];
  const apart = Math.max(1, Math.ceil(decades / about));
  const found = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
    if (factors.length === 1 && power % apart !== 0) continue;
    for (const factor of factors) {
      const mark = Number((factor * 10 ** power).toPrecision(12));
      if (mark >= low * (1 - 1e-9) && mark <= high * (1 + 1e-9)) found.push(mark);
    }
  }
  return found;
}

/** Seconds as a clock says them: "0.5 s", "14 s", "3 min 5 s", "2 h 10 min". @param {number} seconds */
export function duration(seconds) {
  const total = Math.max(0, Math.round(seconds));
  const [hours, minutes, rest] = [Math.floor(total / 3600), Math.floor(total / 60) % 60, total % 60];
  if (hours) return minutes ? `${hours} h ${minutes} min` : `${hours} h`;
  if (minutes) return rest ? `${minutes} min ${rest} s` : `${minutes} min`;
  return seconds > 0 && seconds < 10 ? `${Number(seconds.toPrecision(2))} s` : `${rest} s`;
}
