// @ts-check
// What people write of an incident, open or over: comments, and one note of what they have learnt from it.

import { api } from "../api.js";
import { exact, moment } from "../format.js";
import { useAction } from "../hooks.js";
import { may } from "../me.js";
import { html, useState } from "../ui.js";
import { Trouble } from "./bits.js";

/** @typedef {import("../messages.d.ts").PostMortem} Note */

/** @param {{path: string, onSaid: () => void}} given `path` of the incident in the API */
export function CommentForm({ path, onSaid }) {
  const [text, setText] = useState("");
  const { run, busy, error } = useAction(async () => {
    await api.post(`${path}/comments`, { comment: text });
    setText("");
    onSaid();
  });
  return html`
    <form class="writing" onSubmit=${(/** @type {any} */ event) => (event.preventDefault(), run())}>
      <label class="field">
        Comment
        <textarea rows="2" maxlength="500" required name="comment" value=${text} onInput=${(/** @type {any} */ event) => setText(event.currentTarget.value)} placeholder="What others should know; it stays with the incident" data-testid="comment"></textarea>
      </label>
      <${Trouble} error=${error} labels=${{ comment: "Comment" }} />
      <button disabled=${busy || !text.trim()} data-testid="add-comment">Add comment</button>
    </form>
  `;
}

/** @param {{path: string, note: Note|null, onChanged: () => void}} given */
export function PostMortem({ path, note, onChanged }) {
  const [text, setText] = useState(/** @type {string|null} */ (null));
  // It is another's change that is refused, so what was read when editing began counts.
  const [read, setRead] = useState(/** @type {Note|null} */ (null));
  const edit = () => (setRead(note), setText(note?.text ?? ""));
  const { run, busy, error } = useAction(async () => {
    try {
      await api.put(`${path}/post-mortem`, { text: text ?? "", replaces: read?.at ?? null });
      setText(null);
    } finally {
      // Where another was faster, theirs is shown beside what is typed here.
      onChanged();
    }
  });
  return html`
    <section class="panel" aria-label="Post-mortem">
      <div class="tools"><h2>Post-mortem</h2>
        <span class="spring"></span>
        ${may("operator") && text === null ? html`<button onClick=${edit} data-testid="edit-post-mortem">${note ? "Edit" : "Write"}</button>` : null}
      </div>
      ${text !== null
        ? html`<form class="writing" onSubmit=${(/** @type {any} */ event) => (event.preventDefault(), run())}>
            ${note && note.at !== read?.at
              ? html`<p data-testid="changed-meanwhile">${note.by} has changed it meanwhile:</p>
                  <div class="written">${note.text}</div>
                  <button type="button" onClick=${() => setRead(note)} data-testid="mine">Put mine in its place</button>`
              : null}
            <label class="field">
              What happened, why, and what is done about it
              <textarea rows="10" maxlength="10000" name="text" value=${text} onInput=${(/** @type {any} */ event) => setText(event.currentTarget.value)} data-testid="post-mortem-text"></textarea>
            </label>
            <${Trouble} error=${error} labels=${{ text: "Post-mortem" }} />
            <div class="tools">
              <button class="primary" disabled=${busy} data-testid="save-post-mortem">Save</button>
              <button type="button" class="quiet" onClick=${() => setText(null)}>Cancel</button>
            </div>
          </form>`
        : note
          ? html`<div class="written" data-testid="post-mortem">${note.text}</div>
              <p class="help">${note.by}, <time title=${exact(note.at)}>${moment(note.at)}</time></p>`
          : html`<p class="empty">Nobody has written yet what there is to learn from it.</p>`}
    </section>
  `;
}
