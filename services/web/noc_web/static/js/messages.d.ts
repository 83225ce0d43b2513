// Rendered from the messages by `python -m noc_bus.render`; do not edit.

/** A person has taken an incident on. */
export interface Acknowledgement {
  /** rises with every retained message of its writer; null: an older writer's */
  rev: number | null;
  /** lower-case letters, digits and hyphens, at most 63 */
  incident: string;
  by: string;
  at: string;
  comment: string;
  /** true: it is taken back, and nobody has the incident */
  withdrawn: boolean;
  /** from when on nobody has it any more; null: not before it is over */
  until: string | null;
}

/** What echo requests to an address that need be no target gave so far. */
export interface AddressPing {
  /** what was pinged; empty: none known */
  address: string;
  /** echo requests when it is done */
  planned: number;
  /** echo requests that left this machine */
  sent: number;
  /** of the answered ones, in the order sent */
  rtts_ms: number[];
  /** ICMP errors and local send errors, each once: evidence, not loss */
  errors: string[];
  /** one for each of `errors`, in their order */
  error_codes: string[];
  /** why the figures say nothing about the address; null: they do */
  invalid: string | null;
  invalid_code: string | null;
}

/** The path from a site to an address that need be no target. */
export interface AddressTrace {
  address: string;
  /** true: the address itself answered */
  reached: boolean;
  hops: Hop[];
}

/** A target as one site is to ping and judge it: what its prober needs, and nothing that is for people. */
export interface Assignment {
  /** rises with every retained message of its writer; null: an older writer's */
  rev: number | null;
  /** names it in topics and addresses, for good */
  id: string;
  /** IPv4 address, IPv6 address or host name */
  address: string;
  /** which addresses of a name are pinged; auto takes the first the resolver gives */
  family: "4" | "6" | "auto" | "both";
  /** seconds between the starts of two cycles */
  interval_s: number;
  /** echo requests in a cycle, per address */
  packets: number;
  /** between two echo requests of a cycle */
  packet_gap_ms: number;
  /** an echo reply later than this is lost */
  timeout_ms: number;
  /** ICMP payload */
  size_bytes: number;
  /** IP time to live or hop limit; null: the system's */
  ttl: number | null;
  /** unanswered checks in a row until DOWN */
  down_after: number;
  /** answered checks in a row until DOWN ends */
  up_after: number;
  /** loss over the last five cycles from which the target is DEGRADED; null: never */
  degraded_loss_pct: number | null;
  /** one that is DEGRADED for its loss is so until that is below this; null: below what it began at */
  degraded_loss_clear_pct: number | null;
  /** median RTT over the last five cycles from which it is DEGRADED; null: never */
  degraded_rtt_ms: number | null;
  /** one that is DEGRADED for its RTT is so until that is below this; null: below what it began at */
  degraded_rtt_clear_ms: number | null;
  /** jitter over the last five cycles (by how much the 95th percentile of the RTT exceeds its median) from which it is DEGRADED; null: never */
  degraded_jitter_ms: number | null;
  /** one that is DEGRADED for its jitter is so until that is below this; null: below what it began at */
  degraded_jitter_clear_ms: number | null;
  /** those of its parents that the site pings: looked at when it falls silent */
  parents: string[];
  /** true: not pinged, not judged */
  paused: boolean;
}

/** What is assigned to one site, so that its prober knows whether it has it all. Every 10 s. */
export interface AssignmentSummary {
  /** lower-case letters, digits and hyphens, at most 63 */
  site: string;
  /** of the messages below `assignments/{site}` */
  assigned: Summary;
  /** when this was sent, by the clock of the web service */
  at: string;
}

/** Do this once, now: `check` runs a target's cycle, `ping` sends a few echo requests to an address that need be no target, `trace` follows the path to either. The verb is in the topic. */
export interface Command {
  /** chosen by the sender; the reply carries it */
  request: string;
  /** null: `address` instead */
  target: string | null;
  /** null: `target` instead */
  address: string | null;
  /** a command older than 60 s is not carried out */
  at: string;
}

/** What a person said of an incident. */
export interface Comment {
  by: string;
  at: string;
  text: string;
}

