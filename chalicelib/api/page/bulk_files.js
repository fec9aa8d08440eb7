// The pictures of a folder, and the names that they are given.

import { asName } from "./names.js";

const PICTURE = /\.(jpe?g|png|webp|avif|heic|heif|gif|bmp)$/i;

/** The files of a drop, folders opened, as `{file, path}`. Must be called while the drop is handled. */
export async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  return (await Promise.all(entries.map((entry) => within(entry, "")))).flat();
}

/** The files of an `<input type="file">`, as `{file, path}`. */
export function selected(input) {
  return [...input.files].map((file) => ({ file, path: file.webkitRelativePath || file.name }));
}

async function within(entry, folder) {
  const path = folder + entry.name;
  if (entry.isFile) return [{ file: await new Promise((resolve, reject) => entry.file(resolve, reject)), path }];
  const reader = entry.createReader();
  const found = [];
  // A folder is read some hundred entries at a time, until nothing comes any more.
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return found;
    found.push(...(await Promise.all(some.map((inner) => within(inner, `${path}/`)))).flat());
  }
}

/** What looks like a picture and is no hidden file. */
export function isPicture({ file, path }) {
  const hidden = path.split("/").some((part) => part.startsWith("."));
  return !hidden && (file.type.startsWith("image/") || PICTURE.test(file.name));
}

/** The name by the folder that a picture is in; null when it is in none, or only in the one that was chosen. */
export function folderName(path) {
  const folders = path.split("/").slice(0, -1);
  return folders.length > 1 ? tidied(folders.at(-1)) : null;
}

/** `ada_lovelace-2.jpg` and `Ada Lovelace (3).png` are both Ada Lovelace. */
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

/** Rows of texts as a CSV file. */
export function csv(rows) {
  // What a spreadsheet would take for a formula is made a text.
  const cell = (text) => `"${String(text).replace(/^[=+\-@\t\r]/, "'$&").replaceAll('"', '""')}"`;
  return new Blob(["\ufeff", rows.map((row) => `${row.map(cell).join(",")}\r\n`).join("")], { type: "text/csv" });
}
