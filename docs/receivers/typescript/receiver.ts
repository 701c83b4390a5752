// A complete receiver of cpr-operator's events. What each part is for: docs/receivers.md.
//
//     npm ci && npx tsc
//     SIGNING_SECRET=whsec_… DATABASE=received.db PORT=9500 node dist/receiver.js
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type CloudEventV1, HTTP } from "cloudevents";
import Database from "libsql"; // SQLite; better-sqlite3 has the same calls.
import { Webhook } from "standardwebhooks";

const LONGEST = 1024 * 1024;
// What name and address protection governs; see docs/events.md, field groups.
const GOVERNED = [
  "Name", "NameHistory", "Address", "AddressHistory", "SupplementaryAddress", "ContactAddress", "Municipality",
  "Residence", "Guardianship", "MunicipalConditions", "MunicipalNotes",
  "Household", "SharedResidence", "RelocationOrder", "Election",
];
// They follow who has left: they say that an earlier statement no longer holds, not that the person is back.
const UNDOINGS = ["death.annulled", "found", "returned"];
const SCHEMA = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  CREATE TABLE IF NOT EXISTS seen (id TEXT PRIMARY KEY, at INTEGER NOT NULL DEFAULT (unixepoch()));
  CREATE TABLE IF NOT EXISTS person (reference TEXT PRIMARY KEY, sequence TEXT NOT NULL, gap INTEGER NOT NULL DEFAULT 0);
  CREATE TABLE IF NOT EXISTS ground (reference TEXT, subscription TEXT, PRIMARY KEY (reference, subscription));
  CREATE TABLE IF NOT EXISTS content (reference TEXT, name TEXT, value TEXT, PRIMARY KEY (reference, name));
  CREATE TABLE IF NOT EXISTS alias (earlier TEXT PRIMARY KEY, reference TEXT NOT NULL);
  DELETE FROM seen WHERE at < unixepoch() - 90 * 86400;
