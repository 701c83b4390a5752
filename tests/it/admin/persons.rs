//! A list kept by command: numbers go in by standard input, lines and references come out, and no number is written anywhere.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::support::files;
use crate::support::world::{Said, World};

/// A world with a subscription that has a list, and citizens elsewhere whom nobody covers.
async fn listing(prefix: &str, citizens: usize) -> (World, Vec<String>, String) {
    let mut world = World::new(prefix).await;
    let ids: Vec<String> =
        (0..citizens).map(|_| world.register.settle("0461", jiff::civil::date(2012, 4, 1)).unwrap()).collect();
    world.register.load();
    world.apply_secrets().await;
    world.apply(world.source()).await;
    world.apply(world.consumer_system("casework")).await;
    let mut clients = world.subscription("clients", "casework");
    clients["spec"]["select"] = json!({ "persons": "Managed" });
    world.apply(clients).await;
    world.start();
    world.until_condition("CprSubscription", "clients", "Ready", "True", None).await;
    let people = world.register.people();
    let number = |id: &String| people.iter().find(|person| person.id == *id).unwrap().number.clone();
    let numbers = ids.iter().map(number).collect();
    let subscription = format!("{}/clients", world.namespace.name());
    (world, numbers, subscription)
}

async fn persons(world: &World, what: &str, subscription: &str, input: &str) -> Said {
    world.tool(&["persons", what, "--subscription", subscription, "-o", "json"], input).await
}

fn lines(said: &Said) -> Vec<Value> {
    said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn outcomes(said: &Said) -> Vec<(u64, String)> {
    let mut told: Vec<(u64, String)> = lines(said)
        .iter()
        .map(|line| (line["line"].as_u64().unwrap(), line["outcome"].as_str().unwrap().to_owned()))
        .collect();
    told.sort();
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_answered_by_line_and_reference_and_never_by_number() {
    let (mut world, numbers, subscription) = listing("named", 3).await;
    let hyphened = format!("{}-{}", &numbers[1][..6], &numbers[1][6..]);
    let input = format!("{}\n# a comment\n{hyphened}  # the second\n\n6101800001\nno number\n", numbers[0]);
    let said = persons(&world, "add", &subscription, &input).await;
    assert_eq!(said.code, Some(1), "an unknown and a malformed line are told by the exit status: {said:?}");
    let expected = [(1, "Listed"), (3, "Listed"), (5, "Unknown"), (6, "Malformed")];
    assert_eq!(outcomes(&said), expected.map(|(line, outcome)| (line, outcome.to_owned())), "{said:?}");

    let listed: HashSet<String> =
        lines(&said).iter().filter_map(|line| line["person"].as_str().map(str::to_owned)).collect();
    for reference in &listed {
        let entered = world
            .until_received("an entry", |one| one.kind == "scope.entered" && one.reference.as_ref() == Some(reference))
            .await;
        assert_eq!(entered.body["data"]["reason"], "Listed");
    }
    let page = persons(&world, "list", &subscription, "").await.json();
    let page: HashSet<String> = page.as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect();
    assert_eq!(page, listed);
    world.until_condition("CprSubscription", "clients", "InitialLoadComplete", "True", Some("LoadedWithUnknown")).await;

    // Again: who is there already is told at once.
    let again = persons(&world, "import", &subscription, &format!("{}\n{}\n", numbers[0], numbers[2])).await;
    assert_eq!((again.code, outcomes(&again).len()), (Some(0), 2), "{again:?}");

    let gone = persons(&world, "remove", &subscription, &format!("{}\n6201800001\n", numbers[0])).await;
    assert_eq!(outcomes(&gone), [(1, "Removed".to_owned()), (2, "NotListed".to_owned())], "{gone:?}");
    let left = world.until_received("a departure", |one| one.kind == "scope.left").await;
    assert_eq!(left.body["data"]["reason"], "Unlisted");

    let canaries: Vec<String> =
        numbers.iter().flat_map(|number| [number.clone(), format!("{}-{}", &number[..6], &number[6..])]).collect();
    let spoken = [&said, &again, &gone].map(|said| format!("{}{}", said.out, said.err)).concat();
    world.stop().await;
    let log = world.log();
    for canary in canaries.iter().chain([&"6101800001".to_owned()]) {
        assert!(!spoken.contains(canary) && !log.contains(canary));
        for (name, bytes) in files::bytes(&world.data()) {
            assert!(!bytes.windows(canary.len()).any(|window| window == canary.as_bytes()), "{name} holds a number");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_is_interrupted_goes_on_and_can_be_started_again() {
    let (mut world, numbers, subscription) = listing("import", 250).await;
    let input = numbers.join("\n");
    let handed =
        world.tool(&["persons", "import", "--subscription", &subscription, "--no-wait", "-o", "json"], &input).await;
    assert_eq!(handed.code, Some(0), "{handed:?}");
    world.kill().await;
    world.start();
    let answered = async || {
        let said = persons(&world, "import", &subscription, &input).await;
        (!said.err.contains("no cpr-operator answers")).then_some(said)
    };
    let again = world.until("an answer", answered).await.unwrap();
    assert_eq!((again.code, lines(&again).len()), (Some(0), 250), "{}", again.err);
    assert!(lines(&again).iter().all(|line| line["outcome"] == "Listed"));
    let entered = async || {
        let entered = world.consumer.received().into_iter().filter(|one| one.accepted && one.kind == "scope.entered");
        (entered.map(|one| one.id).collect::<HashSet<_>>().len() == 250).then_some(())
    };
    assert!(world.until("everybody is told of once", entered).await.is_some(), "{}", world.kinds().len());

    let other = world.subscription("others", "casework");
    world.apply(other).await;
    world.until_condition("CprSubscription", "others", "Ready", "True", None).await;
    let without = format!("{}/others", world.namespace.name());
    let said = persons(&world, "add", &without, &numbers[0]).await;
    assert!(said.code == Some(1) && said.err.contains("select.persons: Managed"), "{said:?}");
    world.stop().await;
}
