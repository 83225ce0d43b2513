// @ts-check
// One's own theme and password.

import { api } from "../api.js";
import { worded } from "../format.js";
import { useAction } from "../hooks.js";
import { me } from "../me.js";
import { CHANGED, setTheme, theme, THEMES } from "../theme.js";
import { html, useEffect, useState } from "../ui.js";
import { Trouble } from "./bits.js";

export function Account() {
  return html`
    <p>You are <strong>${me.name}</strong> with the role <strong>${me.role}</strong>.</p>
    <h2>Theme</h2>
    <${ThemeChoice} />
    <h2>Password</h2>
    <${Password} />
  `;
}

function ThemeChoice() {
  const [now, setNow] = useState(theme());
  useEffect(() => {
    const follow = () => setNow(theme());
    window.addEventListener(CHANGED, follow);
    return () => window.removeEventListener(CHANGED, follow);
  }, []);
  return html`
    <div class="ranges" role="group" aria-label="Theme">
      ${THEMES.map((one) => html`<button key=${one} aria-pressed=${now === one} onClick=${() => setTheme(one)}>${one}</button>`)}
    </div>
    <p class="help">Kept for you on the server; “auto” follows your machine.</p>
  `;
}

function Password() {
  const [current, setCurrent] = useState("");
  const [next, setNext] = useState("");
  const [again, setAgain] = useState("");
  const [done, setDone] = useState(false);
  const { run, busy, error } = useAction(async () => {
    await api.post("/me/password", { current, new: next });
    setDone(true);
    setCurrent("");
    setNext("");
    setAgain("");
  });
  const differs = again !== "" && next !== again;
  const field = (/** @type {string} */ label, /** @type {string} */ name, /** @type {string} */ value, /** @type {(text: string) => void} */ set, /** @type {string} */ complete) => html`
    <label class="field">${label}<input type="password" name=${name} value=${value} autocomplete=${complete} required onInput=${(/** @type {any} */ event) => (setDone(false), set(event.currentTarget.value))} /></label>
    ${(error?.of?.(name) ?? []).map((/** @type {string} */ sentence) => html`<small class="wrong" role="alert">${worded(name, label, sentence)}</small>`)}
  `;
  return html`
    <form class="narrow-form" onSubmit=${(/** @type {any} */ event) => (event.preventDefault(), run())}>
      <input hidden name="username" value=${me.name} autocomplete="username" readonly />
      ${field("Current password", "current", current, setCurrent, "current-password")} ${field("New password", "new", next, setNext, "new-password")}
      ${field("Repeat new password", "again", again, setAgain, "new-password")}
      ${differs ? html`<small class="wrong" role="alert">The two new passwords differ.</small>` : null}
      <${Trouble} error=${error} fields=${["current", "new"]} />
      ${done ? html`<p class="good" role="status">Changed. All your other sessions have ended.</p>` : null}
      <button class="primary" disabled=${busy || differs || !current || !next || !again}>Change password</button>
    </form>
  `;
}