`;

interface Data {
  grounds?: { subscription: string }[];
  withheld?: string[];
  fields?: Record<string, unknown>;
  previous?: { reference?: string };
  challenge?: string;
}

/** An error of the database: ours, so the event has to come again. */
class Unavailable extends Error {}

/** What is known of each person, and what was received. One transaction per event. */
class Store {
  private readonly db: Database.Database;
  readonly take: (event: CloudEventV1<Data>) => void;

  constructor(path: string) {
    this.db = new Database(path);
    this.db.exec(SCHEMA);
    this.take = this.db.transaction((event: CloudEventV1<Data>) => this.remember(event));
  }

  /** Remembers an event and does what it says; both, or neither. */
  private remember(event: CloudEventV1<Data>): void {
    // Had it: the answer was lost, or somebody sends a captured request again.
    if (!this.run("INSERT OR IGNORE INTO seen (id) VALUES (?)", event.id)) return;
    const kind = event.type.replace("dev.cpr-operator.", "");
    const data = event.data!;
    const toldFor = (data.grounds ?? []).map((ground) => ground.subscription);
    if (event.subject === undefined) {
      if (kind === "subscription.ended") this.end(toldFor);
      return;
    }
    const newer = this.advance(event.subject, event.sequence as string);
    if (newer || event.replayed) this.change(event.subject, kind, data, toldFor, newer, Boolean(event.gapbefore));
  }

  /** Whether this is above what was kept for the person; then it is kept. */
  private advance(reference: string, sequence: string): boolean {
    if (!/^\d{20}$/.test(sequence)) throw new Error("no sequence");
    const sql = `INSERT INTO person (reference, sequence) VALUES (?, ?) ON CONFLICT (reference)
                 DO UPDATE SET sequence = excluded.sequence WHERE excluded.sequence > person.sequence`;
    return this.run(sql, reference, sequence) > 0;
  }

  private change(reference: string, kind: string, data: Data, toldFor: string[], newer: boolean, gap: boolean): void {
    // Something was lost on the way: what is held of this person is doubtful until a snapshot.
    if (gap) this.run("UPDATE person SET gap = 1 WHERE reference = ?", reference);
    if (kind === "person.merged" && data.previous?.reference) this.merge(data.previous.reference, reference);
    // A merge can be undone: then the earlier reference is a person again.
    if (kind === "scope.entered") this.run("DELETE FROM alias WHERE earlier = ?", reference);
    if (kind === "snapshot" && data.fields) {
      // All that may be known now: what it does not name is forgotten.
      this.run("DELETE FROM content WHERE reference = ?", reference);
      if (newer) this.run("UPDATE person SET gap = 0 WHERE reference = ?", reference);
    }
    for (const name of [...(data.withheld ?? []), ...(kind === "protection.started" ? GOVERNED : [])]) {
      this.run("DELETE FROM content WHERE reference = ? AND name = ?", reference, name);
    }
    // Whole groups: nothing is merged into what was there.
    for (const [name, value] of Object.entries(data.fields ?? {})) {
      this.run("INSERT OR REPLACE INTO content VALUES (?, ?, ?)", reference, name, JSON.stringify(value));
    }
    for (const subscription of toldFor) {
      if (kind === "scope.left") {
        this.run("DELETE FROM ground WHERE reference = ? AND subscription = ?", reference, subscription);
      } else if (!UNDOINGS.includes(kind)) {
        this.run("INSERT OR IGNORE INTO ground VALUES (?, ?)", reference, subscription);
      }
    }
    // No subscription, no purpose: the content goes. Where you have a duty to keep it, block it here instead.
    this.run("DELETE FROM content WHERE reference = ? AND reference NOT IN (SELECT reference FROM ground)", reference);
  }

  /** Two references turned out to be one person. */
  private merge(earlier: string, reference: string): void {
    this.run("UPDATE alias SET reference = ? WHERE reference = ?", reference, earlier);
    this.run("INSERT OR REPLACE INTO alias VALUES (?, ?)", earlier, reference);
    this.run("UPDATE OR REPLACE ground SET reference = ? WHERE reference = ?", reference, earlier);
    this.run("DELETE FROM content WHERE reference = ?", earlier);
  }

  private end(subscriptions: string[]): void {
    for (const subscription of subscriptions) this.run("DELETE FROM ground WHERE subscription = ?", subscription);
    this.run("DELETE FROM content WHERE reference NOT IN (SELECT reference FROM ground)");
  }

  private run(sql: string, ...values: string[]): number {
    try {
      return this.db.prepare(sql).run(...values).changes;
    } catch (error) {
      throw new Unavailable("the database", { cause: error });
    }
  }
}

async function read(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    length += chunk.length;
    if (length > LONGEST) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function receive(body: Buffer, headers: Record<string, string>): [number, object?] {
  try {
    webhook.verify(body, headers, { jsonParse: false });
  } catch {
    return [401];
  }
  try {
    // From the body alone: headers are not signed.
    const structured = { "content-type": "application/cloudevents+json" };
    const event = HTTP.toEvent({ headers: structured, body: body.toString() }) as CloudEventV1<Data>;
    if (event.type === "dev.cpr-operator.endpoint.verify") return [200, { challenge: event.data!.challenge }];
    store.take(event);
    return [204];
  } catch (error) {
    return [error instanceof Unavailable ? 503 : 400];
  }
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.method !== "POST") return void response.writeHead(405).end();
  const body = await read(request);
  if (!body) return void response.writeHead(413, { connection: "close" }).end();
  const [status, content] = receive(body, request.headers as Record<string, string>);
  response.writeHead(status, content && { "content-type": "application/json" });
  response.end(content && JSON.stringify(content));
}

const webhook = new Webhook(process.env.SIGNING_SECRET!);
const store = new Store(process.env.DATABASE ?? "received.db");
const server = createServer((request, response) => void answer(request, response).catch(() => response.destroy()));
server.listen(Number(process.env.PORT ?? 9500), process.env.HOST ?? "127.0.0.1", () => {
  console.log(`listening on port ${(server.address() as AddressInfo).port}`);
});
