// @ts-check
// Who is told of what: the question who would be, the routes, the contacts, and what was sent.

import { api } from "../api.js";
import { exact, moment, ownZone } from "../format.js";
import { useAction, useEditing, useLoaded, useTargets } from "../hooks.js";
import { may } from "../me.js";
import { freeId, matchOf, whenOf } from "../notices.js";
import { html, useEffect, useRef, useState } from "../ui.js";
import { Chips, Dialog, Field, FormDialog, Removal, TextField, Trouble } from "./bits.js";
import { TestMails } from "./mail.js";
import { Rehearsal } from "./rehearsal.js";

const SEVERITIES = ["critical", "major", "minor"];
const SHOWN = 50;
const HERE = ownZone();

export default function Notifications() {
  const contacts = useLoaded("/contacts");
  const routes = useLoaded("/notification-routes");
  const means = useLoaded("/notifications/means");
  const heartbeat = useLoaded(may("admin") ? "/notifications/heartbeat" : null);
  // Together, so that none moves what is below it.
  const isThere = [contacts, routes, ...(may("admin") ? [heartbeat] : [])].every(({ answer, error }) => answer || error);
  return html`
    ${means.answer?.template_faults.length ? html`<${TemplateFaults} faults=${means.answer.template_faults} />` : null}
    <${Question} of=${[contacts.answer, routes.answer]} />
    ${isThere
      ? html`
          <${Routes} loaded=${routes} contacts=${contacts.answer?.contacts ?? []} />
          <${Contacts} loaded=${contacts} means=${means.answer} />
          ${may("admin") ? html`<${Heartbeat} loaded=${heartbeat} />` : null}
          <${Sent} />
        `
      : html`<p class="empty">Loading…</p>`}
  `;
}

/** @param {{faults: string[]}} given */
const TemplateFaults = ({ faults }) => html`
  <section class="panel" aria-label="Mail templates" data-testid="template-faults">
    <h2>Mail templates</h2>
    <p class="error">Some of your templates cannot be used. Their mails are sent as they come with NOC:</p>
    <ul class="matches">${faults.map((one) => html`<li key=${one}>${one}</li>`)}</ul>
  </section>
`;

/** Who would be told if it went down. @param {{of: any[]}} given asked again when these change */
function Question({ of }) {
  const targets = useTargets((rows) => [...rows.values()].slice(0, 1000).map((row) => html`<option key=${row.id} value=${row.id}>${row.name}</option>`));
  const [target, setTarget] = useState("");
  const [at, setAt] = useState("");
  const [severity, setSeverity] = useState("");
  const [asked, setAsked] = useState(/** @type {Record<string, any>|null} */ (null));
  const { answer, error } = useLoaded(asked ? "/notifications/who" : null, asked ?? {}, ...of);
  const ask = (/** @type {any} */ event) => {
    event.preventDefault();
    setAsked({ target: target.trim(), at: at ? new Date(at).toISOString() : "", severity });
  };
  const set = (/** @type {(text: string) => void} */ put) => (/** @type {any} */ event) => put(event.currentTarget.value);
  return html`
    <section class="panel" aria-label="Who would be told">
      <h1>Who would be told?</h1>
      <form class="tools" onSubmit=${ask}>
        <label>If <input name="target" list="who-targets" value=${target} onInput=${set(setTarget)} placeholder="a site, or the id of a target" size="28" /></label>
        <datalist id="who-targets">${targets}</datalist>
        <label>went down at <input name="at" type="datetime-local" value=${at} onInput=${set(setAt)} /></label>
        <select aria-label="Severity" value=${severity} onChange=${set(setSeverity)}><option value="">as severe as it is</option>${SEVERITIES.map((one) => html`<option key=${one} value=${one}>${one}</option>`)}</select>
        <button class="primary">Ask</button>
      </form>
      <${Trouble} error=${error} labels=${{ target: "Target", at: "Moment", severity: "Severity" }} />
      <div role="status">${asked && answer ? html`<${Answer} answer=${answer} />` : html`<p class="help">Without a moment: now, ${HERE}.</p>`}</div>
    </section>
  `;
}

