// @ts-check
// Settings, in parts: what concerns oneself, the sites, the history, and for administrators users, tokens, mail and the audit.

import { may } from "../me.js";
import { setQuery } from "../router.js";
import { html } from "../ui.js";
import { Account } from "./account.js";
import { Audit } from "./audit.js";
import { Calendars } from "./calendars.js";
import { HistoryRoom } from "./historyroom.js";
import { Mail } from "./mail.js";
import { ReportMails } from "./reportmails.js";
import { Sites } from "./sites.js";
import { Tokens } from "./tokens.js";
import { Users } from "./users.js";

/** @type {readonly {name: string, label: string, role: "viewer"|"operator"|"admin", view: any}[]} */
const PARTS = [
  { name: "account", label: "Your account", role: "viewer", view: Account },
  { name: "sites", label: "Sites", role: "viewer", view: Sites },
  { name: "calendars", label: "Calendars", role: "operator", view: Calendars },
  { name: "history", label: "History", role: "viewer", view: HistoryRoom },
  { name: "reports", label: "Reports by mail", role: "operator", view: ReportMails },
  { name: "users", label: "Users", role: "admin", view: Users },
  { name: "tokens", label: "Tokens", role: "admin", view: Tokens },
  { name: "mail", label: "Mail", role: "admin", view: Mail },
  { name: "audit", label: "Audit", role: "admin", view: Audit },
];

/** @param {{query: URLSearchParams}} given */
export default function Settings({ query }) {
  const parts = PARTS.filter((part) => may(part.role));
  const part = parts.find((one) => one.name === query.get("part")) ?? parts[0];
  return html`
    <div class="settings">
      <nav class="panel parts" aria-label="Settings">
        ${parts.map((one) => html`<button key=${one.name} class="quiet" aria-current=${one === part ? "true" : undefined} onClick=${() => setQuery({ part: one.name })}>${one.label}</button>`)}
        <a class="button quiet" href="/groups">Groups</a>
      </nav>
      <section class="panel" aria-label=${part.label}><h1>${part.label}</h1><${part.view} /></section>
    </div>
  `;
}
