// @ts-check
/**
 * What is done to a line of points before it is drawn or read: thinned without losing an extreme, smoothed, searched.
 * No browser in here.
 */

/** @typedef {{ x: number, y: number }} Point */

/**
 * No more points than can be seen, in the same order: of each of `buckets` equal stretches of x the first, the last,
 * the lowest and the highest stay, so that no spike is ever lost and the ends are exact.
 *
 * @template {Point} P
 * @param {P[]} points by rising x
 * @param {number} buckets
 * @param {(x: number) => number} [along] what equal stretches are measured in; of a logarithmic axis, its logarithm
 * @returns {P[]}
 */
export function thin(points, buckets, along = (x) => x) {
  if (points.length <= 4 * buckets) return points;
  const begin = along(points[0].x);
  const width = (along(points[points.length - 1].x) - begin) / buckets || 1;
  /** @type {P[]} */
  const kept = [];
  let start = 0;
  while (start < points.length) {
    const bucket = Math.floor((along(points[start].x) - begin) / width);
    let [lowest, highest, end] = [start, start, start];
    while (end < points.length && Math.floor((along(points[end].x) - begin) / width) === bucket) {
      if (points[end].y < points[lowest].y) lowest = end;
      if (points[end].y > points[highest].y) highest = end;
      end += 1;
    }
    for (const index of [...new Set([start, lowest, highest, end - 1])].sort((a, b) => a - b)) kept.push(points[index]);
    start = end;
  }
  return kept;
}

/**
 * A moving average that gives earlier points geometrically less weight, corrected for its beginning (without the
 * correction it would start at zero, or hang on the first point).
 *
 * @template {Point} P
 * @param {P[]} points
 * @param {number} keep the weight of what came before, from 0 (no smoothing) to below 1
 * @returns {P[]}
 */
export function smooth(points, keep) {
  let [sum, weight] = [0, 0];
  return points.map((point) => {
    sum = keep * sum + (1 - keep) * point.y;
    weight = keep * weight + (1 - keep);
    return { ...point, y: sum / weight };
  });
}

/**
 * The index of the point whose x is nearest, or -1 where there is none.
 *
 * @param {{ x: number }[]} points by rising x
 * @param {number} x
 */
export function nearest(points, x) {
  let [low, high] = [0, points.length - 1];
  if (high < 0) return -1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (points[middle].x <= x) low = middle;
    else high = middle;
  }
  return Math.abs(points[low].x - x) <= Math.abs(points[high].x - x) ? low : high;
}

/**
 * The lowest and the highest of all values, without spreading them as arguments (which long lines would overflow).
 *
 * @param {Iterable<number>} values
 * @returns {[number, number]} NaN twice where there is none
 */
export function extent(values) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low <= high ? [low, high] : [NaN, NaN];
}