/** @param {{answer: any}} given */
function Answer({ answer }) {
  return html`
    ${answer.is_mail_set_up ? null : html`<p class="error">No mail server is set up, so that nobody is mailed.</p>`}
    <p class="help">A ${answer.severity} incident, ${answer.kind.replaceAll("-", " ")}, at ${exact(answer.at)}:</p>
    ${answer.told.length
      ? html`<table class="list as-cards" data-testid="told">
          <thead><tr><th>Told</th><th>Because</th></tr></thead>
          <tbody>
            ${answer.told.map(
              (/** @type {any} */ one) => html`<tr key=${one.to}>
                <td class="what">${one.name ? `${one.name}, ` : ""}${one.to}</td>
                <td class="cause">${one.because.map((/** @type {any} */ reason) => reason.text).join(", ")}</td>
              </tr>`,
            )}
          </tbody>
        </table>`
      : html`<p class="error">Nobody would be told: it has no contacts, no route matches, and nobody is told when nobody else is.</p>`}
    ${answer.unknown.length ? html`<p class="error">No contact: ${answer.unknown.join(", ")}.</p>` : null}
    ${answer.routes.length
      ? html`<ul class="matches">
          ${answer.routes.map((/** @type {any} */ one) => html`<li key=${one.id}>Route ${one.name}: ${matchOf(one.match)}</li>`)}
        </ul>`
      : null}
  `;
}

/** @param {{loaded: any, contacts: any[]}} given */
function Routes({ loaded, contacts }) {
  const { answer, error, again } = loaded;
  const editing = useEditing((route) => api.delete(`/notification-routes/${route.id}`), again);
  const names = new Map(contacts.map((one) => [one.id, one.name]));
  const fresh = { isNew: true, id: "", name: "", contacts: [], groups: [], tags: [], severities: [], kinds: [], hours: "", zone: HERE, after_min: 0, remind_min: 0 };
  return html`
    <section class="panel" aria-label="Routes">
      <div class="tools">
        <h2>Routes</h2>
        <span class="spring"></span>
        ${may("admin") ? html`<button class="primary" onClick=${() => editing.edit(fresh)}>Add a route</button>` : null}
      </div>
      <p class="help">Every route that matches adds to the contacts of the target. Where nobody is named, those are told who are told when nobody else is (Settings, Mail).</p>
      <${Trouble} error=${error} />
      ${answer?.routes.length
        ? html`<div class="scroll"><table class="list as-cards" data-testid="routes">
            <thead><tr><th>Route</th><th>For</th><th>Tells</th><th><span class="unseen">Actions</span></th></tr></thead>
            <tbody>
              ${answer.routes.map(
                (/** @type {any} */ route) => html`<tr key=${route.id}>
                  <td class="what">${route.name}</td>
                  <td class="cause">${whenOf(route)}</td>
                  <td class="cause" data-label="Tells">${route.contacts.map((/** @type {string} */ one) => names.get(one) ?? one).join(", ")}</td>
                  <td class="acts">
                    ${may("admin")
                      ? html`<button aria-label=${`Edit the route ${route.name}`} onClick=${() => editing.edit(route)}>Edit</button>
                          <button class="danger" aria-label=${`Delete the route ${route.name}`} onClick=${() => editing.askToRemove(route)}>Delete</button>`
                      : null}
                  </td>
                </tr>`,
              )}
            </tbody>
          </table></div>`
        : error ? null : html`<p class="empty">${answer ? "No route yet." : "Loading…"}</p>`}
      ${editing.editing ? html`<${RouteForm} route=${editing.editing} routes=${answer?.routes ?? []} contacts=${contacts} onClose=${editing.close} onSaved=${editing.saved} />` : null}
      <${Removal} of=${editing} title=${(/** @type {any} */ route) => `Delete the route ${route.name}?`}><p>Whoever it told is told of what is open already, also that it is over.</p><//>
    </section>
  `;
}

const LISTS = /** @type {const} */ ([
  ["contacts", "Tells", "contacts or mail addresses"],
  ["groups", "Groups", "any"],
  ["tags", "Tags", "any"],
  ["severities", "Severities", "any"],
  ["kinds", "Kinds of incidents", "any"],
]);
/** @type {Record<string, string>} */
const ROUTE_LABELS = {
  name: "Name",
  ...Object.fromEntries(LISTS.map(([name, label]) => [name, label])),
  hours: "Hours",
  zone: "Time zone of the hours",
  after_min: "Only after so many minutes open and unacknowledged",
  remind_min: "Again every so many minutes",
};
/** @type {Record<string, string>} */
const CONTACT_LABELS = {
  name: "Name",
  mails: "Mail addresses",
  webhook_url: "Webhook",
  webhook_secret: "Secret that signs it",
  quiet_hours: "Quiet hours, when only critical incidents are told",
  zone: "Time zone",
};

