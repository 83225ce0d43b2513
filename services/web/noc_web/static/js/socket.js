// @ts-check
// The live connection. Only this file knows Socket.IO.

import { io } from "../vendor/socket.io-client-4.8.4.js";
import { isGap } from "./store.js";

const STALE_MS = 15_000;
const REFRESH_MS = 10_000;
const REFUSED_MS = 5_000;
/** A greeting that nobody has answered for so long is given up. */
const HELLO_MS = 30_000;
/** With the random half that the library adds, no wait between two attempts is longer than 10 s. */
const LONGEST_WAIT_MS = 6_600;
const REPLIES_KEPT = 20;

export class Live {
  /** @param {import("./store.js").Store} store @param {() => void} refused called where the server wants a log-in @param {typeof io} connect */
  constructor(store, refused, connect = io) {
    this.store = store;
    this.watched = /** @type {string|null} */ (null);
    /** @type {Record<string, Set<(said: any) => void>>} */
    this.listeners = { result: new Set(), reply: new Set() };
    /** The last ones: a reply may be here before the page knows the name of its request.
     * @type {any[]} */
    this.replies = [];
    /** When hello was said that has no answer yet; 0: none. */
    this.askedAt = 0;
    this.patience = 0;
    this.socket = connect({ transports: ["websocket"], reconnectionDelay: 500, reconnectionDelayMax: LONGEST_WAIT_MS, randomizationFactor: 0.5 });
    this.socket.on("connect", () => this.greet());
    this.socket.on("connect_error", (/** @type {Error & {data?: {code?: string}}} */ error) => {
      this.lose();
      const isLoggedOut = error.data?.code === "log-in";
      if (isLoggedOut) refused();
      if (this.socket.active) {
        store.happen({ kind: "unreached" });
        return;
      }
      // The server itself refused, after which the library waits to be told; what hinders may pass.
      store.happen({ kind: "refused", sentence: isLoggedOut ? "you are logged out" : error.message });
      setTimeout(() => this.socket.connect(), REFUSED_MS);
    });
    this.socket.on("disconnect", (/** @type {string} */ reason) => {
      this.lose();
      // After a disconnection by the server the library waits to be told.
      if (reason === "io server disconnect") setTimeout(() => this.socket.connect(), 1000);
    });
    this.socket.on("snapshot", (/** @type {any} */ said) => {
      this.askedAt = 0;
      this.hear("snapshot", said);
    });
    this.socket.on("delta", (/** @type {any} */ said) => {
      if (isGap(store.state, said)) this.ask();
      else this.askedAt = 0;
      this.hear("delta", said);
    });
    this.socket.on("tick", (/** @type {any} */ said) => {
      if (said.revision === store.state.revision) this.askedAt = 0;
      else if (store.state.boot !== null && said.revision > store.state.revision) this.ask();
      this.hear("tick", said);
    });
    this.socket.on("result", (/** @type {any} */ said) => this.tell("result", said));
    this.socket.on("reply", (/** @type {any} */ said) => {
      this.replies = [...this.replies, said].slice(-REPLIES_KEPT);
      this.tell("reply", said);
    });
    this.looking = setInterval(() => this.look(), 1000);
  }

  greet() {
    this.store.happen({ kind: "accepted" });
    this.askedAt = 0;
    this.ask();
    // Pressed while there was no connection.
    if (this.store.state.refreshing) this.socket.emit("refresh", {});
    if (this.watched) this.socket.emit("watch", { target: this.watched });
  }

  /** Have what was missed sent, or everything: once, until it is here. */
  ask() {
    const nowMs = Date.now();
    if (nowMs - this.askedAt < HELLO_MS) return;
    this.askedAt = nowMs;
    const { revision, boot } = this.store.state;
    this.socket.emit("hello", { revision, boot });
  }

  refresh() {
    this.store.happen({ kind: "refresh-asked" });
    if (this.socket.connected) this.socket.emit("refresh", {});
    else this.socket.connect();
    clearTimeout(this.patience);
    this.patience = setTimeout(() => this.store.happen({ kind: "refresh-failed" }), REFRESH_MS);
  }

  /** Get the results of one target, as they arrive. @param {string|null} target */
  watch(target) {
    this.watched = target;
    if (this.socket.connected) this.socket.emit("watch", { target });
  }

  /** @param {"result"|"reply"} event @param {any} said */
  tell(event, said) {
    this.listeners[event].forEach((listener) => listener(said));
  }

  /** @param {"result"|"reply"} event @param {(said: any) => void} listener @returns {() => void} that ends it */
  on(event, listener) {
    this.listeners[event].add(listener);
    return () => this.listeners[event].delete(listener);
  }

  /** @param {string} kind @param {any} said */
  hear(kind, said) {
    this.store.happen({ kind, said, nowMs: Date.now() });
  }

  /** A connection that says nothing is none. */
  look() {
    const { heardAt, connection } = this.store.state;
    if (connection === "live" && heardAt !== null && Date.now() - heardAt > STALE_MS) this.lose();
  }

  lose() {
    this.store.happen({ kind: "connection", connection: this.store.state.heardAt === null ? "connecting" : "lost" });
  }
}
