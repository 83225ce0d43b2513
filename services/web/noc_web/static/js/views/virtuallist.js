// @ts-check
// A list of thousands of rows of equal height, of which only those in sight exist. It scrolls in a box of its own, or with the page.

import { useSize } from "../hooks.js";
import { html, useCallback, useEffect, useLayoutEffect, useRef, useState } from "../ui.js";

const BEYOND = 8;

/** Where a list is seen: how much of it is above the window, and how high the window is.
 * @param {any} ref of what scrolls, or of the list where the page does @param {boolean} withPage @param {number} height of the box */
function useSight(ref, withPage, height) {
  const [sight, setSight] = useState({ top: 0, height: 0 });
  const look = useCallback(() => {
    const element = ref.current;
    if (!element) return;
    const next = withPage ? { top: Math.max(0, -element.getBoundingClientRect().top), height: innerHeight } : { top: element.scrollTop, height: element.clientHeight };
    setSight((before) => (before.top === next.top && before.height === next.height ? before : next));
  }, [withPage]);
  useLayoutEffect(look, [look, height]);
  useEffect(() => {
    const source = withPage ? window : ref.current;
    source.addEventListener("scroll", look, { passive: true });
    window.addEventListener("resize", look);
    return () => {
      source.removeEventListener("scroll", look);
      window.removeEventListener("resize", look);
    };
  }, [look]);
  return sight;
}

/** Rows that move take the focus off what is in them: it is given back, and a focused row stays drawn, in sight or not.
 * @param {any} ref of what holds the rows */
function useKeptFocus(ref) {
  const focused = useRef(/** @type {{row: string, element: HTMLElement}|null} */ (null));
  useEffect(() => {
    const box = ref.current;
    const gain = (/** @type {any} */ event) => {
      const row = event.target.closest("[data-row]")?.dataset.row;
      focused.current = row === undefined ? null : { row, element: event.target };
    };
    // Losing it to nothing is what moving does; somewhere else is where the person went.
    const lose = (/** @type {any} */ event) => {
      if (event.relatedTarget) focused.current = null;
    };
    const leave = (/** @type {any} */ event) => {
      if (!box.contains(event.target)) focused.current = null;
    };
    box.addEventListener("focusin", gain);
    box.addEventListener("focusout", lose);
    document.addEventListener("pointerdown", leave);
    return () => {
      box.removeEventListener("focusin", gain);
      box.removeEventListener("focusout", lose);
      document.removeEventListener("pointerdown", leave);
    };
  }, []);
  useLayoutEffect(() => {
    const kept = focused.current;
    if (!kept || document.activeElement !== document.body) return;
    if (kept.element.isConnected) kept.element.focus({ preventScroll: true });
    else {
      focused.current = null;
      ref.current.focus({ preventScroll: true });
    }
  });
  return focused;
}

/** @param {{rows: readonly {id: string}[], height: number, draw: (row: any, place: number, style: Record<string, string>) => any, label: string,
 *   head: any, columns: number, withPage?: boolean, style?: Record<string, any>}} given `draw` puts `data-row` with the row's id on what it draws */
export function VirtualList({ rows, height, draw, label, head, columns, withPage = false, style = {} }) {
  const [ref, size] = useSize();
  const list = useRef(/** @type {HTMLElement|null} */ (null));
  const sight = useSight(withPage ? list : ref, withPage, size.height);
  const focused = useKeptFocus(ref);
  const first = Math.max(0, Math.floor(sight.top / height) - BEYOND);
  const last = Math.min(rows.length, Math.ceil((sight.top + sight.height) / height) + BEYOND);
  const places = [];
  for (let place = first; place < last; place += 1) places.push(place);
  const kept = focused.current ? rows.findIndex((row) => row.id === focused.current?.row) : -1;
  if (kept >= 0 && (kept < first || kept >= last)) places.push(kept);
  return html`
    <div class=${`grid ${withPage ? "with-page" : ""}`} ref=${ref} tabindex="-1" style=${style}>
      <div role="table" aria-label=${label} aria-rowcount=${rows.length + 1} aria-colcount=${columns}>
        <div role="rowgroup" class="grid-top">${head}</div>
        <div class="grid-all" ref=${list} style=${{ height: `${rows.length * height}px` }} role="rowgroup">
          ${places.map((place) => draw(rows[place], place, { transform: `translateY(${place * height}px)`, height: `${height}px` }))}
        </div>
      </div>
    </div>
  `;
}