/** What a maintenance window is about. */
export interface Covered {
  /** a group with all groups below; a site: what only it sees, and its own silence; an incident: it is snoozed; everything: with no name */
  kind: "everything" | "group" | "incident" | "site" | "tag" | "target";
  /** an id, a path of groups, or a tag */
  name: string;
}

/** Something just happened. A hint to look: what counts is retained elsewhere. */
export interface Event {
  /** target-went-down, target-came-up, target-changed, incident-opened, incident-resolved, incident-acknowledged, incident-noted (somebody commented on it or wrote its post-mortem) or incident-found (in data that came late, after it was over); new kinds may come */
  kind: string;
  at: string;
  target: string | null;
  incident: string | null;
  site: string | null;
  /** the verdict from now on */
  state: VerdictState | null;
  /** the verdict until now */
  before: VerdictState | null;
  text: string;
}

/** A target or a site was deleted, and its history with it: nothing of the time until then is to be kept. What is dated later belongs to one that was made anew under the name. */
export interface Forgotten {
  /** rises with every retained message of its writer; null: an older writer's */
  rev: number | null;
  kind: "site" | "target";
  /** the id of the target or site */
  name: string;
  /** when it was deleted */
  at: string;
}

/** A path on which the target itself answered. */
export interface GoodPath {
  at: string;
  address: string;
  hops: Hop[];
}

/** One step on the way to a target. Address, name and times are those of the first that answered. */
export interface Hop {
  ttl: number;
  /** null: nobody answered */
  address: string | null;
  /** reverse name of the address, where known */
  name: string | null;
  rtts_ms: number[];
  /** all that answered, in the order heard; null: an older prober's */
  routers: Router[] | null;
}

/** Something is wrong, from the moment it was decided until it was over. */
export interface Incident {
  /** rises with every retained message of its writer; null: an older writer's */
  rev: number | null;
  /** lower-case letters, digits and hyphens, at most 63 */
  id: string;
  /** target-down, mass-outage (a site lost sight of many targets at once), target-unresolvable, target-partial, target-degraded, site-blind, duplicate, broker-lost, service-trouble, service-away, notices-refused, clock-wrong or expiring; new kinds may come */
  kind: string;
  /** critical, major or minor; null: an older alerter's */
  severity: string | null;
  /** those of `members` */
  targets: string[];
  /** its targets as they were, critical ones first; not all of many */
  members: Member[];
  /** how many targets are or were part of it */
  total_members: number;
  /** how many targets are part of it; null: an older alerter's */
  open_members: number | null;
  /** the incident that it turned out to be part of; null: it is one of its own */
  merged_into: string | null;
  /** the site that is blind, where that is the incident */
  site: string | null;
  /** from which its targets were DOWN, as people were first told */
  sites: string[];
  opened_at: string;
  acknowledged: Acknowledgement | null;
  /** null while it is open */
  resolved_at: string | null;
  cause: string;
  /** of `cause` */
  code: string | null;
  evidence: string[];
  /** of the target of `cause`, by site that called it DOWN: when the first check began to which nothing came back, by the site's clock; empty: an older alerter's, or of no target */
  first_unanswered: Record<string, string>;
  /** why nobody is mailed of any of it now; null: people are */
  muted: Muting | null;
  /** when data that came late showed it, after it was over; null: it was noticed while it lasted */
  found_at: string | null;
  /** when somebody last commented on it or wrote its post-mortem; null: nobody has. Of one that is over, its message comes again */
  noted_at: string | null;
  /** the latest of what people said of it, the oldest of that first; its timeline has all */
  comments: Comment[];
}

/** What is kept of an incident: a page of its members, what happened to it, and who was mailed. The answer to a note has the incident and its post-mortem only. */
export interface IncidentAnswer {
  /** lower-case letters, digits and hyphens, at most 63 */
  request: string;
  at: string;
  /** null: none of this id is kept */
  incident: Incident | null;
  /** critical ones first */
  members: Member[];
  /** the latest, comments before all else, told oldest first */
  timeline: TimelineEntry[];
  /** null: nobody has written it */
  post_mortem: PostMortem | null;
  /** the latest, oldest first */
  mails: SentMail[];
}

