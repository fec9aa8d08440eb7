// The review of unsorted pictures: the faces of one person together, named once.

import { flaws } from "./bulk_pictures.js";
import { nameField, pick } from "./bulk_review.js";
import { element, plural } from "./dom.js";
import { asName } from "./names.js";

/** Return the reply of `/groups` as `{root, additions()}`. Calls `changed` when a selection or a name changes. */
export function personGroups({ groups, ungrouped }, pictures, changed) {
  const known = new Map(pictures.flatMap((picture) => picture.faces.map((face) => [face.face_token, { picture, face }])));
  const blocks = groups.map((tokens, index) => block(tokens.map((token) => known.get(token)), `Person ${index + 1}`, changed));
  const alone = ungrouped.map((token, index) => block([known.get(token)], `Single face ${index + 1}`, changed));
  return {
    root: element(
      "div.groups",
      {},
      element(
        "p.quiet",
        {},
        "Name each person once. Faces without a name are not added. A dashed frame marks faces that are hard to recognise, and copies.",
      ),
      ...[...blocks, ...alone].map(({ root }) => root),
    ),
    additions: () => [...blocks, ...alone].flatMap((one) => one.additions()),
  };
}

function block(faces, title, changed) {
  const count = faces.length > 1 ? plural(faces.length, "face") : faces[0].picture.path;
  const field = nameField(`Name of ${title}, ${count}`, { oninput: changed });
  const picks = faces.map(({ picture, face }) => {
    const reasons = flaws(picture, face);
    // The name of a single face is reason enough to add it.
    const checked = !reasons.length || faces.length === 1;
    return pick(face, `${title}: ${picture.path}`, reasons, { type: "checkbox", title: picture.path, checked, onchange: changed });
  });
  const heading = element("h3", {}, `${title} `, element("span.quiet", {}, count));
  return {
    root: element("div", {}, heading, field, element("div.faces", {}, ...picks)),
    additions: () => {
      const name = asName(field.value);
      return faces.filter((_, index) => name && picks[index].firstChild.checked).map((face) => ({ ...face, name }));
    },
  };
}
