// What store.js, as the browser runs it, makes of a page and a delta: a line of JSON in, a line of JSON out.

import { createInterface } from "node:readline";
import { load } from "./static.js";

const { INITIAL, reduce } = await load("store.js");

for await (const line of createInterface({ input: process.stdin })) {
  const { page, delta } = JSON.parse(line);
  const before = reduce(INITIAL, { kind: "snapshot", said: page, nowMs: Date.parse(page.at) });
  const { boot, revision, at, kpis, allWell, nobodyTold, rows, sites, incidents, trouble, services, changes, noted } = reduce(before, { kind: "delta", said: delta, nowMs: Date.parse(delta.at) });
  const after = { ...page, boot, revision, at, kpis, all_well: allWell, nobody_told: nobodyTold, targets: [...rows.values()], sites, incidents, trouble, services, changes, noted };
  process.stdout.write(`${JSON.stringify(after)}\n`);
}
