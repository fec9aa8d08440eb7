// Finds the faces of many pictures, before anything is added.

import { call } from "./api.js";
import { isPicture } from "./bulk_files.js";
import { cutOut, jpeg, prepared } from "./picture.js";

// Shown at half this size, for sharp screens.
const THUMBNAIL_PX = 112;

/**
 * Return a chosen file, `{file, path}`, before it is read. Later `wanted` says whether its face `chosen` is to be added
 * as `name`, `sameAs` is another picture with the same bytes, and `failure` says why there are no faces.
 */
export function unread(file) {
  const tried = !isPicture(file);
  return { ...file, faces: [], chosen: 0, tried, failure: tried ? "This file is not a picture." : "" };
}

/** Find a picture's faces, largest first, each with a small `thumbnail`. */
export async function read(picture, signal) {
  const { blob, bitmap } = await prepared(picture.file, signal);
  try {
    const { faces } = await call("POST", "detect", { image_file: blob }, signal);
    picture.digest = await digest(picture.file);
    for (const face of faces) face.thumbnail = await thumbnail(bitmap, face);
    picture.faces = faces;
    if (!faces.length) picture.failure = "No face was found in this picture.";
  } finally {
    bitmap.close();
  }
}

/** Find copies among the pictures, and select the largest face of every other new picture, unless it is poor. */
export function suggest(pictures) {
  const originals = new Map();
  const isNew = ({ wanted }) => wanted === undefined;
  // The pictures of a review before stay originals, because the user may have selected them.
  for (const picture of [...pictures.filter((one) => !isNew(one)), ...pictures.filter(isNew)]) {
    if (!picture.faces.length) continue;
    picture.sameAs ??= originals.get(picture.digest);
    if (picture.digest && !picture.sameAs) originals.set(picture.digest, picture);
    picture.wanted ??= !flaws(picture).length;
  }
}

/** Return the reasons not to add a face of a picture. */
export function flaws({ faces, chosen, sameAs, name }, face = faces[chosen]) {
  const copy = sameAs ? [`the same picture as ${sameAs.path}${sameAs.name === name ? "" : ", under another name"}`] : [];
  return [...copy, ...face.quality.reasons];
}

async function digest(file) {
  // Browsers compute digests only on HTTPS and localhost. Elsewhere, and if a file was deleted, copies stay unnoticed.
  const bytes = crypto.subtle && (await file.arrayBuffer().catch(() => null));
  return bytes && String(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
}

// A JPEG takes a tenth of the memory of its pixels. The browser decodes it when it comes into view.
const thumbnail = (bitmap, face) => jpeg(cutOut(bitmap, face, THUMBNAIL_PX));
