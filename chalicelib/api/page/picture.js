// Converts any picture that the browser can show to one that the service accepts.

import { element } from "./dom.js";
import { info } from "./model.js";
import { Refusal } from "./words.js";

// Every service accepts these.
const LEAST_LIMITS = { bytes: 2 * 1024 * 1024, side: 4096 };
const ACCEPTED = ["image/jpeg", "image/png"];
const QUALITIES = [0.92, 0.85, 0.75];
// The scale factor for a picture that has too many bytes at every quality.
const SHRINK = 0.75;

/**
 * Return an upright picture as `{blob, width, height, bitmap, note}`. `note` describes a necessary change. Throws
 * `Refusal` "picture" if the file is not a picture.
 */
export async function prepared(file, signal = undefined) {
  const bitmap = await decoded(file);
  signal?.throwIfAborted();
  const { width, height } = bitmap;
  const limits = fits(file, bitmap, LEAST_LIMITS) ? LEAST_LIMITS : await ofService();
  signal?.throwIfAborted();
  if (ACCEPTED.includes(file.type) && fits(file, bitmap, limits)) {
    return { blob: file, width, height, bitmap, note: "" };
  }
  const smaller = await reduced(bitmap, file, limits);
  signal?.throwIfAborted();
  return smaller;
}

function fits(file, { width, height }, limits) {
  return file.size <= limits.bytes && Math.max(width, height) <= limits.side;
}

async function ofService() {
  const { limits } = await info();
  return { bytes: limits.image_bytes, side: limits.image_side_px[1] };
}

async function decoded(file) {
  try {
    return await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    const name = file.name || "This file";
    const heic = /\.(heic|heif)$/i.test(name) || /hei[cf]/.test(file.type);
    throw new Refusal("picture", {
      detail: heic
        ? `${name} is an HEIC picture, which this browser cannot open. Save it as a JPEG, or use Safari.`
        : `${name} is not a picture that this browser can open. Use a JPEG or PNG.`,
    });
  }
}

async function reduced(original, file, limits) {
  let scale = Math.min(1, limits.side / Math.max(original.width, original.height));
  for (;;) {
    const canvas = drawn(original, scale);
    for (const quality of QUALITIES) {
      const blob = await jpeg(canvas, quality);
      if (blob !== null && blob.size <= limits.bytes) {
        const bitmap = await createImageBitmap(canvas);
        original.close();
        return { blob, width: canvas.width, height: canvas.height, bitmap, note: note(file, scale, canvas, limits) };
      }
    }
    scale *= SHRINK;
  }
}

export function drawn(bitmap, scale = 1) {
  const side = (px) => Math.max(1, Math.round(px * scale));
  const canvas = element("canvas", { width: side(bitmap.width), height: side(bitmap.height) });
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  // JPEG has no transparency; transparent areas would turn black.
  context.fillStyle = "white";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return canvas;
}

/** Resolve to a canvas as a JPEG, or to null if it is too large for the browser. */
export function jpeg(canvas, quality = QUALITIES[0]) {
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", quality));
}

/** Return an element that shows a picture. */
export function imageOf(blob, tag, alt) {
  const src = URL.createObjectURL(blob);
  return element(tag, { src, alt, onload: () => URL.revokeObjectURL(src) });
}

/** Return a square crop around a face's box, with a margin. */
export function cutOut(bitmap, face, side = 128) {
  const [[left, top], [right, bottom]] = [face.top_left, face.bottom_right];
  const size = Math.max(right - left, bottom - top) * 1.3;
  const canvas = element("canvas.crop", { width: side, height: side });
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, (left + right - size) / 2, (top + bottom - size) / 2, size, size, 0, 0, side, side);
  return canvas;
}

function note(file, scale, { width, height }, limits) {
  const megabytes = Math.floor(limits.bytes / 1e5) / 10;
  if (scale < 1) return `Scaled down to ${width} × ${height} pixels. The service accepts at most ${limits.side} pixels a side and ${megabytes} MB.`;
  return file.size > limits.bytes ? `Sent as a JPEG of under ${megabytes} MB, the service's limit.` : "Sent as a JPEG, because the service accepts only JPEG and PNG.";
}
