// @ts-check
// Trying the mail, for administrators: to whom test mails went, and what the mail server said.

import { api } from "../api.js";
import { useAction, useStore } from "../hooks.js";
import { html, useEffect, useRef, useState } from "../ui.js";
import { Trouble } from "./bits.js";

const ASK_EVERY_MS = 2000;

export function Mail() {
  const nobodyTold = useStore((state) => state.nobodyTold);
  const [tried, setTried] = useState(/** @type {any} */ (null));
  const isGone = useRef(false);
  useEffect(() => () => void (isGone.current = true), []);
  const { run, busy, error } = useAction(async () => {
    setTried(null);
    let found = await api.post("/mail/tests");
    setTried(found);
    // A mail server may take minutes.
    while (!found.done && !isGone.current) {
      await new Promise((resolve) => setTimeout(resolve, ASK_EVERY_MS));
      found = await api.get(`/mail/tests/${found.request}`);
      setTried(found);
    }
  });
  return html`
    <p class="help">Whoever NOC_MAIL_TO names is told of incidents of targets that have no contacts of their own. Test mails go to them the same way.</p>
    ${nobodyTold ? html`<p>No mail is set up: set NOC_SMTP_URL, NOC_MAIL_FROM and NOC_MAIL_TO for the alerter.</p>` : null}
    <p><button class="primary" disabled=${busy} onClick=${() => run()}>${busy ? "Sending…" : "Send test mails"}</button></p>
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
  if (mail.answer !== null) return html`<span class="good">The mail server took it: ${mail.answer}</span>`;
  return "The mail server has not answered yet; some take minutes.";
}
