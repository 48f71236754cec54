// @ts-check
/** Making elements. Text becomes text nodes and nothing else: markup in a corpus or a prompt is never read as markup. */

/** @typedef {Node | string | number | null | undefined | false} Child */
/**
 * @typedef {Record<string, any>} Props  attributes by name; `on…` are listeners, `class` the class, `dataset` and `style`
 *   (set through the CSSOM, which the content policy allows) are objects; null, undefined and false are left out
 */

/**
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Props} [props]
 * @param {...(Child | Child[])} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function el(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  decorate(element, props);
  append(element, children);
  return element;
}

/**
 * An SVG element.
 * @template {keyof SVGElementTagNameMap} T
 * @param {T} tag
 * @param {Props} [props]
 * @param {...(Child | Child[])} children
 * @returns {SVGElementTagNameMap[T]}
 */
export function svg(tag, props = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  decorate(element, props);
  append(element, children);
  return element;
}

/** @param {Element} element @param {Props} props */
function decorate(element, props) {
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on") && typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (name === "dataset")
      for (const [key, text] of Object.entries(value)) element.setAttribute(`data-${key}`, String(text));
    else if (name === "style") setStyle(/** @type {HTMLElement | SVGElement} */ (element), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
}

/** @param {HTMLElement | SVGElement} element @param {Record<string, string | number>} style */
export function setStyle(element, style) {
  for (const [name, value] of Object.entries(style)) element.style.setProperty(name, String(value));
}

/** @param {Element} element @param {(Child | Child[])[]} children */
function append(element, children) {
  for (const child of children.flat()) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

/** Replace all that an element holds. @param {Element} element @param {...(Child | Child[])} children */
export function fill(element, ...children) {
  element.replaceChildren();
  append(element, children);
}

/**
 * The value of a CSS custom property where the element stands, e.g. `ink` for `--ink`.
 * @param {string} name
 * @param {Element} [element]
 */
export function token(name, element = document.documentElement) {
  return getComputedStyle(element).getPropertyValue(`--${name}`).trim();
}

/** @param {string} text for screen readers, told politely */
export function announce(text) {
  const region = document.getElementById("announcer");
  // the same words again are another text, or they would not be told again
  if (region) region.textContent = region.textContent === text ? `${text}\u00a0` : text;
}

/**
 * Arrow keys, Home and End move the focus among the items of a group, of which one is a tab stop (roving tabindex).
 * @param {HTMLElement} group
 * @param {string} selector of the items in it
 * @param {(item: HTMLElement) => void} [chosen] called for the item that got the focus by a key
 */
export function roving(group, selector, chosen) {
  group.addEventListener("keydown", (event) => {
    const items = /** @type {HTMLElement[]} */ ([...group.querySelectorAll(selector)]);
    const here = items.indexOf(/** @type {HTMLElement} */ (/** @type {Element} */ (event.target).closest(selector)));
    if (here < 0) return;
    const next = {
      ArrowRight: here + 1,
      ArrowDown: here + 1,
      ArrowLeft: here - 1,
      ArrowUp: here - 1,
      Home: 0,
      End: items.length - 1,
    }[event.key];
    const item = next === undefined ? undefined : items[next];
    if (next === undefined) return;
    event.preventDefault();
    if (!item) return;
    for (const other of items) other.tabIndex = other === item ? 0 : -1;
    item.focus();
    chosen?.(item);
  });
}

/**
 * A function that waits until it has not been called for a while.
 * @template {any[]} A
 * @param {(...words: A) => void} work
 * @param {number} milliseconds
 */
export function debounce(work, milliseconds) {
  let timer = 0;
  /** @param {A} words */
  return (...words) => {
    clearTimeout(timer);
    timer = window.setTimeout(() => work(...words), milliseconds);
  };
}
