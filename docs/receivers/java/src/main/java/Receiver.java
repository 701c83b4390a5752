// A complete receiver of cpr-operator's events. What each part is for: docs/receivers.md.
//
//     mvn package
//     SIGNING_SECRET=whsec_… DATABASE=received.db PORT=9500 java -jar target/receiver.jar

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.standardwebhooks.Webhook;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.cloudevents.CloudEvent;
import io.cloudevents.jackson.JsonFormat;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.Executors;

public final class Receiver {
    static final int LONGEST = 1024 * 1024;
    // What name and address protection governs; see docs/events.md, field groups.
    static final Set<String> GOVERNED = Set.of(
            "Name", "NameHistory", "Address", "AddressHistory", "SupplementaryAddress", "ContactAddress", "Municipality",
            "Residence", "Guardianship", "MunicipalConditions", "MunicipalNotes",
            "Household", "SharedResidence", "RelocationOrder", "Election");
    // They follow who has left: they say that an earlier statement no longer holds, not that the person is back.
    static final Set<String> UNDOINGS = Set.of("death.annulled", "found", "returned");
    static final String[] SCHEMA = {
        "PRAGMA journal_mode = WAL",
        "PRAGMA synchronous = FULL",
        "CREATE TABLE IF NOT EXISTS seen (id TEXT PRIMARY KEY, at INTEGER NOT NULL DEFAULT (unixepoch()))",
        "CREATE TABLE IF NOT EXISTS person (reference TEXT PRIMARY KEY, sequence TEXT NOT NULL, gap INTEGER NOT NULL DEFAULT 0)",
        "CREATE TABLE IF NOT EXISTS ground (reference TEXT, subscription TEXT, PRIMARY KEY (reference, subscription))",
        "CREATE TABLE IF NOT EXISTS content (reference TEXT, name TEXT, value TEXT, PRIMARY KEY (reference, name))",
        "CREATE TABLE IF NOT EXISTS alias (earlier TEXT PRIMARY KEY, reference TEXT NOT NULL)",
        "DELETE FROM seen WHERE at < unixepoch() - 90 * 86400"
    };
    static final ObjectMapper JSON = new ObjectMapper();

    /** What is known of each person, and what was received. One transaction per event. */
    static final class Store {
        private final Connection db;

        Store(String path) throws SQLException {
            db = DriverManager.getConnection("jdbc:sqlite:" + path);
            for (String sql : SCHEMA) {
                try (var statement = db.createStatement()) {
                    statement.execute(sql);
                }
            }
            db.setAutoCommit(false);
        }

        /** Remembers an event and does what it says; both, or neither. */
        synchronized void take(CloudEvent event) throws SQLException, IOException {
            try {
                remember(event);
                db.commit();
            } catch (SQLException | IOException | RuntimeException error) {
                db.rollback();
                throw error;
            }
        }

        private void remember(CloudEvent event) throws SQLException, IOException {
            if (run("INSERT OR IGNORE INTO seen (id) VALUES (?)", event.getId()) == 0) {
                return; // Had it: the answer was lost, or somebody sends a captured request again.
            }
            String kind = event.getType().replace("dev.cpr-operator.", "");
            JsonNode data = JSON.readTree(event.getData().toBytes());
            List<String> toldFor = data.path("grounds").findValuesAsText("subscription");
            String reference = event.getSubject();
            if (reference == null) {
                if (kind.equals("subscription.ended")) {
                    end(toldFor);
                }
                return;
            }
            boolean newer = advance(reference, (String) event.getExtension("sequence"));
            if (newer || Boolean.TRUE.equals(event.getExtension("replayed"))) {
                if (Boolean.TRUE.equals(event.getExtension("gapbefore"))) {
                    // Something was lost on the way: what is held of this person is doubtful until a snapshot.
                    run("UPDATE person SET gap = 1 WHERE reference = ?", reference);
                }
                change(reference, kind, data, toldFor, newer);
            }
        }

        /** Whether this is above what was kept for the person; then it is kept. */
        private boolean advance(String reference, String sequence) throws SQLException {
            if (sequence == null) {
                throw new IllegalArgumentException("no sequence");
            }
            return run("INSERT INTO person (reference, sequence) VALUES (?, ?) ON CONFLICT (reference)"
                    + " DO UPDATE SET sequence = excluded.sequence WHERE excluded.sequence > person.sequence",
                    reference, sequence) > 0;
        }

