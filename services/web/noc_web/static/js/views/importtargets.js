// @ts-check
// Many targets at once, from a file or typed: all of them, or none with a reason for every row.

import { api } from "../api.js";
import { counted } from "../format.js";
import { useAction } from "../hooks.js";
import { decoded } from "../textfile.js";
import { html, useState } from "../ui.js";
import { Dialog, Trouble } from "./bits.js";

/** @param {{onClose: () => void}} given */
export function ImportDialog({ onClose }) {
  const [text, setText] = useState("");
  const [replace, setReplace] = useState(false);
  const [done, setDone] = useState(/** @type {any} */ (null));
  const { run, busy, error } = useAction(async () => {
    const isJson = /^\s*[[{]/.test(text);
    setDone(await api.postText(`/targets/import${replace ? "?replace=true" : ""}`, text, isJson ? "application/json" : "text/csv"));
  });
  // Else the browser would not tell of the same file picked again, which has been corrected meanwhile.
  const forget = (/** @type {any} */ event) => (event.currentTarget.value = "");
  const reading = useAction(async (file) => {
    setText("");
    setText(decoded(await file.arrayBuffer()));
  });
  const read = (/** @type {any} */ event) => {
    const [file] = event.currentTarget.files;
    if (file) reading.run(file);
  };
  return html`
    <${Dialog} title="Import targets" onClose=${onClose} wide testid="import-form">
      <form class="dialog-form" onSubmit=${(/** @type {any} */ event) => (event.preventDefault(), setDone(null), run())}>
        <div class="dialog-body">
          <p>
            CSV with a first line that names its columns (at least <code>address</code>), or JSON as the export gives it. A blank cell is inherited. Either all
            rows are taken or none.
          </p>
          <label class="field">File<input type="file" accept=".csv,.tsv,.txt,.json,text/csv,application/json" onClick=${forget} onChange=${read} /></label>
          <label class="field">
            or text
            <textarea rows="9" value=${text} onInput=${(/** @type {any} */ event) => setText(event.currentTarget.value)} placeholder=${"address,name,group\n192.0.2.1,Edge router,core/routers"}></textarea>
          </label>
          <label class="check"><input type="checkbox" checked=${replace} onChange=${(/** @type {any} */ event) => setReplace(event.currentTarget.checked)} />also change targets that exist</label>
          <${Trouble} error=${reading.error ?? error} />
          ${done ? html`<p class="good" role="status">${counted(done.added, "target")} added, ${done.changed} changed.</p>` : null}
        </div>
        <footer>
          <button type="button" class="quiet" onClick=${onClose}>Close</button>
          <button class="primary" disabled=${busy || !text.trim()}>${busy ? "Importing…" : "Import"}</button>
        </footer>
      </form>
    <//>
  `;
}
