// @ts-check
// A list of thousands of rows of equal height, of which only those in sight exist.

import { useSize } from "../hooks.js";
import { html, useCallback, useState } from "../ui.js";

const BEYOND = 8;

/** @param {{rows: readonly any[], height: number, draw: (row: any, place: number, style: Record<string, string>) => any, label: string, head: any, columns: number}} given */
export function VirtualList({ rows, height, draw, label, head, columns }) {
  const [ref, size] = useSize();
  const [top, setTop] = useState(0);
  const onScroll = useCallback((/** @type {any} */ event) => setTop(event.currentTarget.scrollTop), []);
  const first = Math.max(0, Math.floor(top / height) - BEYOND);
  const last = Math.min(rows.length, Math.ceil((top + size.height) / height) + BEYOND);
  const seen = [];
  for (let place = first; place < last; place += 1) {
    seen.push(draw(rows[place], place, { transform: `translateY(${place * height}px)`, height: `${height}px` }));
  }
  return html`
    <div class="grid" role="table" aria-label=${label} aria-rowcount=${rows.length + 1} aria-colcount=${columns}>
      <div class="grid-body" ref=${ref} onScroll=${onScroll} role="presentation" tabindex="-1">
        ${head}
        <div class="grid-all" style=${{ height: `${rows.length * height}px` }} role="presentation">${seen}</div>
      </div>
    </div>
  `;
}
