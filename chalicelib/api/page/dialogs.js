// Asks questions in dialogs.

import { byId } from "./dom.js";
import { asName } from "./names.js";

/** Resolve to whether the user confirmed. `yes` is the confirm button's text. */
export async function confirmed(question, yes) {
  byId("confirm-question").textContent = question;
  byId("confirm-yes").textContent = yes;
  return (await closed(byId("confirm-dialog"))) === "yes";
}

/** Resolve to a name, or to null if the dialog was closed without one. */
export async function named(title, name) {
  byId("name-title").textContent = title;
  const field = byId("name-field");
  field.value = name;
  const answer = closed(byId("name-dialog"));
  field.select();
  return (await answer) === "yes" ? asName(field.value) || null : null;
}

function closed(dialog) {
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true }));
}

export function startDialogs() {
  document.querySelectorAll("dialog").forEach((dialog) => {
    // A click on the dialog itself, outside its contents, is a click on the backdrop.
    dialog.addEventListener("mousedown", (event) => event.target === dialog && dialog.close());
    dialog.querySelectorAll("[data-close]").forEach((button) => button.addEventListener("click", () => dialog.close()));
  });
}
