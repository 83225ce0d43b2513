// Rendered from noc_web.live.rows by `python -m noc_web.live.render`; do not edit.
import type { Covered, Incident, State, VerdictState } from "./messages.d.ts";

/** What changed since the revision before. */
export interface Delta {
  revision: number;
  at: string;
  /** total and a count for every state; total is their sum */
  kpis: Record<string, number>;
  /** true: something is measured, nothing is wrong, and everything is known */
  all_well: boolean;
  /** true: no mail is set up, so nobody will be told of an incident */
  nobody_told: boolean;
  targets: TargetRow[];
  removed: string[];
  sites: SiteRow[];
  removed_sites: string[];
  incidents: Incident[];
  removed_incidents: string[];
  /** null: as before */
  trouble: string[] | null;
  /** null: as before */
  services: Record<string, boolean> | null;
  /** null: as before */
  maintenances: RunningMaintenance[] | null;
  /** null: as before */
  changes: RecentChange[] | null;
  /** null: as before */
  noted: Record<string, string> | null;
}

/** To an incident; of one moment in this order. */
export type Happened = "ended" | "joined" | "left" | "opened";

/** An incident opened or ended, or one target of it joined or left it a while after the others. */
export interface RecentChange {
  at: string;
  what: Happened;
  incident: string;
  /** of the incident */
  kind: string;
  /** of the incident */
  cause: string;
  /** the first of them; null: it is about none */
  target: string | null;
  /** of the target, as it was then, or the site; null: the NOC itself */
  name: string | null;
  /** how many targets */
  total: number;
  /** of the one that joined or left, in the incident */
  state: VerdictState | null;
  /** how long it was; null: it began */
  lasted_s: number | null;
}

/** A maintenance of which a window runs now. */
export interface RunningMaintenance {
  id: string;
  title: string;
  covers: Covered[];
  since: string;
  /** null: nobody knows its end */
  until: string | null;
}

/** How one site sees one target. */
export interface SiteCell {
  state: State;
  since: string | null;
  reason: string;
  /** of `reason` */
  code: string | null;
  /** median of the last valid cycle (DEGRADED: as judged); null: no answer */
  rtt_ms: number | null;
  /** of the last valid cycle (DEGRADED: as judged) */
  loss_pct: number | null;
  /** of the last valid cycle: the age of the figures */
  at: string | null;
}

export interface SiteRow {
  id: string;
  label: string;
  location: string;
  anchors: string[];
  expected: boolean;
  /** false: known only because its prober announced itself */
  configured: boolean;
  /** true: its key lets nobody in */
  disabled: boolean;
  online: boolean;
  isolated: boolean;
  /** true: it loses cycles to its own lateness or drops */
  overloaded: boolean;
  /** share of the last minute's cycles that could be measured; null: none was due */
  coverage_pct: number | null;
  since: string | null;
  /** when its prober spoke last, by its own clock; null: it is online, or that is not known */
  seen_at: string | null;
  targets: number;
  echoes_per_s: number;
  lateness_ms: number;
  drops: number;
  journal_depth: number;
  version: string;
  /** how many releases its prober is behind this server; negative: ahead; one either way works; null: not known, or the major number differs */
  versions_behind: number | null;
  /** how far its clock is ahead of this server's; negative: behind; null: not known */
  clock_ahead_ms: number | null;
  /** true: it differs by more than 2 s */
  clock_wrong: boolean;
  /** machines whose probers speak for this site; more than one is a mistake */
  hosts: string[];
  /** of the prober's machine, as that machine has it; empty: not known */
  address: string;
}

/** Everything, as of a revision. */
export interface Snapshot {
  revision: number;
  at: string;
  /** total and a count for every state; total is their sum */
  kpis: Record<string, number>;
  /** true: something is measured, nothing is wrong, and everything is known */
  all_well: boolean;
  /** true: no mail is set up, so nobody will be told of an incident */
  nobody_told: boolean;
  /** names this start of the server: revisions count from it */
  boot: string;
  /** false: not everything that is retained has arrived yet */
  complete: boolean;
  targets: TargetRow[];
  sites: SiteRow[];
  /** open ones, newest first */
  incidents: Incident[];
  /** what keeps the system itself from its work now */
  trouble: string[];
  /** by central service: is it online */
  services: Record<string, boolean>;
  /** those that run now, the first to end first */
  maintenances: RunningMaintenance[];
  /** the last ones, newest first, also of what is over; null: the history has not said yet */
  changes: RecentChange[] | null;
  /** by incident that is over, the latest of these: when somebody last wrote of it */
  noted: Record<string, string>;
}

export interface TargetRow {
  id: string;
  name: string;
  address: string;
  group: string;
  tags: string[];
  critical: boolean;
  paused: boolean;
  interval_s: number;
  state: VerdictState;
  since: string | null;
  reason: string;
  /** of `reason` */
  code: string | null;
  sites: Record<string, SiteCell>;
  /** of the worst site that sees it, `rtt_site`; null: it answers none */
  rtt_ms: number | null;
  rtt_site: string | null;
  /** of the best site that sees it */
  rtt_min_ms: number | null;
  /** of the worst site that sees it */
  rtt_max_ms: number | null;
  /** of the worst site that sees it, `loss_site` */
  loss_pct: number | null;
  loss_site: string | null;
  /** the open incident it is part of */
  incident: string | null;
  /** the maintenance that it is in; null: none */
  maintenance: string | null;
  /** its end; null: it is in none, or it has no end */
  maintenance_until: string | null;
  /** what it would be called otherwise; null: it is in none */
  measured: VerdictState | null;
}

/** A sign of life where nothing changes. */
export interface Tick {
  at: string;
  revision: number;
}
