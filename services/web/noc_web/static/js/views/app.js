// @ts-check
// The frame of every page: header, warnings, and the page that the address names.

import { zone } from "../format.js";
import { useStore } from "../hooks.js";
import { PAGES, pageOf } from "../pages.js";
import { useAddress } from "../router.js";
import { html, useEffect, useRef } from "../ui.js";
import { Banners } from "./banners.js";
import { Header } from "./header.js";

/** @param {{views: Record<string, any>}} given by the name of their page */
export function App({ views }) {
  const { path, query } = useAddress();
  const { page, id } = pageOf(path, PAGES);
  const connection = useStore((state) => state.connection);
  const bad = useStore((state) => (state.kpis ? state.kpis.down + state.kpis.partial : 0));
  const name = useStore((state) => (id ? (state.rows.get(id)?.name ?? id) : ""));
  const isKnown = useStore((state) => state.kpis !== null);
  const title = name || page?.title || "No such page";
  useEffect(() => {
    document.title = `${bad ? `(${bad}) ` : ""}${title} – NOC`;
  }, [bad, title]);
  const here = path;
  const shown = useRef(here);
  useEffect(() => {
    if (shown.current === here) return;
    shown.current = here;
    // As after loading a page: the keyboard and screen readers go on at its content, not where a link was.
    document.getElementById("main")?.focus({ preventScroll: true });
  }, [here]);
  const View = page ? views[page.name] : Missing;
  return html`
    <a class="skip" href="#main">Skip to the content</a>
    <${Header} page=${page?.name ?? ""} />
    <main key=${isKnown ? "known" : "waiting"} id="main" class=${`page page-${page?.name ?? "missing"} ${connection === "lost" ? "is-stale" : ""}`} tabindex="-1">
      ${isKnown || !page ? html`<${View} key=${here} id=${id} query=${query} />` : html`<p class="empty">Loading…</p>`}
    </main>
    ${isKnown ? html`<footer class="foot">Times are in ${zone()}.</footer>` : null}
    <${Banners} />
  `;
}

function Missing() {
  return html`<div class="empty"><h1>There is no such page</h1><p><a href="/">To the overview</a></p></div>`;
}
