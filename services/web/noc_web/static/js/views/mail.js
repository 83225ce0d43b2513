// @ts-check
// The mail server, for administrators: what is set here, what the alerter's environment sets instead, and test mails.

import { api } from "../api.js";
import { useAction, useLoaded } from "../hooks.js";
import { html, useEffect, useRef, useState } from "../ui.js";
import { Chips, Field, TextField, Trouble } from "./bits.js";

const ASK_EVERY_MS = 2000;

export function Mail() {
  const { answer, error, again } = useLoaded("/mail");
  return html`
    <p class="help">By what mail server people are told of incidents. What is saved here is in force at once; what the alerter's environment sets wins.</p>
    <${Trouble} error=${error} />
    ${answer ? html`<${MailForm} key=${JSON.stringify(answer)} kept=${answer} onSaved=${again} />` : error ? null : html`<p class="empty">Loading…</p>`}
    <h2>Test</h2>
    <${TestMails} />
  `;
}

/** @param {{kept: any, onSaved: () => void}} given */
function MailForm({ kept, onSaved }) {
  const [server, setServer] = useState(kept.mail_server);
  const [user, setUser] = useState(kept.mail_user);
  const [password, setPassword] = useState("");
  const [from, setFrom] = useState(kept.mail_from);
  const [to, setTo] = useState(/** @type {string[]} */ (kept.mail_to));
  const { run, busy, error } = useAction(async () => {
    const secret = !user ? "" : password || null;
    await api.patch("/mail", { mail_server: server, mail_user: user, mail_password: secret, mail_from: from.trim(), mail_to: to });
    onSaved();
  });
  const given = kept.environment;
  return html`
    <form class="options mail-form" noValidate autocomplete="off" onSubmit=${(/** @type {any} */ event) => (event.preventDefault(), run())}>
      ${kept.is_alerter_running ? null : html`<p role="status">The alerter is not running: what is saved here counts once it is.</p>`}
      <${Trouble} error=${error} fields=${["mail_server", "mail_user", "mail_password", "mail_from", "mail_to"]} />
      <${TextField} name="mail_server" label="Mail server" error=${error} value=${server} onText=${setServer} placeholder="smtp://mail.example.org:587" />
      <${Overruled} by="NOC_SMTP_URL" given=${given} />
      <${TextField} name="mail_user" label="User" error=${error} value=${user} onText=${setUser} placeholder="leave blank where it wants no log-in" autocomplete="off" />
      <${TextField} name="mail_password" label=${kept.has_password ? "Password (leave blank to keep)" : "Password"} error=${error} value=${password} onText=${setPassword} type="password" autocomplete="new-password" />
      <${TextField} name="mail_from" label="Sender" error=${error} value=${from} onText=${setFrom} type="email" placeholder="noc@example.org" />
      <${Overruled} by="NOC_MAIL_FROM" given=${given} />
      <${Field} name="mail_to" label="Told when nobody else is" error=${error}>
        ${(/** @type {any} */ field) => html`<${Chips} ...${field} values=${to} onChange=${setTo} placeholder="mail addresses" />`}
      <//>
      <${Overruled} by="NOC_MAIL_TO" given=${given} />
      <p><button class="primary" disabled=${busy}>Save</button></p>
    </form>
  `;
}

/** @param {{by: string, given: Record<string, string>}} given */
const Overruled = ({ by, given }) => (given[by] ? html`<p class="overruled"><code>${by}</code> in the alerter's environment wins: ${given[by]}</p>` : null);

/** @param {{contact?: string|null, heartbeat?: boolean}} given null: to everybody who is told when nobody else is; `heartbeat`: that instead of mails */
export function TestMails({ contact = null, heartbeat = false }) {
  const [tried, setTried] = useState(/** @type {any} */ (null));
  const isGone = useRef(false);
  useEffect(() => () => void (isGone.current = true), []);
  const { run, busy, error } = useAction(async () => {
    setTried(null);
    let found = await api.post("/mail/tests", { contact, heartbeat });
    setTried(found);
    // A mail server may take minutes.
    while (!found.done && !isGone.current) {
      await new Promise((resolve) => setTimeout(resolve, ASK_EVERY_MS));
      found = await api.get(`/mail/tests/${found.request}`);
      setTried(found);
    }
  });
  return html`
    <p class="help">${heartbeat ? "A test asks once for the address that is saved" : contact ? "A test goes to every address of this contact" : "A test mail goes to everybody who is told when nobody else is"}; what the other side says is shown here.</p>
    <p><button class=${heartbeat ? "" : "primary"} disabled=${busy} onClick=${() => run()}>${heartbeat ? (busy ? "Asking…" : "Test the heartbeat") : busy ? "Sending…" : "Send test mails"}</button></p>
    <${Trouble} error=${error} />
    <div role="status">
      ${tried
        ? html`<dl class="mail-tests" data-testid="mail-tests">
            ${tried.mails.map((/** @type {import("../messages.d.ts").MailTestAnswer} */ mail) => html`<div key=${mail.to}><dt>${mail.to}</dt><dd><${Outcome} mail=${mail} /></dd></div>`)}
          </dl>`
        : null}
    </div>
  `;
}

/** @param {{mail: import("../messages.d.ts").MailTestAnswer}} given */
function Outcome({ mail }) {
  if (mail.error !== null) return html`<span class="wrong">Not sent: ${mail.error}</span>`;
  if (mail.answer !== null) return html`<span class="good">${/^(webhook:|apprise:|heartbeat$)/.test(mail.to) ? "The receiver" : "The mail server"} took it: ${mail.answer}</span>`;
  return "No answer yet; some mail servers take minutes.";
}
