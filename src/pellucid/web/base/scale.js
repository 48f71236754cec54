// @ts-check
/**
 * From numbers to colours and positions, and numbers as people read them. No browser in here.
 *
 * Two scales of colour: sequential (probabilities, counts; from paper to deep water) and diverging (signed numbers;
 * from amber through the paper to blue, told apart by every kind of colour vision). Both change lightness in one
 * direction only, and both are made for the theme, so that nothing always looks like the background.
 */

/** @typedef {[number, number, number]} Rgb  red, green, blue, 0–255 */

/**
 * Colour stops by theme, from nothing to all.
 * @type {Record<"light" | "dark", {sequential: Rgb[], diverging: Rgb[]}>}
 */
const STOPS = {
  light: {
    sequential: [
      [246, 243, 236],
      [203, 225, 221],
      [132, 190, 190],
      [58, 141, 150],
      [16, 92, 108],
      [7, 47, 66],
    ],
    diverging: [
      [140, 70, 0],
      [205, 132, 51],
      [238, 207, 164],
      [246, 243, 236],
      [171, 200, 229],
      [76, 136, 194],
      [17, 72, 130],
    ],
  },
  dark: {
    sequential: [
      [27, 32, 38],
      [22, 62, 72],
      [22, 99, 108],
      [45, 144, 148],
      [121, 196, 191],
      [226, 246, 240],
    ],
    diverging: [
      [255, 196, 120],
      [205, 130, 50],
      [105, 72, 40],
      [27, 32, 38],
      [38, 74, 112],
      [75, 142, 205],
      [170, 212, 255],
    ],
  },
};

/** @param {Rgb[]} stops @param {number} share 0–1 @returns {Rgb} */
function between(stops, share) {
  const place = Math.min(Math.max(share, 0), 1) * (stops.length - 1);
  const low = Math.min(Math.floor(place), stops.length - 2);
  const [a, b] = [stops[low], stops[low + 1]];
  return /** @type {Rgb} */ (a.map((from, i) => Math.round(from + (b[i] - from) * (place - low))));
}

/** How a number in a domain becomes a share of the colours: small probabilities would vanish on a straight scale. */
export const SHAPES = {
  linear: (/** @type {number} */ x) => x,
  root: (/** @type {number} */ x) => Math.sqrt(x),
};

/**
 * A scale of colours over a fixed domain.
 * @param {{kind: "sequential" | "diverging", domain: [number, number], theme: "light" | "dark",
 *   shape?: "linear" | "root" | "log"}} options
 *   a "log" shape takes counts: 0 is nothing, then log(1 + count) up to the domain's end
 */
export function colourScale({ kind, domain: [low, high], theme, shape = "linear" }) {
  const table = Array.from({ length: 256 }, (_, i) => between(STOPS[theme][kind], i / 255));
  /** @param {number} value @returns {number} 0–1 */
  const share = (value) => {
    if (shape === "log") return high > 0 ? Math.log1p(Math.max(value, 0)) / Math.log1p(high) : 0;
    const straight = high > low ? Math.min(Math.max((value - low) / (high - low), 0), 1) : 0;
    return SHAPES[shape](straight);
  };
  /** The number at a share of the colours, by halving: every shape only grows. @param {number} at */
  const invert = (at) => {
    let [from, to] = [low, high];
    for (let i = 0; i < 40; i++) {
      const middle = (from + to) / 2;
      if (share(middle) < at) from = middle;
      else to = middle;
    }
    return (from + to) / 2;
  };
  /** @param {number} value @returns {Rgb} */
  const rgb = (value) => table[Math.round(Math.min(Math.max(share(value), 0), 1) * 255)];
  return {
    kind,
    domain: /** @type {[number, number]} */ ([low, high]),
    shape,
    share,
    invert,
    rgb,
    css: (/** @type {number} */ value) => `rgb(${rgb(value).join(" ")})`,
  };
}

/** @typedef {ReturnType<typeof colourScale>} ColourScale */

/**
 * Whether black or white ink is read better on a colour; the better of the two always has a contrast of 4.5 or more.
 * @param {Rgb} colour
 * @returns {"dark" | "light"}
 */
export function inkOn(colour) {
  const [r, g, b] = colour.map((part) => (part <= 10 ? part / 3294.6 : ((part / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "dark" : "light"; // where both contrasts are the same
}

/**
 * A straight scale from a domain to positions.
 * @param {[number, number]} domain @param {[number, number]} range
 */
export function linear([d0, d1], [r0, r1]) {
  return (/** @type {number} */ value) => (d1 === d0 ? r0 : r0 + ((value - d0) / (d1 - d0)) * (r1 - r0));
}

/**
 * Round numbers, about `n` of them, that lie in a domain.
 * @param {[number, number]} domain
 * @param {number} [n]
 * @returns {number[]}
 */
export function ticks([low, high], n = 5) {
  if (!(high > low)) return [low];
  const rough = (high - low) / n;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5].find((m) => m * power >= rough) ?? 10) * power;
  const places = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++)
    found.push(Number((i * step).toFixed(places)));
  return found;
}

/**
 * A symmetric domain with a round end that holds all these numbers.
 * @param {Iterable<number>} values
 * @returns {[number, number]}
 */
export function symmetric(values) {
  let most = 0;
  for (const value of values) if (Number.isFinite(value)) most = Math.max(most, Math.abs(value));
  const power = 10 ** Math.floor(Math.log10(most || 1));
  const end = ([1, 2, 5, 10].find((m) => m * power >= most) ?? 10) * power;
  return [-end, end];
}

const WHOLE = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

/** 1,234,567. @param {number} n */
export const whole = (n) => WHOLE.format(n);

/** 1,234 → "1.2k", for narrow places. @param {number} n */
export function short(n) {
  for (const [size, suffix] of /** @type {[number, string][]} */ ([
    [1e12, "T"],
    [1e9, "G"],
    [1e6, "M"],
    [1e3, "k"],
  ])) {
    if (Math.abs(n) >= size * 0.9995) return `${significant(n / size, 3)}${suffix}`;
  }
  return significant(n, 3);
}

/** Bytes in units of 1,000. @param {number} n */
export const bytes = (n) =>
  `${short(n)
    .replace(/([TGM])$/, " $1")
    .replace(/k$/, " k")}${Math.abs(n) >= 999.5 ? "B" : " bytes"}`;

/**
 * At most so many significant digits, never an exponent for common sizes.
 * @param {number} n
 * @param {number} [digits]
 */
export function significant(n, digits = 3) {
  if (!Number.isFinite(n)) return String(n).replace("-", "−").replace("Infinity", "∞");
  if (n === 0) return "0";
  const size = Math.abs(n);
  const text = size >= 1e-4 && size < 1e9 ? String(Number(n.toPrecision(digits))) : n.toExponential(digits - 1);
  return text.replaceAll("-", "−");
}

/** A probability for reading: "12.3%", "0.04%", "<0.001%". @param {number} p */
export function percent(p) {
  if (p === 0) return "0%";
  if (p < 1e-5) return "<0.001%";
  return `${Number((p * 100).toPrecision(3))}%`;
}

/** Signed, with a real minus: "+0.021". @param {number} n @param {number} [places] */
export function signed(n, places = 3) {
  const text = Math.abs(n).toFixed(places);
  return `${n < 0 ? "−" : "+"}${text}`;
}

/** All the digits of a float32, so that what is read back is the same number. @param {number} n */
export const exact = (n) => String(n);
