// Takes pictures with the device's camera.

import { byId } from "./dom.js";

const WORDS = {
  NotAllowedError: "The camera is not allowed here. Allow it in the browser's settings for this page, then try again.",
  NotFoundError: "No camera was found.",
  NotReadableError: "The camera is in use by another program.",
};

let facing = "user";

/** Resolve to a JPEG file, or to null if the dialog is closed without one. */
export async function photographed() {
  const dialog = byId("camera-dialog");
  const video = byId("camera-picture");
  byId("camera-refused").hidden = true;
  byId("camera-take").disabled = true;
  dialog.returnValue = "";
  dialog.showModal();
  const closed = new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
  let taken = null;
  byId("camera-take").onclick = async () => {
    taken = await still(video);
    dialog.close();
  };
  byId("camera-turn").onclick = async () => {
    facing = facing === "user" ? "environment" : "user";
    await watch(video);
  };
  await watch(video);
  await closed;
  stop(video);
  return taken;
}

async function watch(video) {
  stop(video);
  try {
    const wanted = { facingMode: facing, width: { ideal: 1920 }, height: { ideal: 1080 } };
    const stream = await navigator.mediaDevices.getUserMedia({ video: wanted, audio: false });
    video.srcObject = stream;
    // The dialog was closed while the browser asked for permission.
    if (!byId("camera-dialog").open) return stop(video);
    const cameras = (await navigator.mediaDevices.enumerateDevices()).filter(({ kind }) => kind === "videoinput");
    byId("camera-turn").hidden = cameras.length < 2;
    video.classList.toggle("mirrored", stream.getVideoTracks()[0].getSettings().facingMode !== "environment");
    await video.play();
    byId("camera-take").disabled = false;
  } catch (error) {
    if (error.name === "AbortError") return;
    byId("camera-refused").textContent = WORDS[error.name] ?? "The camera cannot be used.";
    byId("camera-refused").hidden = false;
  }
}

function stop(video) {
  video.srcObject?.getTracks().forEach((track) => track.stop());
  video.srcObject = null;
}

async function still(video) {
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext("2d").drawImage(video, 0, 0);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.92));
  return new File([blob], "camera.jpg", { type: "image/jpeg" });
}
