// Loads face crops when they come into view, a few at a time.

import { call, pictureUrl } from "./api.js";
import { element } from "./dom.js";

const AT_ONCE = 4;
const waiting = [];
let running = 0;

const inView = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    inView.unobserve(target);
    waiting.push(target);
    next();
  }
});

/** Return an image that loads a face's crop. The background drawing stays if loading fails. */
export function crop(token) {
  const image = element("img.crop", { alt: "", width: 64, height: 64 });
  image.dataset.token = token;
  inView.observe(image);
  return image;
}

async function next() {
  if (running >= AT_ONCE || !waiting.length) return;
  running += 1;
  const image = waiting.shift();
  try {
    // The image may have left the page while it waited.
    if (image.isConnected) await fill(image);
  } catch {
    // The placeholder stays.
  }
  running -= 1;
  next();
}

async function fill(image) {
  const { crop_url: address } = await call("GET", `faces/${image.dataset.token}`);
  image.src = await pictureUrl(address);
  await image.decode();
  if (image.src.startsWith("blob:")) URL.revokeObjectURL(image.src);
}
