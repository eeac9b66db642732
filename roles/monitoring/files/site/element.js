// Elements out of names, attributes and text. Text stays text: nothing that Prometheus says is ever read as HTML.

const SVG = "http://www.w3.org/2000/svg";

function filledIn(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, String(value));
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
  return made;
}

/** An element of HTML. */
export const element = (tag, attributes = {}, ...children) =>
  filledIn(document.createElement(tag), attributes, children);

/** An element of SVG. */
export const drawn = (tag, attributes = {}, ...children) =>
  filledIn(document.createElementNS(SVG, tag), attributes, children);

const SIGNS = { good: "●", calm: "◆", warn: "▲", bad: "■", none: "○" };
const WORDS = { good: "good", calm: "as it should", warn: "warning", bad: "bad", none: "unknown" };

/** A sign for a tone: its shape says what its colour says. */
export const sign = (tone) =>
  tone ? element("span", { class: `sign ${tone}`, role: "img", "aria-label": WORDS[tone] }, SIGNS[tone]) : null;
