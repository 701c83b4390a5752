//! Canaries: numbers, names, addresses and secrets of a whole run appear nowhere but where they are meant to go.
#![expect(clippy::unwrap_used, reason = "tests")]

use cpr_operator::simulate::consumer::{Behaviour, Received};
use cpr_operator::simulate::datafordeler::Fault;
use serde_json::{Value, json};

use crate::support::files;
use crate::support::world::{SECRET, Said, World, secret};

/// Parts of the names of the register's roads, towns and households, as far as every form of text writes them alike.
const ADDRESSES: &[&str] = &[
    "Opdigtet All",
    "blegr\u{f8}d",
    "Pr\u{f8}veg",
    "rkesl\u{f8}s",
    "lekistebakken",
    "Fiktionsvej",
    "mtens Kvarter",
    "Papirskoven",
    "Fiktivsen",
    "Opspind",
];

/// What must not be found, each with what it is.
fn canaries(world: &World) -> Vec<(&'static str, String)> {
    let mut found = vec![
        ("client secret", "simulated-secret".to_owned()),
        ("signing secret", SECRET.trim_start_matches("whsec_").to_owned()),
        ("name", "Kanariella".to_owned()),
        ("name", "Gulfuglesen".to_owned()),
        ("number of an error page", "610180-0001".to_owned()),
        ("number that nobody has", "6101800001".to_owned()),
    ];
    found.extend(ADDRESSES.iter().map(|part| ("address", (*part).to_owned())));
    for citizen in world.register.people() {
        found.push(("number with a hyphen", format!("{}-{}", &citizen.number[..6], &citizen.number[6..])));
        found.push(("number", citizen.number));
        found.push(("PersonID", citizen.id.clone()));
        found.push(("PersonID without hyphens", citizen.id.replace('-', "")));
    }
    found
}

