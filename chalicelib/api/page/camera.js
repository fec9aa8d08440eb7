// Takes pictures with the device's camera.

import { answered, byId } from "./dom.js";
import { drawn, jpeg } from "./picture.js";

const WORDS = {
  NotAllowedError: "The camera is not allowed here. Allow it in the browser's settings for this page, then try again.",
  NotFoundError: "No camera was found.",
  NotReadableError: "The camera is in use by another program.",
};

const dialog = byId("camera-dialog");
const video = byId("camera-picture");
const refused = byId("camera-refused");
const take = byId("camera-take");
const turn = byId("camera-turn");

let facing = "user";

/** Resolve to a JPEG, or to null if the dialog is closed without one. */
export async function photographed() {
  refused.hidden = true;
  take.disabled = true;
  const closed = answered(dialog);
  let taken = null;
  take.onclick = async () => {
    taken = await still();
    dialog.close();
  };
  turn.onclick = async () => {
    facing = facing === "user" ? "environment" : "user";
    await watch();
  };
  await watch();
  await closed;
  stop();
  return taken;
}

async function watch() {
  stop();
  try {
    const wanted = { facingMode: facing, width: { ideal: 1920 }, height: { ideal: 1080 } };
    const stream = await navigator.mediaDevices.getUserMedia({ video: wanted, audio: false });
    video.srcObject = stream;
    // The dialog was closed while the browser asked for permission.
    if (!dialog.open) return stop();
    const cameras = (await navigator.mediaDevices.enumerateDevices()).filter(({ kind }) => kind === "videoinput");
    turn.hidden = cameras.length < 2;
    video.classList.toggle("mirrored", stream.getVideoTracks()[0].getSettings().facingMode !== "environment");
    await video.play();
    take.disabled = false;
  } catch (error) {
    if (error.name === "AbortError") return;
    refused.textContent = WORDS[error.name] ?? "The camera cannot be used.";
    refused.hidden = false;
  }
}

function stop() {
  video.srcObject?.getTracks().forEach((track) => track.stop());
  video.srcObject = null;
}

async function still() {
  const bitmap = await createImageBitmap(video);
  const blob = await jpeg(drawn(bitmap));
  bitmap.close();
  return blob;
}