/** @param {{route: any, routes: any[], contacts: any[], onClose: () => void, onSaved: () => void}} given `routes`: those there are */
function RouteForm({ route, routes, contacts, onClose, onSaved }) {
  const [typed, setTyped] = useState(route);
  const put = (/** @type {string} */ name, /** @type {any} */ value) => setTyped((/** @type {any} */ before) => ({ ...before, [name]: value }));
  const known = useTargets((rows) => {
    const all = [...rows.values()];
    return { groups: [...new Set(all.map((row) => row.group).filter(Boolean))].slice(0, 200), tags: [...new Set(all.flatMap((row) => row.tags))].slice(0, 200) };
  });
  const [isRehearsed, setIsRehearsed] = useState(false);
  const { isNew, id: own, ...fields } = typed;
  const body = { ...fields, after_min: Number(typed.after_min), remind_min: Number(typed.remind_min) };
  const isComplete = Boolean(typed.name.trim());
  const idOf = (/** @type {readonly string[]} */ taken) => (isNew ? freeId(typed.name, "route", taken) : own);
  const action = useAction(async () => {
    const id = idOf(isNew ? idsOf((await api.get("/notification-routes")).routes) : []);
    await api.put(`/notification-routes/${id}`, body);
    onSaved();
  });
  /** @type {Record<string, string[]>} */
  const suggestions = {
    contacts: contacts.map((one) => one.id),
    ...known,
    severities: SEVERITIES,
    kinds: ["target-down", "target-partial", "target-degraded", "mass-outage", "target-unresolvable", "site-blind", "duplicate", "broker-lost", "service-trouble", "service-away", "notices-refused", "clock-wrong", "expiring"],
  };
  return html`
    <${FormDialog} title=${route.isNew ? "Add a route" : `Route ${route.name}`} action=${action} fields=${Object.keys(ROUTE_LABELS)} isComplete=${isComplete} onClose=${onClose} testid="route-form" acts=${html`<button type="button" disabled=${!isComplete} onClick=${() => setIsRehearsed(true)} title="Who would have been told over the last 30 days?" data-testid="rehearse">Rehearse</button>`}>
      <${Text} name="name" label=${ROUTE_LABELS.name} typed=${typed} put=${put} error=${action.error} />
      ${LISTS.map(
        ([name, label, hint]) => html`<${Field} key=${name} name=${name} label=${label} error=${action.error}>
          ${(/** @type {any} */ given) => html`<${Chips} ...${given} values=${typed[name]} onChange=${(/** @type {string[]} */ values) => put(name, values)} placeholder=${hint} suggestions=${suggestions[name] ?? []} />`}
        <//>`,
      )}
      <${Text} name="hours" label=${ROUTE_LABELS.hours} hint="always, or Mon-Sun 22:00-06:00" typed=${typed} put=${put} error=${action.error} />
      <${Text} name="zone" label=${ROUTE_LABELS.zone} typed=${typed} put=${put} error=${action.error} />
      <${Text} name="after_min" label=${ROUTE_LABELS.after_min} hint="0: at once" typed=${typed} put=${put} error=${action.error} />
      <${Text} name="remind_min" label=${ROUTE_LABELS.remind_min} hint="0: never" typed=${typed} put=${put} error=${action.error} />
    <//>
    ${isRehearsed ? html`<${Rehearsal} path=${`notification-routes/${idOf(idsOf(routes))}`} body=${body} title=${`What the route ${typed.name.trim()} would have done`} labels=${ROUTE_LABELS} onClose=${() => setIsRehearsed(false)} />` : null}
  `;
}

/** Read as one saves: another person may have added some since the page was loaded. @param {{id: string}[]} all */
const idsOf = (all) => all.map((one) => one.id);

/** @param {{name: string, label: string, hint?: string, typed: any, put: (name: string, text: string) => void, error: any}} given */
const Text = ({ name, label, hint = "", typed, put, error }) =>
  html`<${TextField} name=${name} label=${label} error=${error} value=${typed[name]} onText=${(/** @type {string} */ text) => put(name, text)} placeholder=${hint} />`;

/** @param {{loaded: any, means: any}} given */
function Contacts({ loaded, means }) {
  const { answer, error, again } = loaded;
  const [tested, test] = useState(/** @type {any} */ (null));
  const editing = useEditing((contact) => api.delete(`/contacts/${contact.id}`), again);
  return html`
    <section class="panel" aria-label="Contacts">
      <div class="tools">
        <h2>Contacts</h2>
        <span class="spring"></span>
        ${may("admin") ? html`<button class="primary" onClick=${() => editing.edit({ isNew: true, id: "", name: "", mails: [], zone: HERE, quiet_hours: "", webhook_url: "", channels: [] })}>Add a contact</button>` : null}
      </div>
      <p class="help">A person or a team. Targets and routes name a contact by its id.</p>
      ${means?.is_known && !means.apprise_schemes.length && answer?.contacts.some((/** @type {any} */ one) => one.channels.some(isApprise))
        ? html`<p class="error" data-testid="no-apprise">Apprise is not installed where the alerter runs, so that its channels get nothing: pip install noc-alerter[apprise] there.</p>`
        : null}
      <${Trouble} error=${error} />
      ${answer?.contacts.length
        ? html`<div class="scroll"><table class="list as-cards" data-testid="contacts">
            <thead><tr><th>Name</th><th>Id</th><th>Told by</th><th>Time zone</th><th><span class="unseen">Actions</span></th></tr></thead>
            <tbody>
              ${answer.contacts.map(
                (/** @type {any} */ one) => html`<tr key=${one.id}>
                  <td class="what">${one.name}</td>
                  <td data-label="Id"><code>${one.id}</code></td>
                  <td class="cause">${[...one.mails, ...(one.webhook_host ? [`webhook at ${one.webhook_host}`] : []), ...one.channels.map((/** @type {any} */ way) => `${way.name} (${way.masked_url})`)].join(", ") || "none"}</td>
                  <td data-label="Time zone">${one.zone}${one.quiet_hours ? html`<br /><small>quiet ${one.quiet_hours}</small>` : null}</td>
                  <td class="acts">
                    ${may("admin")
                      ? html`<button aria-label=${`Test ${one.name}`} onClick=${() => test(one)}>Test</button>
                          <button aria-label=${`Edit ${one.name}`} onClick=${() => editing.edit(one)}>Edit</button>
                          <button class="danger" aria-label=${`Delete ${one.name}`} onClick=${() => editing.askToRemove(one)}>Delete</button>`
                      : null}
                  </td>
                </tr>`,
              )}
            </tbody>
          </table></div>`
        : error ? null : html`<p class="empty">${answer ? "No contact yet." : "Loading…"}</p>`}
      ${editing.editing ? html`<${ContactForm} contact=${editing.editing} contacts=${answer?.contacts ?? []} onClose=${editing.close} onSaved=${editing.saved} />` : null}
      ${tested
        ? html`<${Dialog} title=${`Test ${tested.name}`} onClose=${() => test(null)}><div class="dialog-body"><${TestMails} contact=${tested.id} /></div><//>`
        : null}
      <${Removal} of=${editing} title=${(/** @type {any} */ one) => `Delete the contact ${one.name}?`}><p>Whoever was told of what is open is told that it is over.</p><//>
    </section>
  `;
}

/** @param {{contact: any, contacts: any[], onClose: () => void, onSaved: () => void}} given `contacts`: those there are */
function ContactForm({ contact, contacts, onClose, onSaved }) {
  const [typed, setTyped] = useState({ webhook_secret: "", ...contact });
  const [secrets, setSecrets] = useState(/** @type {[string, string][]} */ ([]));
  const put = (/** @type {string} */ name, /** @type {any} */ value) => setTyped((/** @type {any} */ before) => ({ ...before, [name]: value }));
  const [isRehearsed, setIsRehearsed] = useState(false);
  const { name, mails, zone, quiet_hours, webhook_url, webhook_secret } = typed;
  const channels = typed.channels.map((/** @type {any} */ one) => ({ id: one.id || null, kind: one.kind, name: one.name, url: one.url?.trim() || null }));
  const body = { name, mails, zone, quiet_hours, webhook_url, webhook_secret: webhook_secret || null, channels };
  const isComplete = Boolean(name.trim());
  const idOf = (/** @type {readonly string[]} */ taken) => (contact.isNew ? freeId(name, "contact", taken) : contact.id);
  const action = useAction(async () => {
    const id = idOf(contact.isNew ? idsOf((await api.get("/contacts")).contacts) : []);
    const saved = await api.put(`/contacts/${id}`, body);
    const made = Object.entries({ ...(saved.webhook_secret && !webhook_secret ? { webhook: saved.webhook_secret } : {}), ...saved.channel_secrets });
    if (made.length) setSecrets(made);
    else onSaved();
  });
  if (secrets.length) {
    return html`
      <${Dialog} title=${`Contact ${typed.name}`} onClose=${onSaved}>
        <div class="dialog-body">
          ${secrets.map(([id, secret]) => html`<div key=${id} class="once" role="status"><p>The secret that signs its ${id}. Copy it now: it is not shown again.</p><code data-testid="webhook-secret">${secret}</code></div>`)}
        </div>
        <footer><button class="primary" onClick=${onSaved}>Done</button></footer>
      <//>
    `;
  }
  return html`
    <${FormDialog} title=${contact.isNew ? "Add a contact" : `Contact ${contact.name}`} action=${action} fields=${Object.keys(CONTACT_LABELS)} labels=${{ channels: "More channels" }} isComplete=${isComplete} onClose=${onClose} testid="contact-form" acts=${html`<button type="button" disabled=${!isComplete} onClick=${() => setIsRehearsed(true)} title="Who would have been told over the last 30 days?" data-testid="rehearse">Rehearse</button>`}>
      <${Text} name="name" label=${CONTACT_LABELS.name} typed=${typed} put=${put} error=${action.error} />
      <${Field} name="mails" label=${CONTACT_LABELS.mails} error=${action.error}>
        ${(/** @type {any} */ given) => html`<${Chips} ...${given} values=${typed.mails} onChange=${(/** @type {string[]} */ values) => put("mails", values)} />`}
      <//>
      <${Text} name="webhook_url" label=${CONTACT_LABELS.webhook_url} hint="https://hooks.example.org/noc; blank: none" typed=${typed} put=${put} error=${action.error} />
      ${typed.webhook_url
        ? html`<${Text} name="webhook_secret" label=${CONTACT_LABELS.webhook_secret} hint=${contact.webhook_host ? "leave blank to keep" : "leave blank to have one made"} typed=${typed} put=${put} error=${action.error} />`
        : null}
      <${Channels} values=${typed.channels} onChange=${(/** @type {any[]} */ values) => put("channels", values)} />
      <${Text} name="quiet_hours" label=${CONTACT_LABELS.quiet_hours} hint="none, or Mon-Sun 22:00-06:00" typed=${typed} put=${put} error=${action.error} />
      <${Text} name="zone" label=${CONTACT_LABELS.zone} typed=${typed} put=${put} error=${action.error} />
    <//>
    ${isRehearsed ? html`<${Rehearsal} path=${`contacts/${idOf(idsOf(contacts))}`} body=${body} title=${`What the contact ${typed.name.trim()} would have been told`} labels=${{ ...CONTACT_LABELS, channels: "More channels" }} onClose=${() => setIsRehearsed(false)} />` : null}
  `;
}

/** @param {{kind: string}} one */
const isApprise = (one) => one.kind === "apprise";

/** What else gets every notice; the URL of one that is kept is not shown. @param {{values: any[], onChange: (values: any[]) => void}} given */
function Channels({ values, onChange }) {
  const change = (/** @type {number} */ place, /** @type {object} */ fields) => onChange(values.map((one, number) => (number === place ? { ...one, ...fields } : one)));
  return html`
    <fieldset class="channels">
      <legend>More channels</legend>
      ${values.map((one, place) => {
        const set = (/** @type {string} */ name) => (/** @type {any} */ event) => change(place, { [name]: event.currentTarget.value });
        const number = place + 1;
        return html`<div key=${place} class="channel">
          <select aria-label=${`Kind of channel ${number}`} value=${one.kind} onChange=${set("kind")}><option value="webhook">Webhook</option><option value="apprise">Apprise</option></select>
          <input aria-label=${`Name of channel ${number}`} placeholder="Name" value=${one.name} onInput=${set("name")} />
          <input type="url" aria-label=${`URL of channel ${number}`} placeholder=${one.masked_url ? `${one.masked_url} (blank: keep)` : isApprise(one) ? "slack://TokenA/TokenB/TokenC/#channel" : "https://hooks.example.org/noc"} value=${one.url ?? ""} onInput=${set("url")} autocomplete="off" />
          <button type="button" class="quiet" aria-label=${`Remove channel ${number}`} onClick=${() => onChange(values.filter((_, index) => index !== place))}>Remove</button>
        </div>`;
      })}
      <button type="button" disabled=${values.length >= 10} onClick=${() => onChange([...values, { kind: "webhook", name: "", url: "" }])}>Add a channel</button>
    </fieldset>
  `;
}

/** @param {{loaded: any}} given */
function Heartbeat({ loaded }) {
  const { answer, error, again } = loaded;
  return html`
    <section class="panel" aria-label="Heartbeat">
      <h2>Heartbeat</h2>
      <p class="help">While the alerter can notice an outage it asks for this address every so often. A service that raises the alarm when nobody asks any more tells you that NOC itself is gone.</p>
      <${Trouble} error=${error} />
      ${answer ? html`<${HeartbeatForm} key=${JSON.stringify(answer)} kept=${answer} onSaved=${again} />
            ${answer.url ? html`<${TestMails} heartbeat />` : null}` : null}
    </section>
  `;
}

/** @param {{kept: {url: string, every_s: number}, onSaved: () => void}} given */
function HeartbeatForm({ kept, onSaved }) {
  const [typed, setTyped] = useState({ url: kept.url, every_s: String(kept.every_s) });
  const put = (/** @type {string} */ name, /** @type {any} */ value) => setTyped((before) => ({ ...before, [name]: value }));
  const { run, busy, error } = useAction(async () => {
    await api.put("/notifications/heartbeat", { url: typed.url.trim(), every_s: Number(typed.every_s) });
    onSaved();
  });
  return html`
    <form class="options mail-form" noValidate autocomplete="off" onSubmit=${(/** @type {any} */ event) => (event.preventDefault(), run())}>
      <${Trouble} error=${error} fields=${["url", "every_s"]} />
      <${Text} name="url" label="Address" hint="https://example.org/ping/…; blank: none" typed=${typed} put=${put} error=${error} />
      <${Text} name="every_s" label="Every so many seconds" typed=${typed} put=${put} error=${error} />
      <p><button class="primary" disabled=${busy}>Save</button></p>
    </form>
  `;
}

function Sent() {
  const [found, setFound] = useState(/** @type {{mails: any[], total: number}|null} */ (null));
  const isGone = useRef(false);
  const { run, busy, error } = useAction(async (/** @type {any[]} */ before) => {
    const { mails, total } = await api.get("/notifications/sent", { offset: before.length, limit: SHOWN });
    if (!isGone.current) setFound({ mails: [...before, ...mails], total });
  });
  useEffect(() => {
    run([]);
    return () => void (isGone.current = true);
  }, []);
  return html`
    <section class="panel" aria-label="Sent">
      <div class="tools"><h2>What was sent</h2><span class="spring"></span><button onClick=${() => run([])} disabled=${busy}>Reload</button></div>
      <${Trouble} error=${error} />
      ${found?.mails.length
        ? html`<div class="scroll"><table class="list as-cards" data-testid="sent">
            <thead><tr><th>When</th><th>To</th><th>About</th><th>Because</th><th>State</th></tr></thead>
            <tbody>
              ${found.mails.map(
                (one, place) => html`<tr key=${place}>
                  <td><time title=${exact(one.queued_at)}>${moment(one.queued_at)}</time></td>
                  <td class="what">${one.to}</td>
                  <td class="cause">${one.about} ${one.incident ? html`<a href=${`/incidents/${one.incident}`}>${one.incident}</a>` : null}</td>
                  <td data-label="Because">${one.because || "–"}</td>
                  <td class="cause">${one.state.replaceAll("-", " ")}${one.sent_at ? html` <time title=${exact(one.sent_at)}>${moment(one.sent_at)}</time>` : null}${one.error ? html`<br /><small class="wrong">${one.error}</small>` : null}</td>
                </tr>`,
              )}
            </tbody>
          </table></div>`
        : error ? null : html`<p class="empty">${found ? "Nothing was sent yet." : "Loading…"}</p>`}
      ${found && found.mails.length < found.total ? html`<p><button onClick=${() => run(found.mails)} disabled=${busy}>Show more (${found.total - found.mails.length})</button></p>` : null}
    </section>
  `;
}
