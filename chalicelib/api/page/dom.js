// Builds elements without markup in strings, so that names and replies always stay text.

export const byId = (id) => document.getElementById(id);

/** Create an element. Properties such as `onclick` add listeners; names that are not DOM properties become attributes. */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name in made) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** Return one of the icons defined at the top of `page.html`. */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#icon-${name}`);
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}

/** Return a button with an icon only. Its label is for screen readers and the tooltip. */
export function iconButton(name, label, onclick) {
  return element("button", { type: "button", className: "icon-button", title: label, "aria-label": label, onclick }, icon(name));
}

export function plural(count, one, many = `${one}s`) {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}