fn assert_silent(place: &str, bytes: &[u8], canaries: &[(&'static str, String)]) {
    for (what, canary) in canaries {
        let sings = bytes.windows(canary.len()).any(|window| window == canary.as_bytes());
        assert!(!sings, "{place} holds a {what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn canaries_appear_in_no_output() {
    let mut world = World::new("canary").await;
    let citizens: Vec<String> =
        (0..5).map(|_| world.register.settle("0851", jiff::civil::date(2011, 2, 3)).unwrap()).collect();
    world.register.load();
    world.install().await;
    world.start();
    world.until_ready().await;
    let today = jiff::Zoned::now().date();
    let mut round = 0;
    let mut sing = |world: &World| {
        round += 1;
        for citizen in &citizens {
            let first = format!("Kanariella{}", ["", "a", "b", "c", "d", "e", "f", "g"][round]);
            world.register.rename(citizen, Some(&first), Some("Gulfuglesen"), today).unwrap();
        }
        world.register.load();
    };
    let numbers: Vec<String> = world.register.people().into_iter().map(|citizen| citizen.number).collect();
    let list = format!("# pupils\n{}\n6101800001\n", numbers.join("\n"));
    world.apply(secret("persons", "persons", json!({ "list": list }))).await;
    let mut listed = world.subscription("listed", "casework");
    listed["spec"]["select"] = json!({ "personsSecretRef": { "name": "persons", "key": "list" } });
    world.apply(listed).await;
    let loaded = "InitialLoadComplete";
    world.until_condition("CprSubscription", "listed", loaded, "True", Some("LoadedWithUnknown")).await;
    sing(&world);
    world.until_received("a name", |one| one.kind == "name.changed").await;
    world.consumer.behave(Behaviour::Status { status: 500 });
    sing(&world);
    let refused = world.until("a refusal", async || (world.consumer.report().refused > 3).then_some(())).await;
    assert!(refused.is_some(), "{:?}\n{}", world.consumer.report(), world.log());
    for fault in [
        Fault::BrokenJson,
        Fault::ServerError { status: 500 },
        Fault::Forbidden,
        Fault::UnknownField,
        Fault::DropMandatory { member: "beskyttelser".into() },
    ] {
        world.register.faults().clear();
        world.register.faults().set_times(fault, 6);
        sing(&world);
        let asked = world.register.requests().len();
        world.ask_to_read(asked).await;
        let more = async || (world.register.requests().len() > asked + 3).then_some(());
        assert!(world.until("more requests", more).await.is_some(), "{}", world.log());
    }
    world.register.faults().clear();
    world.ask_to_read(0).await;
    world.apply(secret("signing", "signing", json!({ "first": "whsec_Kanariella" }))).await;
    world.until_condition("ConsumerSystem", "casework", "SecretsResolved", "False", Some("KeyMalformed")).await;
    world.apply_secrets().await;
    world.consumer.behave(Behaviour::Accept);
    world.until_received("the last", |one| one.body.to_string().contains("Kanariellaa")).await;

    let canaries = canaries(&world);
    let (_, metrics) = world.ask("/metrics").await;
    assert!(metrics.contains("cpr_ingest_persons"), "{metrics}");
    assert_silent("/metrics", metrics.as_bytes(), &canaries);
    for kind in ["CprSource", "ConsumerSystem", "CprSubscription", "Event"] {
        let mut dump = world.dump(kind).await;
        dump = dump.replace("simulated-client", "");
        assert_silent(kind, dump.as_bytes(), &canaries);
    }
    let choir = Choir { world: &world, canaries: &canaries };
    choir.both(&["doctor"], "").await;
    choir.report().await;
    end(&mut world, &canaries).await;
}

/// Ends the program and looks through what it leaves behind.
async fn end(world: &mut World, canaries: &[(&'static str, String)]) {
    world.stop().await;
    assert_silent("the log", world.log().as_bytes(), canaries);
    for (name, bytes) in files::bytes(&world.data()) {
        assert_silent(&name, &bytes, canaries);
    }
}

/// Runs tools and listens to all that they say.
struct Choir<'a> {
    world: &'a World,
    canaries: &'a [(&'static str, String)],
}

impl Choir<'_> {
    /// Runs a tool once.
    async fn ask(&self, words: &[&str], input: &str) -> Said {
        let said = self.world.tool(words, input).await;
        let place = words.iter().take(2).copied().collect::<Vec<_>>().join(" ");
        assert_silent(&format!("standard output of {place}"), said.out.as_bytes(), self.canaries);
        assert_silent(&format!("standard error of {place}"), said.err.as_bytes(), self.canaries);
        said
    }

    /// Runs it twice: for people and for programs. What it told programs.
    async fn both(&self, words: &[&str], input: &str) -> Said {
        self.ask(words, input).await;
        self.ask(&[words, &["-o", "json"]].concat(), input).await
    }

    /// Runs what makes no sense: it has to be refused, and in silence.
    async fn refused(&self, words: &[&str], input: &str) {
        let said = self.both(words, input).await;
        assert!(said.code.is_some_and(|code| code != 0), "{words:?}: {said:?}");
    }

    /// The bundle for helpers from afar, printed and as a file.
    async fn report(&self) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("report.json");
        assert_eq!(self.ask(&["report"], "").await.code, Some(0));
        assert_eq!(self.ask(&["report", "--out", file.to_str().unwrap()], "").await.code, Some(0));
        let files = files::bytes(folder.path());
        assert_eq!(files.len(), 1, "each file of the bundle is looked at");
        for (name, bytes) in files {
            assert!(bytes.len() > 1_000, "{name} holds something");
            assert_silent(&name, &bytes, self.canaries);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn canaries_appear_in_no_answer_of_a_tool_and_in_no_report() {
    let mut world = World::new("canary-tools").await;
    let [citizen, client, other] = ["0851", "0461", "0461"]
        .map(|municipality| world.register.settle(municipality, jiff::civil::date(2011, 2, 3)).unwrap());
    world.register.load();
    world.install().await;
    let mut clients = world.subscription("clients", "casework");
    clients["spec"]["select"] = json!({ "persons": "Managed" });
    world.apply(clients.clone()).await;
    let mut hasty = world.consumer_system("casework");
    hasty["spec"]["delivery"]["retry"] = json!({ "initial": "1s", "max": "1s", "giveUpAfter": "1s" });
    world.apply(hasty).await;
    world.start();
    world.until_ready().await;
    world.until_condition("CprSubscription", "clients", "Ready", "True", None).await;
    let canaries = canaries(&world);
    let choir = Choir { world: &world, canaries: &canaries };
    let number = |id: &str| world.register.citizen(id).unwrap().number;
    let (first, second) = (number(&client), number(&other));
    let hyphened = format!("{}-{}", &second[..6], &second[6..]);
    let rename = |name: &str| {
        world.register.rename(&citizen, Some(name), Some("Gulfuglesen"), jiff::Zoned::now().date()).unwrap();
        world.register.load();
    };

    // Lists, with lines that are no numbers, numbers that nobody has, and what was meant for elsewhere.
    let list = format!("{}/clients", world.namespace.name());
    let lines =
        format!("{first}\n{hyphened} # Kanariella\n6101800001\n61018000011\n610180-0001x\nKanariella Gulfuglesen\n");
    for what in ["add", "import"] {
        let said = choir.both(&["persons", what, "--subscription", &list], &lines).await;
        assert_eq!((said.code, said.out.lines().count()), (Some(1), 6), "{said:?}");
        assert!(said.out.contains("Listed") && said.out.contains("Unknown") && said.out.contains("Malformed"));
    }
    let listed = choir.both(&["persons", "list", "--subscription", &list], "").await;
    assert_eq!(listed.json().as_array().unwrap().len(), 2);
    choir
        .refused(&["persons", "remove", "--subscription", &list], &format!("{hyphened}\n6101800001\nKanariella\n"))
        .await;
    for unlisted in ["citizens", "nothing"] {
        let unlisted = format!("{}/{unlisted}", world.namespace.name());
        choir.refused(&["persons", "add", "--subscription", &unlisted], &lines).await;
    }
    choir.refused(&["persons", "add", "--subscription", &list, &first], "").await;
    choir.refused(&["persons", "list", "--subscription", &hyphened], "").await;

    // Deliveries: one accepted, one given up, and everything that can be done again.
    rename("Kanariella");
    let named = world.until_received("a name", |one| one.kind == "name.changed").await;
    world.consumer.behave(Behaviour::Status { status: 422 });
    rename("Kanariellaa");
    let consumer = format!("{}/casework", world.namespace.name());
    let letters = async || {
        let said = choir.both(&["deadletters", "list", "--consumer", &consumer], "").await;
        (!said.json().as_array().unwrap().is_empty()).then_some(())
    };
    world.until("a dead letter", letters).await.expect("it was given up");
    choir.refused(&["consumer", "test", "--consumer", "nowhere/nobody"], "").await;
    choir.both(&["consumer", "test", "--consumer", &consumer], "").await;
    world.consumer.behave_in_everything(Behaviour::Status { status: 422 });
    choir.refused(&["consumer", "test", "--consumer", &consumer], "").await;
    world.consumer.behave_in_everything(Behaviour::Accept);
    tell_again(&choir, &consumer, &named, &first).await;

    // Plans: a good one, one that names a number, and a list of numbers that is no manifest.
    let plan = ["plan", "-f", "-", "--namespace", world.namespace.name()];
    choir.both(&plan, &clients.to_string()).await;
    let mut odd = clients;
    odd["spec"]["select"] = json!({ "persons": first });
    choir.refused(&plan, &odd.to_string()).await;
    odd["spec"]["select"] = json!({ "municipalities": [hyphened] });
    choir.refused(&plan, &odd.to_string()).await;
    choir.refused(&plan, &lines).await;
    choir.refused(&plan, &first).await;

    choir.both(&["doctor"], "").await;
    choir.report().await;
    end(&mut world, &canaries).await;
}

/// Everything that sends, counts or deletes once more, and the same with persons and letters that are none.
async fn tell_again(choir: &Choir<'_>, consumer: &str, named: &Received, number: &str) {
    let reference = named.reference.as_deref().unwrap();
    let of = |words: &[&'static str]| [words, &["--consumer"]].concat();
    let from = ["--from", "2020-01-01T00:00:00Z"];
    for (words, more) in [
        (of(&["deliveries"]), vec![]),
        (of(&["deliveries"]), vec!["--person", reference]),
        (of(&["replay"]), [&from[..], &["--dry-run"]].concat()),
        (of(&["replay"]), [&from[..], &["--person", reference]].concat()),
        (of(&["resync"]), vec!["--dry-run"]),
        (of(&["resync"]), vec![]),
        (of(&["deadletters", "retry"]), vec!["--all", "--dry-run"]),
        (of(&["deadletters", "drop"]), vec!["--all", "--dry-run"]),
        (of(&["deadletters", "retry"]), vec!["--all"]),
        (of(&["deadletters", "drop"]), vec!["--all"]),
    ] {
        let said = choir.both(&[&words[..], &[consumer], &more[..]].concat(), "").await;
        let told: Value = said.json();
        assert!(told.is_array() || told.is_object(), "{words:?}: {told}");
    }
    for (words, more) in [
        (of(&["deliveries"]), vec!["--person", number]),
        (of(&["deliveries"]), vec!["--since", number]),
        (of(&["replay"]), [&from[..], &["--person", number]].concat()),
        (of(&["replay"]), vec!["--from", number]),
        (of(&["deadletters", "retry"]), vec![number]),
        (of(&["deadletters", "drop"]), vec![number, "x"]),
        (of(&["resync"]), vec![number]),
    ] {
        choir.refused(&[&words[..], &[consumer], &more[..]].concat(), "").await;
    }
}