/** Keep what a person writes of an incident, open or over. Answered once it is kept; the same one twice is kept once. */
export interface IncidentNote {
  /** chosen by the sender; the answer carries it */
  request: string;
  /** lower-case letters, digits and hyphens, at most 63 */
  incident: string;
  at: string;
  by: string;
  /** a comment is added to its timeline; the post-mortem, of which it has one, is replaced */
  kind: "comment" | "post-mortem";
  /** of a comment 500 characters at most; an empty post-mortem removes it */
  text: string;
  /** the `at` of the post-mortem that it is to replace, null: there is none; where there is another it is not kept, and the answer has that one */
  replaces: string | null;
}

/** Tell all that is kept of an incident, open or over. */
export interface IncidentQuery {
  /** chosen by the sender; the answer carries it */
  request: string;
  /** lower-case letters, digits and hyphens, at most 63 */
  incident: string;
  at: string;
  /** how many of its members to leave out */
  offset: number;
  /** how many of its members to tell */
  limit: number;
}

/** Incidents that only data that came late showed, each of them over. A part is sent again until the alerter answers that it has it, which takes each once; then comes the next. An incident with more members than it has room for is in several parts, each time with others of them. */
export interface LateOutages {
  /** names what was found at one moment; the answers carry it */
  finding: string;
  part: number;
  /** of so many; with the last people are told */
  parts: number;
  /** when it was found */
  at: string;
  /** whose data came late */
  sites: string[];
  incidents: Incident[];
  /** those of them of which nobody would have been told in time */
  quiet: string[];
}

/** The alerter keeps these incidents: from now on it sees to them. */
export interface LateOutagesAnswer {
  /** lower-case letters, digits and hyphens, at most 63 */
  finding: string;
  part: number;
  at: string;
}

/** Send a test mail now to everybody who is told of an incident when nobody else is. */
export interface MailTest {
  /** chosen by the sender; what comes of it carries it */
  request: string;
  at: string;
  /** send it to this contact instead; null: to everybody */
  contact: string | null;
  /** true: no mail, ask for the address of the heartbeat once */
  heartbeat: boolean;
}

/** One of the test mails. With neither `answer` nor `error` it is still under way. */
export interface MailTestAnswer {
  to: string;
  /** the mail server's own words on taking it */
  answer: string | null;
  /** why it was not taken, with the cure */
  error: string | null;
}

/** What has come of test mails so far: sent at once, and again whenever a mail server has answered. */
export interface MailTestResult {
  /** lower-case letters, digits and hyphens, at most 63 */
  request: string;
  at: string;
  mails: MailTestAnswer[];
  /** true: nothing is under way any more */
  done: boolean;
  /** null: they were sent */
  error: string | null;
  /** of `error`: no-mail or busy; new ones may come */
  code: string | null;
}

/** Planned work: while one of its windows runs, what it covers is measured and judged, and nobody is mailed of it. A weekly or monthly window runs wherever the wall clock of its zone shows a time from `from_time` up to `to_time`: of a night whose clocks go forward the hour that is skipped is missing, and one that comes twice counts twice. */
export interface Maintenance {
  /** rises with every retained message of its writer; null: an older writer's */
  rev: number | null;
  /** lower-case letters, digits and hyphens, at most 63 */
  id: string;
  /** what is done, or why */
  title: string;
  covers: Covered[];
  repeats: "monthly" | "once" | "weekly";
  /** start of the window; of one that repeats: none starts before */
  starts_at: string;
  /** end of the window; of one that repeats: none lasts longer; null: it has no end */
  ends_at: string | null;
  /** a time zone of the IANA list, like Europe/Berlin */
  zone: string;
  /** null: it does not repeat */
  from_time: string | null;
  /** not after `from_time`: on the next day; null: it does not repeat */
  to_time: string | null;
  /** on which it starts: weekly, or monthly in `weeks` */
  weekdays: ("fri" | "mon" | "sat" | "sun" | "thu" | "tue" | "wed")[];
  /** of the month, on which it starts; -1: the last; a day that a month lacks: not in that month */
  days: number[];
  /** of the month, for `weekdays`: 1 is the first such weekday, -1 the last */
  weeks: number[];
  /** from here to `skipped_until` it does not run: it was ended early; null: it was not */
  skipped_from: string | null;
  skipped_until: string | null;
  /** who set it up, or changed it last */
  by: string;
  /** when it was set up, or changed last */
  at: string;
}

