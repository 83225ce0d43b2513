// @ts-check
// Dark, light, or as the machine has it: kept per user, applied at once.

import { api } from "./api.js";

export const THEMES = ["auto", "dark", "light"];
export const CHANGED = "noc:theme";

export const theme = () => document.documentElement.dataset.theme ?? "auto";

/** @param {string} wanted */
export function setTheme(wanted) {
  document.documentElement.dataset.theme = wanted;
  window.dispatchEvent(new Event(CHANGED));
  // Kept for the next log-in; a failure costs no more than choosing it again.
  api.put("/me", { theme: wanted }).catch(() => undefined);
}

export const nextTheme = () => THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length];

/** @param {() => void} listener called when colours have changed @returns {() => void} that ends it */
export function onColours(listener) {
  const machine = matchMedia("(prefers-color-scheme: dark)");
  window.addEventListener(CHANGED, listener);
  machine.addEventListener("change", listener);
  return () => {
    window.removeEventListener(CHANGED, listener);
    machine.removeEventListener("change", listener);
  };
}

const probe = document.createElement("i");

/** A colour of the style sheets as rgb(…) in the present theme, for what is drawn on canvas. @param {string} name */
export function colour(name) {
  if (!probe.isConnected) {
    probe.hidden = true;
    document.body.append(probe);
  }
  probe.style.color = `var(${name})`;
  return getComputedStyle(probe).color;
}

/** The colour of a chart's so many-th line. @param {number} place */
export const siteColour = (place) => colour(`--site-${(place % 6) + 1}`);
