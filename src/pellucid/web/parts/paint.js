// @ts-check
/**
 * A drawing in SVG painted on a canvas, for PNG files: the content policy of the page lets no picture be made from
 * anything but the server, so that the shapes are painted one by one. Knows the shapes that this page draws.
 */

/** @param {SVGSVGElement} picture @param {number} [ratio] pixels of the canvas to one of CSS @returns {HTMLCanvasElement} */
export function painted(picture, ratio = window.devicePixelRatio || 1) {
  const { width, height } = picture.getBoundingClientRect();
  const canvas = document.createElement("canvas");
  canvas.width = Math.ceil(width * ratio);
  canvas.height = Math.ceil(height * ratio);
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  pen.scale(ratio, ratio);
  for (const shape of picture.querySelectorAll("line, path, circle, rect, text")) paint(shape, pen);
  return canvas;
}

/** @param {Element} shape @param {CanvasRenderingContext2D} pen */
function paint(shape, pen) {
  const style = getComputedStyle(shape);
  if (style.display === "none") return;
  pen.save();
  pen.globalAlpha = Number(style.opacity);
  pen.fillStyle = style.fill;
  pen.strokeStyle = style.stroke;
  pen.lineWidth = parseFloat(style.strokeWidth);
  pen.lineJoin = /** @type {CanvasLineJoin} */ (style.strokeLinejoin);
  pen.lineCap = /** @type {CanvasLineCap} */ (style.strokeLinecap);
  if (style.strokeDasharray !== "none") pen.setLineDash(style.strokeDasharray.split(/[ ,]+/).map(parseFloat));
  if (shape.localName === "text") write(shape, style, pen);
  else {
    const path = outline(shape);
    if (style.fill !== "none" && shape.localName !== "line") pen.fill(path);
    if (style.stroke !== "none") pen.stroke(path);
  }
  pen.restore();
}

/** @param {Element} shape */
function outline(shape) {
  const number = (/** @type {string} */ name) => Number(shape.getAttribute(name) ?? 0);
  if (shape.localName === "path") return new Path2D(shape.getAttribute("d") ?? "");
  const path = new Path2D();
  if (shape.localName === "circle") path.arc(number("cx"), number("cy"), number("r"), 0, 2 * Math.PI);
  else if (shape.localName === "rect") path.rect(number("x"), number("y"), number("width"), number("height"));
  else {
    path.moveTo(number("x1"), number("y1"));
    path.lineTo(number("x2"), number("y2"));
  }
  return path;
}

/** @param {Element} shape @param {CSSStyleDeclaration} style @param {CanvasRenderingContext2D} pen */
function write(shape, style, pen) {
  pen.font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
  pen.textAlign = style.textAnchor === "end" ? "right" : style.textAnchor === "middle" ? "center" : "left";
  pen.textBaseline = style.dominantBaseline === "middle" || style.dominantBaseline === "central" ? "middle" : "alphabetic";
  pen.fillText(shape.textContent ?? "", Number(shape.getAttribute("x")), Number(shape.getAttribute("y")));
}
