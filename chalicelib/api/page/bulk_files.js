// Lists the pictures of a folder and derives their names.

import { asName } from "./names.js";

const PICTURE = /\.(jpe?g|png|webp|avif|heic|heif|gif|bmp)$/i;

/** Return the files of a drop, including those in folders, as `{file, path}`. Call it while handling the drop event. */
export async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  return (await Promise.all(entries.map((entry) => within(entry, "")))).flat();
}

/** Return the files of an `<input type="file">` as `{file, path}`. */
export function selected(input) {
  return [...input.files].map((file) => ({ file, path: file.webkitRelativePath || file.name }));
}

async function within(entry, folder) {
  const path = folder + entry.name;
  if (entry.isFile) return [{ file: await new Promise((resolve, reject) => entry.file(resolve, reject)), path }];
  const reader = entry.createReader();
  const found = [];
  // The browser returns about a hundred entries at a time; an empty result marks the end.
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return found;
    found.push(...(await Promise.all(some.map((inner) => within(inner, `${path}/`)))).flat());
  }
}

/** Return whether a file looks like a picture and is not hidden. */
export function isPicture({ file, path }) {
  const hidden = path.split("/").some((part) => part.startsWith("."));
  return !hidden && (file.type.startsWith("image/") || PICTURE.test(file.name));
}

/** Return a name from the folder that directly contains a picture, or null if it was chosen without a folder. */
export function folderName(path) {
  const folder = path.split("/").at(-2);
  return folder === undefined ? null : tidied(folder);
}

/** Return a name from a file name: `ada_lovelace-2.jpg` and `Ada Lovelace (3).png` both give Ada Lovelace. */
export function fileName(path) {
  const name = path.split("/").at(-1).replace(/\.[^.]*$/, "");
  const withoutNumber = name.replace(/[\s_.-]*(\(\d+\)|[\s_.-]\d+)$/, "");
  return tidied(withoutNumber || name);
}

function tidied(name) {
  const spaced = name.replace(/[_\s]+/g, " ").trim();
  const lower = spaced === spaced.toLowerCase();
  return asName(lower ? spaced.replace(/(^|[\s-])\p{Ll}/gu, (first) => first.toUpperCase()) : spaced) || "unknown";
}

/** Return rows of texts as a CSV file. */
export function csv(rows) {
  // Quote cells that a spreadsheet would run as a formula.
  const cell = (text) => `"${String(text).replace(/^[=+\-@\t\r]/, "'$&").replaceAll('"', '""')}"`;
  return new Blob(["\ufeff", rows.map((row) => `${row.map(cell).join(",")}\r\n`).join("")], { type: "text/csv" });
}
