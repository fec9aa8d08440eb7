// Questions in a dialog.

import { byId } from "./dom.js";
import { asName } from "./names.js";

/** Resolves to whether the answer was yes; `yes` is what that button says. */
export async function confirmed(question, yes) {
  byId("confirm-question").textContent = question;
  byId("confirm-yes").textContent = yes;
  return (await closed(byId("confirm-dialog"))) === "yes";
}

/** Resolves to a name, or to null when the dialog was closed without one. */
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
    // Outside of its contents there is only its backdrop.
    dialog.addEventListener("mousedown", (event) => event.target === dialog && dialog.close());
    dialog.querySelectorAll("[data-close]").forEach((button) => button.addEventListener("click", () => dialog.close()));
  });
}
