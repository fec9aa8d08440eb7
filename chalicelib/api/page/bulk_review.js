// The review of many pictures: one row a picture, with its faces, its marks and its name.

import { flaws } from "./bulk_pictures.js";
import { element, plural } from "./dom.js";
import { asName } from "./names.js";
import { say } from "./notices.js";
import { imageOf } from "./picture.js";

/** Return a face with an input over it, a checkbox or a radio button, that selects the face. */
export function pick(face, label, reasons, properties) {
  const input = element("input", { "aria-label": [label, ...reasons].join(", "), ...properties });
  return element("label", { className: reasons.length ? "candidate poor" : "candidate" }, input, portrait(face));
}

export function nameField(label, properties) {
  const field = element("input", { "aria-label": label, maxLength: 255, autocomplete: "off", placeholder: "Name", ...properties });
  // The property cannot be written.
  field.setAttribute("list", "known");
  return field;
}

/** Return the rows of pictures as `{root, additions()}`. Calls `changed` when a selection changes. */
export function pictureRows(pictures, changed) {
  const wanted = () => pictures.filter((picture) => picture.wanted);
  const check = () => {
    all.checked = wanted().length === pictures.length;
    all.indeterminate = !all.checked && wanted().length > 0;
  };
  const update = () => {
    check();
    changed();
  };
  const all = element("input", {
    type: "checkbox",
    onchange: () => {
      rows.forEach((row) => row.want(all.checked));
      update();
    },
  });
  const rows = pictures.map((picture) => pictureRow(picture, update, (row) => offer(rows, row)));
  check();
  return {
    root: element(
      "div",
      { hidden: !rows.length },
      element("label.row", {}, all, "Select all"),
      element("ul", {}, ...rows.map(({ root }) => root)),
    ),
    additions: () => wanted().map((picture) => ({ picture, face: picture.faces[picture.chosen], name: picture.name })),
  };
}

const portrait = ({ thumbnail }) => imageOf(thumbnail, "img.crop", "");

function pictureRow(picture, update, renamed) {
  const { path, faces } = picture;
  const box = element("input", {
    type: "checkbox",
    "aria-label": `Add ${path}`,
    onchange: () => {
      want(box.checked);
      update();
    },
  });
  const face = element("span", {}, portrait(faces[picture.chosen]));
  const words = element("span.quality.poor");
  const field = nameField(`Name for ${path}`, {
    // The service takes white space alone for no name.
    pattern: ".*\\S.*",
    title: "A name",
    defaultValue: picture.name,
    oninput: () => {
      name(field.value);
      renamed(row);
    },
  });
  const choices = faces.map((one, index) =>
    pick(one, `Face ${index + 1} of ${faces.length} in ${path}`, one.quality.reasons, {
      type: "radio",
      name: faces[0].face_token,
      checked: index === picture.chosen,
      onchange: () => {
        picture.chosen = index;
        face.replaceChildren(portrait(one));
        draw();
      },
    }),
  );
  const draw = () => {
    box.checked = field.required = picture.wanted;
    const group = faces.length > 1 ? [`${faces.length} faces: the ${picture.chosen ? "chosen one" : "largest"} is added`] : [];
    words.textContent = [...group, ...flaws(picture)].join("; ");
  };
  const want = (wanted) => {
    picture.wanted = wanted;
    draw();
  };
  const name = (text) => Object.assign(picture, { name: asName(text), edited: true });
  const who = element("span.who", {}, element("strong", {}, path), words);
  const group = element("div.faces", { role: "radiogroup", "aria-label": `Faces in ${path}` }, ...choices);
  const row = { picture, field, draw, want, name, root: element("li", {}, box, face, who, field, faces.length > 1 ? group : null) };
  draw();
  return row;
}

/**
 * Offer a new name to the other pictures that had the same name, such as all of a folder. The button appears while the
 * user types: if it appeared later, it would move the button that the user is about to click.
 */
function offer(rows, row) {
  const { name } = row.picture;
  const before = row.field.defaultValue;
  const offered = row.root.querySelector(".link");
  rows.forEach(({ root, draw }) => {
    root.querySelector(".link")?.remove();
    // A copy may have another name now.
    draw();
  });
  const others = rows.filter(({ picture }) => picture.name === before && before !== name);
  if (!others.length || !name) return;
  const words = `Rename ${plural(others.length, "other picture")} of ${before} too`;
  const rename = () => {
    row.field.focus();
    others.forEach((other) => other.name((other.field.value = row.picture.name)));
    for (const { field } of [row, ...others]) field.defaultValue = row.picture.name;
    offer(rows, row);
    say(`Renamed ${plural(others.length, "picture")}.`);
  };
  row.root.append(element("button.link", { onclick: rename }, words));
  if (!offered) say(words);
}