/** Everything of this site's journal up to and including `seq` is stored durably. */
export interface Mark {
  /** rises with every retained message of its writer; null: an older writer's */
  rev: number | null;
  /** lower-case letters, digits and hyphens, at most 63 */
  site: string;
  epoch: number;
  /** -1: nothing of this epoch yet */
  seq: number;
  at: string;
}

/** A target that is part of an incident, named as it was when it joined. */
export interface Member {
  /** lower-case letters, digits and hyphens, at most 63 */
  target: string;
  name: string;
  address: string;
  group: string;
  critical: boolean;
  joined_at: string;
  /** null: it is still part of it */
  left_at: string | null;
  /** its verdict while it was part of it: DOWN, UNREACHABLE, or any while it flaps; null: not told */
  state: VerdictState | null;
  /** the DOWN target on every path to it; null: none is */
  behind: string | null;
  /** true: it changes so often that not every change is told; it stays part of the incident */
  flapping: boolean;
  /** why nobody is mailed of it; null: people are */
  muted: Muting | null;
}

/** Why nobody is mailed. */
export interface Muting {
  /** maintenance, site-maintenance (only sites in maintenance see it DOWN), parent-maintenance (it lies behind one in maintenance), snoozed, or confirming (the window is over; a fresh check is waited for); new ones may come */
  code: string;
  /** the id of the maintenance */
  maintenance: string;
  /** that of the maintenance */
  title: string;
  since: string;
  /** the end of the window; null: it has none, or is over */
  until: string | null;
}

/** What people have learnt from an incident. */
export interface PostMortem {
  /** who wrote it, or changed it last */
  by: string;
  /** when it was written, or changed last */
  at: string;
  text: string;
}

/** What one cycle of echo requests to one target from one site gave. */
export interface ProbeResult {
  /** lower-case letters, digits and hyphens, at most 63 */
  site: string;
  /** lower-case letters, digits and hyphens, at most 63 */
  target: string;
  epoch: number;
  /** number of the record in the site's journal, without gaps in an epoch */
  seq: number;
  /** the cycle's scheduled start; with site and target it names the cycle */
  at: string;
  /** what was pinged; two addresses, comma between, where family is both; empty: none known */
  address: string;
  /** echo requests that left this machine */
  sent: number;
  /** of those, answered in time */
  received: number;
  /** of the answered ones, in the order sent */
  rtts_ms: number[];
  /** replies that came after the timeout */
  late: number;
  /** second and further replies to one request */
  duplicates: number;
  /** ICMP errors and local send errors, each once: evidence, not loss */
  errors: string[];
  /** one for each of `errors`, in their order */
  error_codes: string[];
  /** why this cycle is not measurable (late schedule, dropped packets, no route, no address); null: it is */
  invalid: string | null;
  invalid_code: string | null;
}

/** Whether a site's prober is there and fit to vote. Also its last will, with online false. */
export interface ProberPresence {
  online: boolean;
  version: string;
  /** when this process started */
  since: string | null;
  /** names this start of the process, at random */
  instance: string | null;
  /** name of the machine it runs on */
  host: string;
  /** of that machine, as its own end of the connection to the broker has it */
  address: string;
  /** the machine where another one with this name was started, and keeps silent; null: none */
  rival: string | null;
  /** true: another one with this name was there first; this one publishes nothing but this */
  silenced: boolean;
  /** by channel, what its writer has retained; null: an older writer, which does not tell */
  retained: Record<string, Summary> | null;
  /** lower-case letters, digits and hyphens, at most 63 */
  site: string;
  /** names the journal; a new journal has a higher one */
  epoch: number | null;
  /** the sequence number the next record will get */
  next_seq: number | null;
  /** targets on its schedule, paused ones not counted */
  targets: number;
  /** echo requests sent, mean of the last 10 s */
  echoes_per_s: number;
  /** worst delay of a scheduled send in the last 10 s */
  lateness_ms: number;
  /** packets the kernel dropped from the ICMP sockets since the start */
  drops: number;
  /** true: none of its anchors answers, so it casts no vote */
  isolated: boolean;
  /** records the recorder's mark has not reached */
  journal_depth: number;
  /** records lost since the start: the journal was full, or could not be written fast enough */
  lost_records: number;
  /** the site's wall clock as this was sent, to compare with your own */
  clock: string | null;
  /** share of the last minute's cycles that could be measured; null: none was due */
  coverage_pct: number | null;
  /** true: it loses cycles to its own lateness or drops, so it casts no vote */
  overloaded: boolean;
}

