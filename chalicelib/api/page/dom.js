// Builds elements without markup in strings, so that names and replies always stay text.

const SVG = "http://www.w3.org/2000/svg";

export const byId = (id) => document.getElementById(id);
export const write = (id, text) => (byId(id).textContent = text);
export const onClick = (id, listener) => byId(id).addEventListener("click", listener);

/**
 * Create an element from its tag and classes, such as `p.quiet`. Properties such as `onclick` add listeners; names that
 * are not DOM properties become attributes.
 */
export function element(tag, properties = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const made = document.createElement(name);
  made.classList.add(...classes);
  // Only the buttons of the page's own forms send one.
  if (name === "button") made.type = "button";
  for (const [property, value] of Object.entries(properties)) {
    if (property.startsWith("on")) made.addEventListener(property.slice(2), value);
    else if (property in made) made[property] = value;
    else made.setAttribute(property, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** Create an element of a drawing. */
export function drawing(tag, attributes, ...children) {
  const made = document.createElementNS(SVG, tag);
  Object.entries(attributes).forEach(([name, value]) => made.setAttribute(name, value));
  made.append(...children);
  return made;
}

/** Return one of the icons defined at the top of `page.html`. */
export function icon(name) {
  return drawing("svg", { class: "icon", viewBox: "0 0 24 24", "aria-hidden": true }, drawing("use", { href: `#icon-${name}` }));
}

/** Return a button with an icon only. Its title is also its name for screen readers. */
export const iconButton = (name, title, onclick) => element("button.icon-button", { title, onclick }, icon(name));

/** Return list items that stand for the rows of a reply that is awaited. */
export const skeletons = (length) => Array.from({ length }, () => element("li.skeleton", { "aria-hidden": true }));

/** Open a dialog. Resolves to its return value when it is closed. */
export function answered(dialog) {
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true }));
}

export const number = (value) => value.toLocaleString("en");
export const plural = (count, one, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`;
