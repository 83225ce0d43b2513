// @ts-check
// The wiring of the page: one store, and the live connection that fills it.

import { api } from "./api.js";
import { Live } from "./socket.js";
import { Store } from "./store.js";

export const store = new Store();
// Any request finds out whether the log-in has ended, and then goes there.
export const live = new Live(store, () => api.get("/me").catch(() => undefined));
