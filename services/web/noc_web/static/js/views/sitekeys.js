// @ts-check
// Keys of sites: the line that starts a site's prober is shown once; what is done to a key counts at once.

import { api } from "../api.js";
import { exact, moment } from "../format.js";
import { useAction, useLoaded } from "../hooks.js";
import { may } from "../me.js";
import { html, useRef, useState } from "../ui.js";
import { Trouble } from "./bits.js";

const path = (/** @type {string} */ site) => `/site-keys/${encodeURIComponent(site)}`;

export function SiteKeys() {
  const { answer, error, again } = useLoaded("/site-keys");
  const [name, setName] = useState("");
  const [made, setMade] = useState(/** @type {any} */ (null));
  const { run, busy, error: refusal } = useAction(async (/** @type {() => Promise<any>} */ act) => {
    const key = await act();
    if (key) setMade(key);
    setName("");
    again();
  });
  const keys = answer?.site_keys ?? [];
  return html`
    <section aria-label="Keys of sites">
      <h2>Keys</h2>
      <p class="help">A site's prober connects with the site's key, which is in the line that starts it. Unused, a key expires after seven days.</p>
      ${may("admin")
        ? html`<form class="tools" onSubmit=${(/** @type {any} */ event) => (event.preventDefault(), run(() => api.post(path(name.trim()), {})))}>
            <input name="key-site" aria-label="Site that gets a key" placeholder="name of the site" value=${name} onInput=${(/** @type {any} */ event) => setName(event.currentTarget.value)} />
            <button disabled=${busy || !name.trim()}>Add a site with a key</button>
          </form>`
        : null}
      <${Trouble} error=${refusal ?? error} labels=${{ site: "Name of the site" }} />
      ${answer?.certificate ? html`<${Certificate} of=${answer.certificate} />` : null}
      ${made ? html`<${Line} key=${made.join} made=${made} />` : null}
      ${keys.length
        ? html`<div class="scroll">
            <table class="list as-cards">
              <thead><tr><th>Site</th><th>Key</th><th>Created</th><th>First used</th><th><span class="unseen">Actions</span></th></tr></thead>
              <tbody>
                ${keys.map(
                  (/** @type {any} */ key) => html`
                    <tr key=${key.site} data-site=${key.site}>
                      <td class="what">${key.site}</td>
                      <td data-label="Key">${state(key, answer.site_certificates === "required")}</td>
                      <td data-label="Created"><time title=${exact(key.created_at)}>${moment(key.created_at)}</time></td>
                      <td data-label="First used">${key.used_at ? html`<time title=${exact(key.used_at)}>${moment(key.used_at)}</time> on ${key.used_from || "a machine without a name"}` : "–"}</td>
                      <td class="acts">
                        ${may("admin") && !key.is_own
                          ? html`
                              <button aria-label=${`New key for ${key.site}`} disabled=${busy} onClick=${() => run(() => api.put(path(key.site), {}))}>New key</button>
                              <button aria-label=${`${key.disabled ? "Enable" : "Disable"} the key of ${key.site}`} disabled=${busy} onClick=${() => run(() => api.patch(path(key.site), { disabled: !key.disabled }))}>${key.disabled ? "Enable" : "Disable"}</button>
                            `
                          : null}
                      </td>
                    </tr>
                  `,
                )}
              </tbody>
            </table>
          </div>`
        : error ? null : html`<p class="empty">${answer ? "No site has a key." : "Loading…"}</p>`}
    </section>
  `;
}

/** By what sites know the broker. @param {{of: any}} given */
function Certificate({ of }) {
  const whose = of.is_own ? "this NOC's own authority, which renews it" : "yours: replace its file before it expires";
  const names = of.names.length ? ` for ${of.names.join(", ")}` : "";
  return html`
    <p data-testid="listener-certificate">
      Sites know the listener by a certificate of <strong>${of.issuer}</strong>${` (${whose})${names}, valid until `}<time title=${exact(of.valid_until)}>${exact(of.valid_until)}</time>.
    </p>
  `;
}

/** @param {any} key @param {boolean} isCertificateRequired */
function state(key, isCertificateRequired) {
  if (key.is_own) return "of this NOC itself";
  if (key.disabled) return "disabled";
  if (isCertificateRequired && !key.has_certificate) return "without the certificate that is required: give it a new key";
  if (key.used_at) return key.reads_all ? "in use, made by an earlier version: it may read every target until there is a new key" : "in use";
  if (Date.parse(key.expires_at) < Date.now()) return "expired";
  return html`not used yet, expires <time title=${exact(key.expires_at)}>${moment(key.expires_at)}</time>`;
}

/** @param {{made: any}} given */
function Line({ made }) {
  const line = useRef(/** @type {any} */ (null));
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(line.current.textContent);
      setCopied(true);
    } catch {
      // Not over plain HTTP: it is selected instead.
      getSelection()?.selectAllChildren(line.current);
    }
  };
  return html`
    <div class="once" role="status">
      <p>Start the prober of <strong>${made.site}</strong> there with this line. Copy it now: it is not shown again. A key that the site had before is worth nothing any more.</p>
      ${made.warning ? html`<p><strong>${made.warning}</strong></p>` : null}
      <code data-testid="join" ref=${line}>./noc prober --join ${made.join}</code>
      <p><button type="button" onClick=${copy}>${copied ? "Copied" : "Copy"}</button></p>
      <details>
        <summary>As a service, with pip, or with Docker</summary>
        <p>As a service of systemd, from a checkout: <code>sudo ./noc prober --systemd --join ${made.join}</code></p>
        <p>With pip: <code>python3 -m venv ~/noc-prober && ~/noc-prober/bin/pip install ./frame ./bus ./rules ./services/prober && ~/noc-prober/bin/noc-prober --join ${made.join}</code></p>
        <p>With pipx, from 1.6 on: <code>pipx install --preinstall "$PWD/frame" --preinstall "$PWD/bus" --preinstall "$PWD/rules" ./services/prober && ~/.local/bin/noc-prober --join ${made.join}</code></p>
        <p>With Docker: <code>NOC_JOIN=${made.join} docker compose --file compose.site.yml up --build --detach</code></p>
      </details>
    </div>
  `;
}