/** A run of journal records that the recorder's mark has not reached, without holes. */
export interface Replay {
  /** lower-case letters, digits and hyphens, at most 63 */
  site: string;
  epoch: number;
  /** first record the journal still has; older ones are gone for good */
  oldest_seq: number;
  first_seq: number;
  last_seq: number;
  results: ProbeResult[];
  states: SiteState[];
}

/** The answer to a command: an error, or what was asked for. That of `ping` comes in parts. */
export interface Reply {
  /** lower-case letters, digits and hyphens, at most 63 */
  request: string;
  /** lower-case letters, digits and hyphens, at most 63 */
  site: string;
  /** null: `asked` instead */
  target: string | null;
  /** the address of the command; null: it named a target */
  asked: string | null;
  at: string;
  /** null: it was carried out */
  error: string | null;
  /** of `error` */
  code: string | null;
  /** of `check` */
  result: ProbeResult | null;
  /** of `trace`, to a target */
  trace: Trace | null;
  /** of `ping`, and all of it so far */
  ping: AddressPing | null;
  /** of `trace`, to an address */
  address_trace: AddressTrace | null;
  /** false: more will follow */
  done: boolean;
}

/** Mail a report to these people. It is sent again until the alerter answers that it is in its outbox, which takes each report once. */
export interface ReportMail {
  /** names this report of this period; the answer carries it */
  report: string;
  at: string;
  to: string[];
  subject: string;
  text: string;
  html: string;
}

/** A report is in the outbox: from now on the alerter sees to it. */
export interface ReportMailAnswer {
  /** lower-case letters, digits and hyphens, at most 63 */
  report: string;
  at: string;
}

/** One of those who answered at a step of the way. */
export interface Router {
  address: string;
  /** reverse name of the address, where known */
  name: string | null;
  rtts_ms: number[];
  /** why it let the packet go no further, where that was not its time to live */
  code: string | null;
  /** the same in words */
  reason: string | null;
}

/** Settings for one service that only this service can read, for there are secrets in them. */
export interface SealedSettings {
  /** rises with every retained message of its writer; null: an older writer's */
  rev: number | null;
  /** the service */
  reader: string;
  /** base64 of an X25519 public key and what is sealed with it for the service's `sealing_key`; for the alerter a NotificationSettings */
  content: string;
}

/** What was sent to whom, and what became of it; the latest first. */
export interface SentAnswer {
  /** lower-case letters, digits and hyphens, at most 63 */
  request: string;
  at: string;
  mails: SentMail[];
  /** how many are kept */
  total: number;
}

/** A mail about an incident to one recipient, and what became of it. */
export interface SentMail {
  to: string;
  /** opened, changed or resolved; new ones may come */
  about: string;
  /** why this recipient; empty: an older alerter's */
  because: string;
  /** null: an older alerter's, or of no single incident */
  incident: string | null;
  /** queued, sent, given-up, withdrawn (it was over before it could be sent), digested (part of the one mail that told of all after the mail server was away) or told-before (by an alerter whose database was lost); new ones may come */
  state: string;
  queued_at: string;
  sent_at: string | null;
  /** the last refusal; null: there was none */
  error: string | null;
}

/** Tell what was sent to whom. */
export interface SentQuery {
  /** chosen by the sender; the answer carries it */
  request: string;
  at: string;
  /** how many of the latest to leave out */
  offset: number;
  limit: number;
}

