// @ts-check
// What views need again and again: a part of the store, the time, an answer of the API, a size.

import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "./ui.js";
import { api } from "./api.js";
import { live, store } from "./wiring.js";

const PATIENCE_MS = 60_000;

/** A part of the state, drawn anew when it has changed.
 * @template T @param {(state: import("./store.js").State) => T} pick @returns {T} */
export function useStore(pick) {
  const [, redraw] = useState(0);
  const latest = useRef(/** @type {any} */ (null));
  latest.current = { pick, value: pick(store.state) };
  useEffect(() => {
    const look = () => {
      if (!Object.is(latest.current.pick(store.state), latest.current.value)) redraw((count) => count + 1);
    };
    const end = store.subscribe(look);
    // Effects run after the page is painted: what happened since it was drawn has told nobody.
    look();
    return end;
  }, []);
  return latest.current.value;
}

/** What is made of all targets, such as suggestions: anew when one comes, goes, or is called or grouped otherwise. How they are draws nothing.
 * @template T @param {(rows: import("./store.js").State["rows"]) => T} make @returns {T} */
export function useTargets(make) {
  const catalog = useStore((state) => state.catalog);
  return useMemo(() => make(store.state.rows), [catalog]);
}

/** The server's time, renewed every so often. @param {number} everyMs */
export function useNow(everyMs = 1000) {
  const [now, setNow] = useState(store.nowMs());
  useEffect(() => {
    const timer = setInterval(() => setNow(store.nowMs()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}

/** A GET and its answer; the last answer stays while a new one is on its way.
 * @param {string|null} path null: nothing is asked @param {Record<string, any>} [query] @param {any[]} changes it is asked again when one of these is another
 * @returns {{answer: any, error: any, busy: boolean, again: () => void}} */
export function useLoaded(path, query = {}, ...changes) {
  const key = path === null ? null : path + JSON.stringify(query);
  const [count, setCount] = useState(0);
  const [found, setFound] = useState({ key: /** @type {string|null} */ (null), answer: null, error: null, busy: false });
  const again = useCallback(() => setCount((before) => before + 1), []);
  useEffect(() => {
    if (path === null) return undefined;
    const stop = new AbortController();
    setFound((before) => ({ ...before, busy: true }));
    api.get(path, query, stop.signal).then(
      (answer) => setFound({ key, answer, error: null, busy: false }),
      (error) => error.name !== "AbortError" && setFound((before) => ({ ...before, error, busy: false })),
    );
    return () => stop.abort();
  }, [key, count, ...changes]);
  return { ...found, again };
}

/** Several GETs of one kind, and their answers by path once all are there; the last answers stay meanwhile.
 * @param {readonly string[]} paths @param {Record<string, any>} query @returns {{answers: Record<string, any>, error: any}} */
export function useAllLoaded(paths, query) {
  const key = JSON.stringify([paths, query]);
  const [found, setFound] = useState({ answers: /** @type {Record<string, any>} */ ({}), error: /** @type {any} */ (null) });
  useEffect(() => {
    const stop = new AbortController();
    Promise.all(paths.map((path) => api.get(path, query, stop.signal))).then(
      (answers) => setFound({ answers: Object.fromEntries(paths.map((path, place) => [path, answers[place]])), error: null }),
      (error) => error.name !== "AbortError" && setFound((before) => ({ ...before, error })),
    );
    return () => stop.abort();
  }, [key]);
  return found;
}

/** Something a person does that takes a moment: whether it is under way and how it failed.
 * @param {(...given: any[]) => Promise<any>} act */
export function useAction(act) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(/** @type {any} */ (null));
  const run = async (/** @type {any[]} */ ...given) => {
    setBusy(true);
    setError(null);
    try {
      return await act(...given);
    } catch (failure) {
      setError(failure);
      return undefined;
    } finally {
      setBusy(false);
    }
  };
  return { run, busy, error };
}

/** Which of a list's things is being edited or removed, for the dialogs that do it.
 * @param {(one: any) => Promise<any>} remove @param {() => void} [changed] called after either is done */
export function useEditing(remove, changed = () => undefined) {
  const [editing, edit] = useState(/** @type {any} */ (null));
  const [removing, askToRemove] = useState(/** @type {any} */ (null));
  const removal = useAction(async () => {
    await remove(removing);
    askToRemove(null);
    changed();
  });
  return {
    editing,
    removing,
    removal,
    edit,
    askToRemove,
    close: () => (edit(null), askToRemove(null)),
    saved: () => (edit(null), changed()),
  };
}

/** A command to a site: `take` gets its reply, or each part of it; an error in it, or no reply in time, becomes the refusal.
 * @param {string} path @param {(reply: import("./messages.d.ts").Reply) => void} take */
export function useCommand(path, take) {
  const [asked, setAsked] = useState(/** @type {{request: string, site: string}|null} */ (null));
  const [refusal, setRefusal] = useState("");
  const [heard, setHeard] = useState(0);
  const hear = (/** @type {import("./messages.d.ts").Reply} */ reply) => {
    if (reply.request !== asked?.request) return;
    if (reply.done) setAsked(null);
    else setHeard((before) => before + 1);
    if (reply.error) setRefusal(`${reply.site}: ${reply.error}`);
    else take(reply);
  };
  useEvent("reply", hear);
  useEffect(() => {
    if (asked) live.replies.forEach(hear);
  }, [asked]);
  useEffect(() => {
    if (!asked) return undefined;
    const timer = setTimeout(() => {
      setAsked(null);
      setRefusal(`The site ${asked.site} has not answered within ${PATIENCE_MS / 1000} s; try again or choose another.`);
    }, PATIENCE_MS);
    return () => clearTimeout(timer);
  }, [asked, heard]);
  const { run, busy, error } = useAction(async (body) => {
    setRefusal("");
    setAsked(await api.post(path, body));
  });
  return { run, busy: busy || asked !== null, asked, refusal, error };
}

/** The size of an element, followed. @returns {[any, {width: number, height: number}]} */
export function useSize() {
  const ref = useRef(/** @type {HTMLElement|null} */ (null));
  const [size, setSize] = useState({ width: 0, height: 0 });
  useLayoutEffect(() => {
    const element = ref.current;
    if (!element) return undefined;
    const measure = () => setSize({ width: element.clientWidth, height: element.clientHeight });
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return [ref, size];
}

/** Whether a media query holds, followed. @param {string} text */
export function useMedia(text) {
  const [holds, setHolds] = useState(matchMedia(text).matches);
  useEffect(() => {
    const query = matchMedia(text);
    const follow = () => setHolds(query.matches);
    query.addEventListener("change", follow);
    follow();
    return () => query.removeEventListener("change", follow);
  }, [text]);
  return holds;
}

/** Be told of results or replies while shown. @param {"result"|"reply"} event @param {(said: any) => void} listener */
export function useEvent(event, listener) {
  const latest = useRef(listener);
  latest.current = listener;
  useEffect(() => live.on(event, (said) => latest.current(said)), [event]);
}
