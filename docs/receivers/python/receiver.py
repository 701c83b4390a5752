"""A complete receiver of cpr-operator's events. What each part is for: docs/receivers.md.

    pip install -r requirements.txt
    SIGNING_SECRET=whsec_… DATABASE=received.db PORT=9500 python receiver.py
"""

import json
import os
import sqlite3
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cloudevents.core.bindings.http import HTTPMessage, from_structured_event
from standardwebhooks.webhooks import Webhook

LONGEST = 1024 * 1024
# What name and address protection governs; see docs/events.md, field groups.
GOVERNED = {
    "Name", "NameHistory", "Address", "AddressHistory", "SupplementaryAddress", "ContactAddress", "Municipality",
    "Residence", "Guardianship", "MunicipalConditions", "MunicipalNotes",
    "Household", "SharedResidence", "RelocationOrder", "Election",
}
# They follow who has left: they say that an earlier statement no longer holds, not that the person is back.
UNDOINGS = {"death.annulled", "found", "returned"}
SCHEMA = """
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    CREATE TABLE IF NOT EXISTS seen (id TEXT PRIMARY KEY, at INTEGER NOT NULL DEFAULT (unixepoch()));
    CREATE TABLE IF NOT EXISTS person (reference TEXT PRIMARY KEY, sequence TEXT NOT NULL, gap INTEGER NOT NULL DEFAULT 0);
    CREATE TABLE IF NOT EXISTS ground (reference TEXT, subscription TEXT, PRIMARY KEY (reference, subscription));
    CREATE TABLE IF NOT EXISTS content (reference TEXT, name TEXT, value TEXT, PRIMARY KEY (reference, name));
    CREATE TABLE IF NOT EXISTS alias (earlier TEXT PRIMARY KEY, reference TEXT NOT NULL);
    DELETE FROM seen WHERE at < unixepoch() - 90 * 86400;
"""


class Store:
    """What is known of each person, and what was received. One transaction per event."""

    def __init__(self, path):
        self.db = sqlite3.connect(path, check_same_thread=False)
        self.db.executescript(SCHEMA)
        self.lock = threading.Lock()

    def take(self, event):
        """Remembers an event and does what it says; both, or neither."""
        with self.lock, self.db:
            if not self.run("INSERT OR IGNORE INTO seen (id) VALUES (?)", event.get_id()).rowcount:
                return  # Had it: the answer was lost, or somebody sends a captured request again.
            reference = event.get_subject()
            kind, data = event.get_type().removeprefix("dev.cpr-operator."), event.get_data()
            told_for = [ground["subscription"] for ground in data.get("grounds", [])]
            if reference is None:
                if kind == "subscription.ended":
                    self.end(told_for)
                return
            newer = self.advance(reference, event.get_extension("sequence"))
            if newer or event.get_extension("replayed"):
                self.change(reference, kind, data, told_for, newer, event.get_extension("gapbefore"))

    def advance(self, reference, sequence):
        """Whether this is above what was kept for the person; then it is kept."""
        return self.run(
            "INSERT INTO person (reference, sequence) VALUES (?, ?) ON CONFLICT (reference)"
            " DO UPDATE SET sequence = excluded.sequence WHERE excluded.sequence > person.sequence",
            reference, sequence,
        ).rowcount

    def change(self, reference, kind, data, told_for, newer, gap):
        if gap:  # Something was lost on the way: what is held of this person is doubtful until a snapshot.
            self.run("UPDATE person SET gap = 1 WHERE reference = ?", reference)
        if kind == "person.merged" and "reference" in data.get("previous", {}):
            self.merge(data["previous"]["reference"], reference)
        if kind == "scope.entered":  # A merge can be undone: then the earlier reference is a person again.
            self.run("DELETE FROM alias WHERE earlier = ?", reference)
        if kind == "snapshot" and "fields" in data:  # All that may be known now: what it does not name is forgotten.
            self.run("DELETE FROM content WHERE reference = ?", reference)
            if newer:
                self.run("UPDATE person SET gap = 0 WHERE reference = ?", reference)
        forbidden = set(data.get("withheld", [])) | (GOVERNED if kind == "protection.started" else set())
        for name in forbidden:
            self.run("DELETE FROM content WHERE reference = ? AND name = ?", reference, name)
        for name, value in data.get("fields", {}).items():  # Whole groups: nothing is merged into what was there.
            self.run("INSERT OR REPLACE INTO content VALUES (?, ?, ?)", reference, name, json.dumps(value))
        for subscription in told_for:
            if kind == "scope.left":
                self.run("DELETE FROM ground WHERE reference = ? AND subscription = ?", reference, subscription)
            elif kind not in UNDOINGS:
                self.run("INSERT OR IGNORE INTO ground VALUES (?, ?)", reference, subscription)
        # No subscription, no purpose: the content goes. Where you have a duty to keep it, block it here instead.
        self.run("DELETE FROM content WHERE reference = ?1 AND ?1 NOT IN (SELECT reference FROM ground)", reference)

    def merge(self, earlier, reference):
        """Two references turned out to be one person."""
        self.run("UPDATE alias SET reference = ? WHERE reference = ?", reference, earlier)
        self.run("INSERT OR REPLACE INTO alias VALUES (?, ?)", earlier, reference)
        self.run("UPDATE OR REPLACE ground SET reference = ? WHERE reference = ?", reference, earlier)
        self.run("DELETE FROM content WHERE reference = ?", earlier)

    def end(self, subscriptions):
        for subscription in subscriptions:
            self.run("DELETE FROM ground WHERE subscription = ?", subscription)
        self.run("DELETE FROM content WHERE reference NOT IN (SELECT reference FROM ground)")

    def run(self, sql, *values):
        return self.db.execute(sql, values)


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    webhook = store = None

    def do_POST(self):
        length = self.headers.get("content-length", "0")
        if not length.isdigit() or int(length) > LONGEST:
            self.close_connection = True
            return self.answer(413)
        body = self.rfile.read(int(length))
        try:
            self.webhook.verify(body, dict(self.headers), json_parse=False)
        except Exception:  # The library has more than one error for what is no signature.
            return self.answer(401)
        try:  # From the body alone: headers are not signed.
            event = from_structured_event(HTTPMessage({}, body))
            if event.get_type() == "dev.cpr-operator.endpoint.verify":
                return self.answer(200, {"challenge": event.get_data()["challenge"]})
            self.store.take(event)
        except sqlite3.OperationalError:
            return self.answer(503)  # Ours: it comes again.
        except Exception:
            return self.answer(400)
        self.answer(204)

    def answer(self, status, body=None):
        content = json.dumps(body).encode() if body else b""
        self.send_response(status)
        if status != 204:
            self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        """Nothing: what is logged of persons has to be deleted too."""


if __name__ == "__main__":
    Receiver.webhook = Webhook(os.environ["SIGNING_SECRET"])
    Receiver.store = Store(os.environ.get("DATABASE", "received.db"))
    server = ThreadingHTTPServer((os.environ.get("HOST", "127.0.0.1"), int(os.environ.get("PORT", "9500"))), Receiver)
    print(f"listening on port {server.server_address[1]}", flush=True)
    server.serve_forever()