        private void change(String reference, String kind, JsonNode data, List<String> toldFor, boolean newer)
                throws SQLException {
            String earlier = data.path("previous").path("reference").asText("");
            if (kind.equals("person.merged") && !earlier.isEmpty()) {
                merge(earlier, reference);
            }
            if (kind.equals("scope.entered")) { // A merge can be undone: then the earlier reference is a person again.
                run("DELETE FROM alias WHERE earlier = ?", reference);
            }
            if (kind.equals("snapshot") && data.has("fields")) {
                // All that may be known now: what it does not name is forgotten.
                run("DELETE FROM content WHERE reference = ?", reference);
                if (newer) {
                    run("UPDATE person SET gap = 0 WHERE reference = ?", reference);
                }
            }
            List<String> forbidden = new ArrayList<>(kind.equals("protection.started") ? GOVERNED : Set.of());
            data.path("withheld").forEach(name -> forbidden.add(name.asText()));
            for (String name : forbidden) {
                run("DELETE FROM content WHERE reference = ? AND name = ?", reference, name);
            }
            // Whole groups: nothing is merged into what was there.
            for (Map.Entry<String, JsonNode> group : data.path("fields").properties()) {
                run("INSERT OR REPLACE INTO content VALUES (?, ?, ?)", reference, group.getKey(), group.getValue().toString());
            }
            for (String subscription : toldFor) {
                if (kind.equals("scope.left")) {
                    run("DELETE FROM ground WHERE reference = ? AND subscription = ?", reference, subscription);
                } else if (!UNDOINGS.contains(kind)) {
                    run("INSERT OR IGNORE INTO ground VALUES (?, ?)", reference, subscription);
                }
            }
            // No subscription, no purpose: the content goes. Where you have a duty to keep it, block it here instead.
            run("DELETE FROM content WHERE reference = ?1 AND ?1 NOT IN (SELECT reference FROM ground)", reference);
        }

        /** Two references turned out to be one person. */
        private void merge(String earlier, String reference) throws SQLException {
            run("UPDATE alias SET reference = ? WHERE reference = ?", reference, earlier);
            run("INSERT OR REPLACE INTO alias VALUES (?, ?)", earlier, reference);
            run("UPDATE OR REPLACE ground SET reference = ? WHERE reference = ?", reference, earlier);
            run("DELETE FROM content WHERE reference = ?", earlier);
        }

        private void end(List<String> subscriptions) throws SQLException {
            for (String subscription : subscriptions) {
                run("DELETE FROM ground WHERE subscription = ?", subscription);
            }
            run("DELETE FROM content WHERE reference NOT IN (SELECT reference FROM ground)");
        }

        private int run(String sql, String... values) throws SQLException {
            try (var statement = db.prepareStatement(sql)) {
                for (int at = 0; at < values.length; at++) {
                    statement.setString(at + 1, values[at]);
                }
                return statement.executeUpdate();
            }
        }
    }

    private final Webhook webhook;
    private final Store store;

    Receiver(Webhook webhook, Store store) {
        this.webhook = webhook;
        this.store = store;
    }

    void handle(HttpExchange exchange) throws IOException {
        try (exchange) {
            byte[] body = exchange.getRequestBody().readNBytes(LONGEST + 1);
            Answer answer;
            if (!exchange.getRequestMethod().equals("POST")) {
                answer = Answer.of(405);
            } else if (body.length > LONGEST) {
                answer = Answer.of(413);
            } else {
                answer = receive(body, exchange.getRequestHeaders());
            }
            exchange.sendResponseHeaders(answer.status, answer.body.length == 0 ? -1 : answer.body.length);
            exchange.getResponseBody().write(answer.body);
        }
    }

    record Answer(int status, byte[] body) {
        static Answer of(int status) {
            return new Answer(status, new byte[0]);
        }
    }

    private Answer receive(byte[] body, Map<String, List<String>> headers) {
        try {
            Map<String, List<String>> anyCase = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
            anyCase.putAll(headers);
            webhook.verify(new String(body, StandardCharsets.UTF_8), anyCase);
        } catch (Exception notSigned) { // The library has more than one error for what is no signature.
            return Answer.of(401);
        }
        try {
            // From the body alone: headers are not signed.
            CloudEvent event = new JsonFormat().deserialize(body);
            if (event.getType().equals("dev.cpr-operator.endpoint.verify")) {
                JsonNode data = JSON.readTree(event.getData().toBytes());
                return new Answer(200, JSON.writeValueAsBytes(Map.of("challenge", data.get("challenge").asText())));
            }
            store.take(event);
            return Answer.of(204);
        } catch (SQLException ours) {
            return Answer.of(503);
        } catch (IOException | RuntimeException notUnderstood) {
            return Answer.of(400);
        }
    }

    public static void main(String[] arguments) throws Exception {
        Map<String, String> set = System.getenv();
        var receiver = new Receiver(
                new Webhook(set.get("SIGNING_SECRET")), new Store(set.getOrDefault("DATABASE", "received.db")));
        int port = Integer.parseInt(set.getOrDefault("PORT", "9500"));
        var server = HttpServer.create(new InetSocketAddress(set.getOrDefault("HOST", "127.0.0.1"), port), 0);
        server.createContext("/", receiver::handle);
        server.setExecutor(Executors.newFixedThreadPool(32));
        server.start();
        System.out.println("listening on port " + server.getAddress().getPort());
    }
}
