// Asks questions in dialogs, which show the pictures concerned.

import { call } from "./api.js";
import { crop } from "./crops.js";
import { byId, element, iconButton } from "./dom.js";
import { asName } from "./names.js";
import { currentRoute } from "./route.js";

const PICTURES = 4;
const SUGGESTIONS = 8;
const PAUSE_MILLISECONDS = 250;

let typing = 0;

/** Resolve to whether the user confirmed. `yes` is the confirm button's text. The user must type `typed`, if given. */
export async function confirmed(question, yes, { pictures = [], typed = "" } = {}) {
  byId("confirm-question").textContent = question;
  byId("confirm-yes").textContent = yes;
  byId("confirm-typed").hidden = !typed;
  byId("confirm-what").textContent = typed;
  const field = byId("confirm-name");
  field.value = "";
  field.oninput = () => (byId("confirm-yes").disabled = field.value.trim() !== typed);
  field.oninput();
  show("confirm", pictures);
  return (await closed(byId("confirm-dialog"))) === "yes";
}

/** Resolve to a name, or to null if the dialog was closed without one. It suggests people of the face set. */
export async function named(title, name, { yes = "Rename", pictures = [] } = {}) {
  byId("name-title").textContent = title;
  byId("name-yes").textContent = yes;
  byId("name-known").replaceChildren();
  show("name", pictures);
  const field = byId("name-field");
  field.value = name;
  const answer = closed(byId("name-dialog"));
  field.select();
  return (await answer) === "yes" ? asName(field.value) || null : null;
}

function show(dialog, pictures) {
  byId(`${dialog}-pictures`).replaceChildren(...pictures.slice(0, PICTURES).map(crop));
}

function closed(dialog) {
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true }));
}

async function suggest() {
  const name = byId("name-field").value.trim();
  if (!name) return;
  // Without suggestions the field still works.
  const reply = await call("GET", "people", { name, limit: SUGGESTIONS, face_set: currentRoute().set }).catch(() => null);
  if (reply) byId("name-known").replaceChildren(...reply.people.map(({ name: value }) => element("option", { value })));
}

export function startDialogs() {
  byId("name-field").addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(suggest, PAUSE_MILLISECONDS);
  });
  document.querySelectorAll("dialog").forEach((dialog) => {
    // A click on the dialog itself, outside its contents, is a click on the backdrop.
    dialog.addEventListener("mousedown", (event) => event.target === dialog && dialog.close());
    dialog.querySelector("[data-closable]")?.append(iconButton("close", "Close", () => dialog.close()));
    dialog.querySelectorAll("[data-close]").forEach((button) => button.addEventListener("click", () => dialog.close()));
  });
}
