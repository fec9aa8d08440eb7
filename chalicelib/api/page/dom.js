// Elements made without markup in strings, so that whatever a name or a reply holds stays text.

export const byId = (id) => document.getElementById(id);

/** `properties`: `onclick` and its like add listeners; what is no property of the element becomes an attribute. */
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

/** One of the drawings at the top of the page. */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#icon-${name}`);
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}

/** A button that shows a drawing only; its label is for those who cannot see it, and for a mouse that rests on it. */
export function iconButton(name, label, onclick) {
  return element("button", { type: "button", className: "icon-button", title: label, "aria-label": label, onclick }, icon(name));
}

export function plural(count, one, many = `${one}s`) {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}
