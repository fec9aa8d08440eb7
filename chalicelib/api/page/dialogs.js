// Asks questions in dialogs, which show the pictures concerned.

import { crop } from "./crops.js";
import { answered, byId, iconButton, write } from "./dom.js";
import { asName } from "./names.js";

const PICTURES = 4;

/** Resolve to whether the user confirmed. `yes` is the confirm button's text. The user must type `typed`, if given. */
export async function confirmed(question, yes, { pictures = [], typed = "" } = {}) {
  write("confirm-question", question);
  write("confirm-yes", yes);
  byId("confirm-typed").hidden = !typed;
  write("confirm-what", typed);
  const field = byId("confirm-name");
  field.value = "";
  field.oninput = () => (byId("confirm-yes").disabled = field.value.trim() !== typed);
  field.oninput();
  show("confirm", pictures);
  return (await answered(byId("confirm-dialog"))) === "yes";
}

/** Resolve to a name, or to null if the dialog was closed without one. It suggests people of the face set. */
export async function named(title, name, { yes = "Rename", pictures = [] } = {}) {
  write("name-title", title);
  write("name-yes", yes);
  byId("known").replaceChildren();
  show("name", pictures);
  const field = byId("name-field");
  field.value = name;
  const answer = answered(byId("name-dialog"));
  field.select();
  return (await answer) === "yes" ? asName(field.value) || null : null;
}

function show(dialog, pictures) {
  byId(`${dialog}-pictures`).replaceChildren(...pictures.slice(0, PICTURES).map(crop));
}

export function startDialogs() {
  document.querySelectorAll("dialog").forEach((dialog) => {
    // A click on the dialog itself, outside its contents, is a click on the backdrop.
    dialog.addEventListener("mousedown", (event) => event.target === dialog && dialog.close());
    dialog.querySelector("[data-closable]")?.append(iconButton("close", "Close", () => dialog.close()));
    dialog.querySelectorAll("[data-close]").forEach((button) => button.addEventListener("click", () => dialog.close()));
  });
}