/** Whether a central service is there, and how it is. Also its last will, with online false. */
export interface ServicePresence {
  online: boolean;
  version: string;
  /** when this process started */
  since: string | null;
  /** names this start of the process, at random */
  instance: string | null;
  /** name of the machine it runs on */
  host: string;
  /** of that machine, as its own end of the connection to the broker has it */
  address: string;
  /** the machine where another one with this name was started, and keeps silent; null: none */
  rival: string | null;
  /** true: another one with this name was there first; this one publishes nothing but this */
  silenced: boolean;
  /** by channel, what its writer has retained; null: an older writer, which does not tell */
  retained: Record<string, Summary> | null;
  /** lower-case letters, digits and hyphens, at most 63 */
  service: string;
  /** when this was sent; every 10 s */
  at: string | null;
  /** health figures of the service, units in their names */
  figures: Record<string, number>;
  /** what keeps it from its work now; null: nothing */
  trouble: string | null;
  /** of `trouble`; no-mail also without one: nobody will be told */
  code: string | null;
  /** X25519 public key, base64, with which its settings are sealed; null: it takes none */
  sealing_key: string | null;
  /** those of its sealed settings that its environment sets, by variable, without secrets: these win */
  environment: Record<string, string>;
  /** which mail templates of one's own are not used, and why */
  template_faults: string[];
  /** the URLs that Apprise takes here begin with one of these; empty: it is not installed */
  apprise_schemes: string[];
}

/** A place from which targets are pinged. */
export interface Site {
  /** rises with every retained message of its writer; null: an older writer's */
  rev: number | null;
  /** lower-case letters, digits and hyphens, at most 63 */
  id: string;
  label: string;
  location: string;
  /** addresses that answer whenever this site has a network; all silent: isolated */
  anchors: string[];
  /** true: an incident opens when this site goes silent */
  expected: boolean;
  /** true: its key lets nobody in; it is offline, whatever its prober said last */
  disabled: boolean;
}

/** How one site sees one target. */
export interface SiteState {
  /** rises with every retained message of its writer; null: an older writer's */
  rev: number | null;
  /** lower-case letters, digits and hyphens, at most 63 */
  site: string;
  /** lower-case letters, digits and hyphens, at most 63 */
  target: string;
  epoch: number;
  /** journal number of the change; a refresh repeats it */
  seq: number;
  state: State;
  /** start of the first check that showed this state */
  since: string;
  reason: string;
  /** of `reason` */
  code: string | null;
  /** median of the last answered cycle; null: none was */
  rtt_ms: number | null;
  /** of the last valid cycle; null: none was */
  loss_pct: number | null;
  /** median of the last five cycles, where it is DEGRADED for it; null: it is not */
  judged_rtt_ms: number | null;
  /** of the last five cycles, where it is DEGRADED for it; null: it is not */
  judged_loss_pct: number | null;
  /** when this was last confirmed; refreshed at least every 60 s while pinged */
  at: string;
}

/** How a target is, as seen from one site. */
export type State = "DEGRADED" | "DOWN" | "UNKNOWN" | "UP";

/** What a writer has retained on one channel, so that a reader knows whether it has it all. */
export interface Summary {
  count: number;
  /** the sum of their `rev`, modulo 2**53 */
  rev_sum: number;
}

