// @ts-check
/** Pictures as files: PNG of a canvas, SVG of a drawing, each with title, stamp and legend. */
import { svg, token } from "../base/dom.js";

/**
 * @typedef {Object} Caption
 * @property {string} title
 * @property {string} stamp
 * @property {string} [legend]  what the colours or lengths mean
 * @property {import("../base/scale.js").ColourScale} [colours]  drawn as a strip below the picture
 * @property {[number, string][]} [marks]  numbers on that strip
 */

const MARGIN = 24;
const HEAD = 64;
const FOOT = 44;
const STRIP = 44;
const LINE = 18;
/** A letter of 13 px, about, where nothing can be measured. */
const LETTER = 6.3;

/** @param {Blob} blob @param {string} name */
function download(blob, name) {
  const address = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/** @param {Caption} caption @param {string} suffix */
function fileName(caption, suffix) {
  const words = `${caption.title} ${caption.stamp}`
    .normalize("NFKD")
    .replace(/[^\w-]+/g, "-")
    .replace(/^-+|-+$/g, "");
  return `${words.toLowerCase().slice(0, 80)}.${suffix}`;
}

/** A canvas with a title above and stamp and legend below; at the picture's own pixels.
 * @param {HTMLCanvasElement} picture @param {Caption} caption @param {number} [ratio] pixels of the picture to one of CSS */
export function framed(picture, caption, ratio = window.devicePixelRatio || 1) {
  const canvas = document.createElement("canvas");
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const sans = token("sans");
  const width = Math.max(picture.width / ratio, 520);
  pen.font = `13px ${sans}`;
  const lines = wrap((text) => pen.measureText(text).width, caption.legend ?? "", width);
  const strip = caption.colours ? STRIP : 0;
  canvas.width = (width + 2 * MARGIN) * ratio;
  canvas.height = (picture.height / ratio + HEAD + FOOT + strip + LINE * Math.max(lines.length - 1, 0)) * ratio;
  pen.scale(ratio, ratio);
  pen.fillStyle = token("paper");
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.fillStyle = token("ink");
  pen.font = `600 20px ${token("serif")}`;
  pen.fillText(caption.title, MARGIN, 38);
  pen.font = `13px ${sans}`;
  pen.fillStyle = token("ink-soft");
  pen.textAlign = "right";
  pen.fillText(caption.stamp, width + MARGIN, 38);
  pen.textAlign = "left";
  const below = HEAD + picture.height / ratio + 26;
  if (caption.colours) drawStrip(pen, caption.colours, caption.marks ?? [], MARGIN, below - 8);
  lines.forEach((line, i) => pen.fillText(line, MARGIN, below + strip + LINE * i));
  pen.setTransform(1, 0, 0, 1, 0, 0);
  pen.drawImage(picture, MARGIN * ratio, HEAD * ratio);
  return canvas;
}

/**
 * The scale's colours with their numbers.
 * @param {CanvasRenderingContext2D} pen
 * @param {import("../base/scale.js").ColourScale} colours
 * @param {[number, string][]} marks
 * @param {number} x
 * @param {number} y
 */
function drawStrip(pen, colours, marks, x, y) {
  const [width, ink] = [220, pen.fillStyle];
  for (let i = 0; i < width; i++) {
    pen.fillStyle = colours.css(colours.invert((i + 0.5) / width));
    pen.fillRect(x + i, y, 1.5, 10);
  }
  pen.fillStyle = ink;
  for (const [value, text] of marks) {
    const at = colours.share(value);
    pen.textAlign = at < 0.02 ? "left" : at > 0.98 ? "right" : "center";
    pen.fillText(text, x + at * width, y + 25);
  }
  pen.textAlign = "left";
}

/** @param {(text: string) => number} measure @param {string} text @param {number} width */
function wrap(measure, text, width) {
  /** @type {string[]} */
  const lines = [];
  for (const word of text.split(" ").filter(Boolean)) {
    const last = lines[lines.length - 1];
    if (last !== undefined && measure(`${last} ${word}`) <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

/** @param {HTMLCanvasElement} picture @param {Caption} caption */
export function savePng(picture, caption) {
  framed(picture, caption).toBlob((blob) => blob && download(blob, fileName(caption, "png")), "image/png");
}

/** What a drawing takes from the page's styles and must carry with it in a file. */
const CARRIED = [
  "fill",
  "fill-opacity",
  "stroke",
  "stroke-width",
  "stroke-dasharray",
  "stroke-linecap",
  "opacity",
  "font-family",
  "font-size",
  "font-weight",
  "text-anchor",
  "dominant-baseline",
  "white-space",
];

/**
 * A drawing, with its width and height as attributes, as a file of its own: styles written into it, title and stamp
 * above, legend below.
 * @param {SVGSVGElement} picture @param {Caption} caption
 */
export function standalone(picture, caption) {
  const copy = /** @type {SVGSVGElement} */ (picture.cloneNode(true));
  const [from, to] = [
    [picture, ...picture.querySelectorAll("*")],
    [copy, ...copy.querySelectorAll("*")],
  ];
  from.forEach((element, i) => {
    const style = getComputedStyle(element);
    for (const name of CARRIED) {
      const value = style.getPropertyValue(name);
      if (value) to[i].setAttribute(name, value);
    }
    to[i].removeAttribute("class");
    to[i].removeAttribute("tabindex");
  });
  const [wide, height] = [Number(picture.getAttribute("width")), Number(picture.getAttribute("height"))];
  const width = Math.max(wide, 520);
  const lines = wrap((text) => text.length * LETTER, caption.legend ?? "", width);
  const whole = height + HEAD + FOOT + LINE * Math.max(lines.length - 1, 0);
  copy.setAttribute("x", String(MARGIN));
  copy.setAttribute("y", String(HEAD));
  copy.removeAttribute("style");
  const [sans, ink, soft] = [token("sans"), token("ink"), token("ink-soft")];
  return svg(
    "svg",
    {
      xmlns: "http://www.w3.org/2000/svg",
      width: width + 2 * MARGIN,
      height: whole,
      viewBox: `0 0 ${width + 2 * MARGIN} ${whole}`,
    },
    svg("rect", { width: "100%", height: "100%", fill: token("paper") }),
    svg(
      "text",
      { x: MARGIN, y: 38, fill: ink, "font-family": token("serif"), "font-size": 20, "font-weight": 600 },
      caption.title,
    ),
    svg(
      "text",
      { x: width + MARGIN, y: 38, fill: soft, "font-family": sans, "font-size": 13, "text-anchor": "end" },
      caption.stamp,
    ),
    copy,
    ...lines.map((line, i) =>
      svg(
        "text",
        { x: MARGIN, y: HEAD + height + 26 + LINE * i, fill: soft, "font-family": sans, "font-size": 13 },
        line,
      ),
    ),
  );
}

/** @param {SVGSVGElement} picture @param {Caption} caption */
export function saveSvg(picture, caption) {
  const text = new XMLSerializer().serializeToString(standalone(picture, caption));
  download(new Blob([text], { type: "image/svg+xml" }), fileName(caption, "svg"));
}