/** A thing to ping, with every option resolved: what its groups set is already applied. An option is declared here and nowhere else: title, unit (the end of its name), limits, and how groups hand it down. */
export interface Target {
  /** rises with every retained message of its writer; null: an older writer's */
  rev: number | null;
  /** names it in topics and addresses, for good */
  id: string;
  /** what people call it */
  name: string;
  /** IPv4 address, IPv6 address or host name */
  address: string;
  /** which addresses of a name are pinged; auto takes the first the resolver gives */
  family: "4" | "6" | "auto" | "both";
  /** seconds between the starts of two cycles */
  interval_s: number;
  /** echo requests in a cycle, per address */
  packets: number;
  /** between two echo requests of a cycle */
  packet_gap_ms: number;
  /** an echo reply later than this is lost */
  timeout_ms: number;
  /** ICMP payload */
  size_bytes: number;
  /** IP time to live or hop limit; null: the system's */
  ttl: number | null;
  /** unanswered checks in a row until DOWN */
  down_after: number;
  /** answered checks in a row until DOWN ends */
  up_after: number;
  /** changes between DOWN and UP within half an hour from which it is flapping, and not each of them is mailed; null: never */
  flap_after: number | null;
  /** loss over the last five cycles from which the target is DEGRADED; null: never */
  degraded_loss_pct: number | null;
  /** one that is DEGRADED for its loss is so until that is below this; null: below what it began at */
  degraded_loss_clear_pct: number | null;
  /** median RTT over the last five cycles from which it is DEGRADED; null: never */
  degraded_rtt_ms: number | null;
  /** one that is DEGRADED for its RTT is so until that is below this; null: below what it began at */
  degraded_rtt_clear_ms: number | null;
  /** jitter over the last five cycles (by how much the 95th percentile of the RTT exceeds its median) from which it is DEGRADED; null: never */
  degraded_jitter_ms: number | null;
  /** one that is DEGRADED for its jitter is so until that is below this; null: below what it began at */
  degraded_jitter_clear_ms: number | null;
  /** how much of the time that counts is to be uptime, shown with what is left of it in reports; null: no goal */
  uptime_goal_pct: number | null;
  /** the sites that ping it; null: all sites */
  sites: string[] | null;
  /** how many of the seeing sites must say DOWN: majority, any, all, or a number */
  policy: string;
  /** targets on the path; all of them DOWN makes this UNREACHABLE */
  parents: string[];
  /** further targets on every path, like firewall, or alternatives, like core-1|core-2; all of one entry DOWN makes this UNREACHABLE too */
  parent_groups: string[];
  /** where the path differs: from that site only these count, like paris:router-p or lyon:core-1|core-2; lyon:- for none */
  site_parents: string[];
  /** path in the group tree, like core/routers; empty: none */
  group: string;
  /** words to find it by; those of its groups are added */
  tags: string[];
  /** true: without the tags of the groups above */
  replace_tags: boolean;
  /** mailed at once, whatever grouping says */
  critical: boolean;
  /** true: nobody is mailed about it unless it is critical */
  mail_only_critical: boolean;
  /** true: PARTIAL, too, opens an incident and is mailed */
  mail_partial: boolean;
  /** true: DEGRADED, too, opens an incident and is mailed */
  mail_degraded: boolean;
  /** false: that it starts and stops flapping is kept and shown, but not mailed; that it stays DOWN is */
  mail_flapping: boolean;
  /** who is told of its incidents, mail addresses or ids of contacts, those of its groups added; routes add to them; where nobody is told: those of NOC_MAIL_TO */
  contacts: string[];
  /** true: without the contacts of the groups above */
  replace_contacts: boolean;
  /** true: not pinged, not judged */
  paused: boolean;
  /** several lines for people */
  note: string;
}

/** Something that happened to an incident, and why. */
export interface TimelineEntry {
  at: string;
  /** why; new ones may come */
  code: string;
  /** the member it happened to; null: to all of it, or to many */
  target: string | null;
  /** who did it; null: it is no person's */
  by: string | null;
  text: string;
}

/** The path from a site to a target: followed once a day, when the site calls it DOWN, and on request. */
export interface Trace {
  /** rises with every retained message of its writer; null: an older writer's */
  rev: number | null;
  /** lower-case letters, digits and hyphens, at most 63 */
  site: string;
  /** lower-case letters, digits and hyphens, at most 63 */
  target: string;
  address: string;
  at: string;
  /** true: the target itself answered */
  reached: boolean;
  hops: Hop[];
  /** the last path on which it did, where this one broke off; null: none is known */
  last_good: GoodPath | null;
}

/** How a target is, all its sites taken together. */
export interface Verdict {
  /** rises with every retained message of its writer; null: an older writer's */
  rev: number | null;
  /** lower-case letters, digits and hyphens, at most 63 */
  target: string;
  state: VerdictState;
  since: string;
  reason: string;
  /** of `reason` */
  code: string | null;
  /** each site that was asked, as it counted; blind ones UNKNOWN */
  sites: Record<string, State>;
  at: string;
}

/** How a target is, all sites taken together. */
export type VerdictState = "DEGRADED" | "DOWN" | "MAINTENANCE" | "PARTIAL" | "PAUSED" | "UNKNOWN" | "UNREACHABLE" | "UP";
