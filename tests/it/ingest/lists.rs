//! Lists: who is put on one and taken off, what is told of them, and what becomes of numbers.

use std::time::Duration;

use cpr_operator::domain::compiled::Selector;
use cpr_operator::domain::identifier::CprNumber;
use cpr_operator::domain::resource::{ProtectedPersons, Sector};
use cpr_operator::ingest::lists::{self, Counts, Progress, Removal, Standing};
use cpr_operator::simulate::datafordeler::Protection::NameAndAddress;
use cpr_operator::simulate::datafordeler::{Fault, Service};
use cpr_operator::store;

use super::crash::break_off;
use super::world::{AWAY, HOME, LONG_AGO, World, realm};

const NOTHING: [&str; 0] = [];
const DAY: Duration = Duration::from_secs(24 * 3600);

/// A world with one public consumer whose subscription `clients` has a list and nothing else, and whose source is being read.
async fn listing() -> World {
    let mut world = World::new().await;
    world.subscribe("clients", "acadre", |form| form.selector = Selector::listed()).await;
    world.poll().await;
    world
}

/// Somebody who has lived in a municipality for long; their notice has been read.
async fn stranger(world: &mut World, municipality: &str) -> String {
    let person = world.settle(municipality);
    world.import().await;
    person
}

fn of(standing: Standing) -> cpr_operator::domain::pairwise::RecordId {
    match standing {
        Standing::Already(record) | Standing::Waiting(record) => record,
    }
}

#[tokio::test]
async fn who_is_put_on_a_list_is_fetched_and_told_of_once() {
    let mut world = listing().await;
    let person = stranger(&mut world, AWAY).await;
    assert_eq!((world.told().await.len(), world.rows("person").await), (0, 0));
    let asked = world.audited("fetch").await.len();

    let standing = world.list("clients", &person).await;
    assert!(matches!(standing, Standing::Waiting(_)));
    assert_eq!(world.progress("clients", of(standing)).await, Progress::Waiting);
    assert_eq!(world.list("clients", &person).await, standing, "once more while it waits");
    world.work().await;
    assert_eq!(world.told().await, ["acadre scope.entered Listed"]);
    assert_eq!(world.record(&person).await, Some(of(standing)), "the fetched person has the record of the number");
    assert_eq!(world.progress("clients", of(standing)).await, Progress::Listed(of(standing)));
    assert_eq!(world.list("clients", &person).await, Standing::Already(of(standing)));
    world.work().await;
    assert_eq!(world.told().await, NOTHING);
    assert_eq!((world.rows("listing").await, world.audited("fetch").await.len()), (0, asked + 1));
    assert_eq!(world.counts("clients").await, Counts { listed: 1, ..Counts::default() });

    let row = world.subscription("clients").await;
    let page = lists::page(&world.store, row.id, None, 10).await.unwrap();
    assert_eq!(page, [of(standing)]);
    assert!(lists::page(&world.store, row.id, Some(page[0]), 10).await.unwrap().is_empty());
    let reference = lists::reference(&world.store, &row, page[0], world.clock.now()).await.unwrap();
    assert!(reference.starts_with("p_") && reference.len() == 28);

    world.register.rename(&person, None, Some("Andersen"), world.today()).unwrap();
    world.register.move_to(&person, HOME, world.today()).unwrap();
    world.import().await;
    assert_eq!(world.told().await, ["acadre address.changed", "acadre name.changed"]);
    let entries = world.audited("list.changed").await;
    assert_eq!(entries.len(), 1, "one for what was new");
    assert_eq!((&entries[0]["class"], &entries[0]["persons"]), (&"Added".into(), &1.into()));
}

#[tokio::test]
async fn a_list_alone_fetches_no_strangers() {
    let mut world = listing().await;
    let asked = world.audited("fetch").await.len();
    stranger(&mut world, HOME).await;
    assert_eq!((world.audited("fetch").await.len(), world.rows("person").await), (asked, 0));
    let measured = world.measured();
    let spared = measured.lines().find(|line| line.starts_with("cpr_ingest_persons_spared_total{")).unwrap();
    assert!(spared.ends_with(" 1"), "{spared}");
}

#[tokio::test]
async fn who_is_taken_off_a_list_is_told_so_and_a_stranger_leaves_nothing_behind() {
    let mut world = listing().await;
    let (person, other) = (stranger(&mut world, AWAY).await, stranger(&mut world, AWAY).await);
    let record = of(world.list("clients", &person).await);
    world.work().await;
    world.told().await;
    let keys = world.key_rows("person_key").await;
    assert_eq!(world.unlist("clients", &other).await, Removal::NotListed);
    assert_eq!((world.key_rows("person_key").await, world.key_rows("identifier").await), (keys, 2 * keys));

    assert_eq!(world.unlist("clients", &person).await, Removal::Removed(record));
    assert_eq!(world.progress("clients", record).await, Progress::NotListed);
    world.work().await;
    assert_eq!(world.told().await, ["acadre scope.left Unlisted"]);
    assert_eq!((world.rows("subject").await, world.rows("listing").await), (0, 0));
    assert_eq!(world.unlist("clients", &person).await, Removal::NotListed);
    world.register.rename(&person, None, Some("Andersen"), world.today()).unwrap();
    world.import().await;
    assert_eq!(world.told().await, NOTHING);

    world.deliver().await;
    world.days(8).await;
    world.sweep().await;
    assert_eq!((world.rows("person").await, world.record(&person).await), (0, None));
}

#[tokio::test]
async fn who_is_put_back_before_being_taken_off_stays() {
    let mut world = listing().await;
    let person = stranger(&mut world, AWAY).await;
    let record = of(world.list("clients", &person).await);
    world.work().await;
    world.told().await;
    assert_eq!(world.unlist("clients", &person).await, Removal::Removed(record));
    assert_eq!(world.list("clients", &person).await, Standing::Already(record));
    world.work().await;
    assert_eq!(world.told().await, NOTHING);
    assert_eq!(world.counts("clients").await.listed, 1);
}

#[tokio::test]
async fn who_is_put_on_a_list_while_being_removed_is_on_it() {
    let mut world = listing().await;
    let person = stranger(&mut world, AWAY).await;
    let record = of(world.list("clients", &person).await);
    world.work().await;
    assert_eq!(world.unlist("clients", &person).await, Removal::Removed(record));
    world.work().await;
    world.deliver().await;
    world.told().await;
    let mut tx = world.store.main.begin().await.unwrap();
    assert_eq!(store::person::mark_leaving(&mut tx, world.source, &[record]).await.unwrap(), [record]);
    tx.commit().await.unwrap();

    let operator = world.as_role("operator").await;
    let own = std::mem::replace(&mut world.store, operator);
    assert_eq!(world.list("clients", &person).await, Standing::Waiting(record));
    world.store = own;
    world.sweep().await;
    world.work().await;
    assert_eq!(world.told().await, ["acadre scope.entered Listed"]);
    assert_eq!(world.counts("clients").await, Counts { listed: 1, ..Counts::default() });
}

#[tokio::test]
async fn who_takes_a_number_off_and_may_not_delete_keys_leaves_the_key_for_a_day() {
    let mut world = listing().await;
    let person = stranger(&mut world, AWAY).await;
    let keys = world.key_rows("person_key").await;
    let record = of(world.list("clients", &person).await);
    let operator = world.as_role("operator").await;
    let own = std::mem::replace(&mut world.store, operator);
    assert_eq!(world.unlist("clients", &person).await, Removal::Removed(record));
    world.store = own;
    assert_eq!(world.rows("listing").await, 0);
    world.clock.advance(DAY * 2);
    world.sweep().await;
    assert_eq!(world.key_rows("person_key").await, keys);
}

#[tokio::test]
async fn who_is_taken_off_before_being_asked_for_leaves_no_key() {
    let mut world = listing().await;
    let person = stranger(&mut world, AWAY).await;
    let keys = world.key_rows("person_key").await;
    let record = of(world.list("clients", &person).await);
    assert_eq!(world.key_rows("person_key").await, keys + 1);
    assert_eq!(world.unlist("clients", &person).await, Removal::Removed(record));
    assert_eq!((world.key_rows("person_key").await, world.rows("listing").await), (keys, 0));
    world.work().await;
    assert_eq!(world.told().await, NOTHING);
}

#[tokio::test]
async fn a_line_withdrawn_while_the_register_is_asked_is_not_met() {
    let mut world = listing().await;
    let person = stranger(&mut world, AWAY).await;
    world.list("clients", &person).await;
    let (store, row) = (world.store.clone(), world.subscription("clients").await);
    let (number, now) = (world.number(&person), world.clock.now());
    let register = world.register.clone();
    let asked = register.requests().len();
    let withdraw = async {
        while register.requests().len() == asked {
            tokio::task::yield_now().await;
        }
        lists::remove(&store, &row, &realm(), vec![(1, number)], None, now).await.unwrap()
    };
    let (done, removed) = tokio::join!(world.task().run_once(), withdraw);
    done.unwrap();
    world.work().await;
    assert_eq!(world.counts("clients").await, Counts::default());
    match removed[0].1 {
        Removal::Removed(_) => assert!(matches!(world.told().await.as_slice(), [] | [_, _])),
        Removal::NotListed => panic!("it was on the list or waited to be"),
    }
}

#[tokio::test]
async fn who_is_listed_and_lives_there_is_covered_by_both() {
    let mut world = World::new().await;
    world.subscribe("clients", "acadre", |form| form.selector.listed = true).await;
    world.poll().await;
    let person = world.known(HOME).await;
    world.list("clients", &person).await;
    world.work().await;
    assert_eq!(world.told().await, NOTHING, "covered already");
    world.register.move_to(&person, AWAY, world.today()).unwrap();
    world.import().await;
    assert_eq!(world.told().await, ["acadre moved.out"]);
    world.register.move_to(&person, HOME, world.today()).unwrap();
    world.import().await;
    assert_eq!(world.told().await, ["acadre moved.in"]);
    world.unlist("clients", &person).await;
    world.work().await;
    assert_eq!(world.told().await, NOTHING, "still covered");
    world.register.move_to(&person, AWAY, world.today()).unwrap();
    world.import().await;
    assert_eq!(world.told().await, ["acadre moved.out", "acadre scope.left Moved"]);
}

#[tokio::test]
async fn somebody_seen_for_the_first_time_by_a_list_is_told_to_others_as_seen_first() {
    let mut world = World::new().await;
    let person = world.settle(HOME);
    world.register.load();
    world.poll().await;
    world.subscribe("area", "school", |_| ()).await;
    world.subscribe("clients", "acadre", |form| form.selector = Selector::listed()).await;
    world.poll().await;
    world.list("clients", &person).await;
    world.work().await;
    assert_eq!(world.told().await, ["school scope.entered FirstSeen", "acadre scope.entered Listed"]);
}

#[tokio::test]
async fn two_subscriptions_with_the_same_person_each_hear() {
    let mut world = listing().await;
    world.subscribe("others", "school", |form| form.selector = Selector::listed()).await;
    world.subscribe("more", "acadre", |form| form.selector = Selector::listed()).await;
    let person = stranger(&mut world, AWAY).await;
    for name in ["clients", "others", "more"] {
        world.list(name, &person).await;
    }
    world.work().await;
    let mut told = world.told().await;
    told.sort();
    assert_eq!(told, ["acadre scope.entered Listed", "acadre scope.entered Listed", "school scope.entered Listed"]);
    world.unlist("clients", &person).await;
    world.work().await;
    assert_eq!(world.told().await, ["acadre scope.left Unlisted"]);
    world.register.rename(&person, None, Some("Andersen"), world.today()).unwrap();
    world.import().await;
    let mut heard: Vec<_> =
        world.heard().await.into_iter().map(|heard| (heard.consumer, heard.subscriptions.join(","))).collect();
    heard.sort();
    assert_eq!(heard, [("acadre".into(), "more".into()), ("school".into(), "others".into())]);
}

#[tokio::test]
async fn a_listed_person_without_residence_is_covered_and_one_who_dies_for_a_while() {
    let mut world = listing().await;
    let person = stranger(&mut world, AWAY).await;
    world.list("clients", &person).await;
    world.work().await;
    world.told().await;
    world.register.emigrate(&person, "5110", world.today()).unwrap();
    world.import().await;
    assert!(world.told().await.contains(&"acadre emigrated".to_owned()));
    world.register.return_home(&person, HOME, world.today()).unwrap();
    world.import().await;
    assert!(world.told().await.contains(&"acadre returned".to_owned()));
    world.register.die(&person, world.today()).unwrap();
    world.import().await;
    assert!(world.told().await.contains(&"acadre died".to_owned()));
    world.days(91).await;
    assert_eq!(world.told().await, ["acadre scope.left Inactive"]);
    assert_eq!(world.counts("clients").await.listed, 1, "the list is the consumer's to change");
    world.unlist("clients", &person).await;
    world.work().await;
    assert_eq!(world.told().await, NOTHING);
}

#[tokio::test]
async fn protected_persons_on_a_list_are_treated_as_the_consumer_is() {
    for (sector, mode, entered, started) in [
        (Sector::Public, ProtectedPersons::Allow, &["acadre scope.entered Listed"][..], &["acadre name.changed"][..]),
        (Sector::Public, ProtectedPersons::Mask, &["acadre scope.entered Listed"], &["acadre name.changed"]),
        (Sector::Public, ProtectedPersons::Deny, &[], &[]),
        (Sector::Private, ProtectedPersons::Mask, &[], &[]),
    ] {
        let mut world = World::new().await;
        let person = world.settle(AWAY);
        world.register.protect(&person, NameAndAddress, LONG_AGO, None).unwrap();
        world.register.load();
        world
            .subscribe("clients", "acadre", |form| {
                (form.selector, form.sector, form.protected_persons) = (Selector::listed(), sector, mode);
            })
            .await;
        world.poll().await;
        let record = of(world.list("clients", &person).await);
        world.work().await;
        assert_eq!(world.told().await, entered, "{sector:?} {mode:?}");
        assert_eq!(world.progress("clients", record).await, Progress::Listed(record));
        world.register.rename(&person, None, Some("Andersen"), world.today()).unwrap();
        world.import().await;
        assert_eq!(world.told().await, started, "{sector:?} {mode:?}");
        world.days(9).await;
        world.sweep().await;
        assert!(world.row(&person).await.is_some(), "who is on the list is kept");

        world.register.die(&person, world.today()).unwrap();
        world.import().await;
        let hears = mode != ProtectedPersons::Deny;
        assert_eq!(world.told().await.contains(&"acadre died".to_owned()), hears, "{sector:?} {mode:?}");
    }
}

#[tokio::test]
async fn a_private_consumer_hears_the_essentials_of_who_is_protected_on_its_list() {
    let mut world = World::new().await;
    let private = |form: &mut cpr_operator::domain::compiled::Subscription| {
        (form.selector, form.sector) = (Selector::listed(), Sector::Private);
    };
    world.subscribe("customers", "bank", private).await;
    world.poll().await;
    let person = stranger(&mut world, AWAY).await;
    world.list("customers", &person).await;
    world.work().await;
    assert_eq!(world.told().await, ["bank scope.entered Listed"]);
    world.register.protect(&person, NameAndAddress, world.today(), None).unwrap();
    world.import().await;
    assert_eq!(world.told().await, ["bank protection.started"], "and stays on the list");
    world.register.rename(&person, None, Some("Andersen"), world.today()).unwrap();
    world.import().await;
    assert_eq!(world.told().await, NOTHING);
    world.register.unprotect(&person, world.today()).unwrap();
    world.import().await;
    assert_eq!(world.told().await[0], "bank protection.ended");
    world.register.protect(&person, NameAndAddress, world.today(), None).unwrap();
    world.import().await;
    world.told().await;
    world.unlist("customers", &person).await;
    world.work().await;
    assert_eq!(world.told().await, ["bank scope.left Unlisted"]);
}

#[tokio::test]
async fn a_number_that_the_register_does_not_know_is_reported_and_forgotten() {
    let mut world = listing().await;
    let person = stranger(&mut world, AWAY).await;
    let keys = world.key_rows("person_key").await;
    // Checksums ended in 2007: the second of these has none that fits, and neither is in use.
    let numbers = ["6101800001", "9912996666"].map(|text| CprNumber::parse(text).unwrap());
    let standings =
        world.list_numbers("clients", &[numbers[0].clone(), world.number(&person), numbers[1].clone()]).await;
    world.work().await;
    assert_eq!(world.told().await, ["acadre scope.entered Listed"]);
    for (standing, expected) in
        standings.iter().zip([Progress::Unknown, Progress::Listed(of(standings[1])), Progress::Unknown])
    {
        assert_eq!(world.progress("clients", of(*standing)).await, expected);
    }
    let sealed: i64 = cpr_operator::store::sql::query_scalar("SELECT count(*) FROM listing WHERE number IS NOT NULL")
        .fetch_one(&mut world.store.main.read().await.unwrap())
        .await
        .unwrap();
    assert_eq!((sealed, world.key_rows("person_key").await), (0, keys + 1));
    assert_eq!(world.counts("clients").await, Counts { listed: 1, unknown: 2, ..Counts::default() });
    assert!(world.measured().contains("cpr_list_additions_total{subscription=\"skole/clients\"} 1"));
    let asked = world.audited("fetch").await.last().unwrap()["persons"].clone();
    assert_eq!(asked, 3, "all numbers that were asked for count");

    world.days(2).await;
    world.sweep().await;
    assert_eq!(world.rows("listing").await, 0);
    assert_eq!(world.progress("clients", of(standings[0])).await, Progress::NotListed);
}

#[tokio::test]
async fn a_number_without_a_checksum_that_fits_is_as_good_as_any() {
    let mut world = listing().await;
    let mut people: Vec<String> = Vec::new();
    for _ in 0..40 {
        people.push(world.settle(AWAY));
    }
    world.import().await;
    let weights = [4, 3, 2, 7, 6, 5, 4, 3, 2, 1];
    let fails = |person: &&String| {
        let digits = world.register.citizen(person).unwrap().number;
        let sum: u32 = digits.bytes().zip(weights).map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
        !sum.is_multiple_of(11)
    };
    let person = people.iter().find(fails).unwrap().clone();
    world.list("clients", &person).await;
    world.work().await;
    assert_eq!(world.told().await, ["acadre scope.entered Listed"]);
}

#[tokio::test]
async fn a_former_number_leads_to_the_same_person() {
    let mut world = World::ready().await;
    world.subscribe("list", "school", |form| form.selector = Selector::listed()).await;
    let person = world.known(HOME).await;
    let old = world.number(&person);
    world.register.change_number(&person, world.today()).unwrap();
    // The number is new to us, for its notice has not been read.
    let new = world.number(&person);
    let standings = world.list_numbers("list", &[new.clone(), old]).await;
    assert_ne!(of(standings[0]), of(standings[1]));
    world.work().await;
    let record = world.record(&person).await.unwrap();
    for standing in &standings {
        assert_eq!(world.progress("list", of(*standing)).await, Progress::Listed(record));
    }
    assert_eq!(world.list_numbers("list", &[new]).await, [Standing::Already(record)]);
    let told = world.told().await;
    assert_eq!(told.iter().filter(|told| *told == "school scope.entered Listed").count(), 1, "{told:?}");
    assert_eq!(world.key_rows("person_key").await, 1);
    assert_eq!(world.unlist("list", &person).await, Removal::Removed(record));
}

#[tokio::test]
async fn who_survives_a_merge_takes_the_place_on_the_list() {
    let mut world = listing().await;
    world.subscribe("others", "school", |form| form.selector = Selector::listed()).await;
    let (double, survivor) = (stranger(&mut world, AWAY).await, stranger(&mut world, AWAY).await);
    world.list("clients", &double).await;
    world.list("others", &survivor).await;
    world.work().await;
    world.told().await;
    world.register.merge(&double, &survivor, world.today()).unwrap();
    world.import().await;
    let told = world.told().await;
    for expected in ["acadre scope.left Inactive", "acadre scope.entered Listed", "acadre person.merged"] {
        assert!(told.contains(&expected.to_owned()), "{expected}: {told:?}");
    }
    world.register.rename(&survivor, None, Some("Andersen"), world.today()).unwrap();
    world.import().await;
    assert!(world.told().await.contains(&"acadre name.changed".to_owned()));
}

#[tokio::test]
async fn limits_hold_a_list_up_until_the_next_hour() {
    let mut world = listing().await;
    world.set_up(|context| (context.lists.additions_per_hour, context.settings.batch) = (3, 2));
    let mut numbers = Vec::new();
    for _ in 0..5 {
        let person = world.settle(AWAY);
        numbers.push(world.number(&person));
    }
    world.import().await;
    world.list_numbers("clients", &numbers).await;
    world.work().await;
    assert_eq!(world.told().await.len(), 3);
    let load = world.load("clients").await;
    assert_eq!((load.counts.waiting, load.held_until.is_some()), (2, true));
    world.restart();
    world.pass(Duration::from_secs(60)).await;
    assert_eq!(world.told().await.len(), 0, "a restart changes nothing");
    world.pass(Duration::from_secs(3600)).await;
    assert_eq!(world.told().await.len(), 2);
    assert_eq!(world.load("clients").await.held_until, None);
}

#[tokio::test]
async fn too_many_unknown_numbers_hold_a_list_up() {
    let mut world = listing().await;
    world.set_up(|context| context.lists.unknown_per_hour = 2);
    let person = stranger(&mut world, AWAY).await;
    let unknown = ["6101800001", "6201800001", "6301800001"].map(|text| CprNumber::parse(text).unwrap());
    let numbers = [unknown.as_slice(), &[world.number(&person)]].concat();
    world.list_numbers("clients", &numbers).await;
    world.work().await;
    assert_eq!((world.counts("clients").await.unknown, world.told().await.len()), (2, 0));
    world.pass(Duration::from_secs(3600)).await;
    assert_eq!((world.counts("clients").await.unknown, world.told().await.len()), (3, 1));
}

#[tokio::test]
async fn a_list_does_not_starve_the_feed() {
    let mut world = World::new().await;
    world.set_up(|context| context.settings.batch = 1);
    world.subscribe("clients", "acadre", |form| form.selector = Selector::listed()).await;
    world.subscribe("area", "school", |_| ()).await;
    world.poll().await;
    let mut numbers = Vec::new();
    for _ in 0..20 {
        let person = world.settle(AWAY);
        numbers.push(world.number(&person));
    }
    world.import().await;
    world.told().await;
    world.list_numbers("clients", &numbers).await;
    world.task().run_once().await.unwrap();
    assert_eq!(world.counts("clients").await.listed, 4, "four batches a turn");
    world.settle(HOME);
    world.register.load();
    world.clock.advance(world.form.poll_interval);
    world.task().run_once().await.unwrap();
    let told = world.told().await;
    assert!(told.contains(&"school scope.entered FirstSeen".to_owned()), "{told:?}");
    assert_eq!(world.counts("clients").await.listed, 8);
}

#[tokio::test]
async fn a_register_that_fails_delays_a_list_and_loses_nobody() {
    let mut world = listing().await;
    let person = stranger(&mut world, AWAY).await;
    world.register.faults().set_for(Fault::ServerError { status: 503 }, Some(&[Service::Lookup]), None);
    let record = of(world.list("clients", &person).await);
    world.work().await;
    for _ in 0..4 {
        world.pass(Duration::from_secs(600)).await;
    }
    assert_eq!((world.progress("clients", record).await, world.feed().await.as_str()), (Progress::Waiting, "Healthy"));
    world.register.faults().clear();
    world.pass(Duration::from_secs(600)).await;
    assert_eq!(world.told().await, ["acadre scope.entered Listed"]);
}

#[tokio::test]
async fn a_number_that_cannot_be_read_is_given_up_after_three_tries_and_the_others_are_met() {
    let mut world = listing().await;
    let person = stranger(&mut world, AWAY).await;
    let record = of(world.list("clients", &person).await);
    world.register.faults().set_for(Fault::BrokenJson, Some(&[Service::Lookup]), Some(3));
    world.work().await;
    assert_eq!(world.progress("clients", record).await, Progress::Failed("NotUnderstood".into()));
    assert_eq!(world.counts("clients").await, Counts { failed: 1, ..Counts::default() });
    let standing = world.list("clients", &person).await;
    world.work().await;
    assert_eq!(world.told().await, ["acadre scope.entered Listed"], "asked for once more");
    assert_eq!(world.progress("clients", of(standing)).await, Progress::Listed(of(standing)));
}

#[tokio::test]
async fn list_work_that_breaks_off_anywhere_is_done_once() {
    let mut world = listing().await;
    for polls in 0.. {
        let person = stranger(&mut world, AWAY).await;
        world.list("clients", &person).await;
        let added = break_off(world.task().run_once(), polls).await;
        world.restart();
        world.pass(Duration::ZERO).await;
        world.poll().await;
        assert_eq!(world.told().await, ["acadre scope.entered Listed"], "broken off after {polls} polls");
        world.unlist("clients", &person).await;
        let removed = break_off(world.task().run_once(), polls).await;
        world.restart();
        world.poll().await;
        assert_eq!(world.told().await, ["acadre scope.left Unlisted"], "broken off after {polls} polls");
        if added && removed {
            return;
        }
    }
}

#[tokio::test]
async fn five_thousand_numbers_are_met() {
    let mut world = listing().await;
    let mut numbers = Vec::new();
    for _ in 0..5_000 {
        let person = world.settle(AWAY);
        numbers.push(world.number(&person));
    }
    world.register.load();
    let standings = world.list_numbers("clients", &numbers).await;
    world.work().await;
    assert_eq!(world.counts("clients").await, Counts { listed: 5_000, ..Counts::default() });
    assert_eq!(world.told().await.len(), 5_000);
    let mut listed = 0;
    let (row, mut after) = (world.subscription("clients").await, None);
    loop {
        let page = lists::page(&world.store, row.id, after, 700).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(*last);
        listed += page.len();
    }
    assert_eq!((listed, world.rows("listing").await), (standings.len(), 0));
}

#[tokio::test]
async fn a_deleted_subscription_takes_its_list_up_again_within_the_grace_and_loses_it_after() {
    let mut world = listing().await;
    let person = stranger(&mut world, AWAY).await;
    world.list("clients", &person).await;
    world.work().await;
    world.told().await;
    world.unsubscribe("clients").await;
    world.work().await;
    world.days(3).await;
    world.sweep().await;
    world.subscribe("clients", "acadre", |_| ()).await;
    world.work().await;
    assert_eq!((world.told().await.len(), world.counts("clients").await.listed), (0, 1));
    world.register.rename(&person, None, Some("Andersen"), world.today()).unwrap();
    world.import().await;
    assert_eq!(world.told().await, ["acadre name.changed"]);

    let waiting = stranger(&mut world, AWAY).await;
    world.form.suspended = true;
    world.restart();
    world.list("clients", &waiting).await;
    world.deliver().await;
    world.unsubscribe("clients").await;
    world.days(8).await;
    world.sweep().await;
    world.days(2).await;
    world.sweep().await;
    assert_eq!((world.rows("subject").await, world.rows("listing").await), (0, 0));
    assert_eq!((world.rows("person").await, world.key_rows("person_key").await), (0, 0));
}

#[tokio::test]
async fn a_list_taken_from_the_selection_ends_with_the_change() {
    let mut world = listing().await;
    let (there, here) = (stranger(&mut world, AWAY).await, stranger(&mut world, HOME).await);
    world.list("clients", &there).await;
    world.list("clients", &here).await;
    world.work().await;
    world.told().await;
    world.subscribe("clients", "acadre", |form| form.selector = super::world::living_in(&[HOME])).await;
    world.work().await;
    assert_eq!(world.told().await, ["acadre scope.left SubscriptionChanged"]);
    assert_eq!(world.rows("subject").await, 0);
    world.subscribe("clients", "acadre", |form| form.selector.listed = true).await;
    world.work().await;
    assert_eq!(world.told().await, NOTHING, "the list begins anew");
}

#[tokio::test]
async fn a_suspended_subscription_hears_of_its_list_when_it_goes_on() {
    let mut world = listing().await;
    let (stays, goes, comes) =
        (stranger(&mut world, AWAY).await, stranger(&mut world, AWAY).await, stranger(&mut world, AWAY).await);
    world.list("clients", &stays).await;
    world.list("clients", &goes).await;
    world.work().await;
    world.told().await;
    world.subscribe("clients", "acadre", |form| form.suspended = true).await;
    world.work().await;
    world.list("clients", &comes).await;
    world.unlist("clients", &goes).await;
    world.work().await;
    assert_eq!(world.told().await, NOTHING);
    world.subscribe("clients", "acadre", |form| form.suspended = false).await;
    world.work().await;
    let mut told: Vec<_> =
        world.heard().await.into_iter().map(|heard| (heard.words(), heard.person.unwrap())).collect();
    told.sort();
    assert_eq!(
        told,
        [
            ("acadre scope.entered SubscriptionChanged".into(), comes),
            ("acadre scope.left SubscriptionChanged".into(), goes)
        ]
    );
}

#[tokio::test]
async fn a_secrets_numbers_replace_what_was_on_the_list() {
    let mut world = listing().await;
    let people: Vec<String> = (0..3).map(|_| world.settle(AWAY)).collect();
    world.import().await;
    let numbers: Vec<CprNumber> = people.iter().map(|person| world.number(person)).collect();
    let row = world.subscription("clients").await;
    let replace = async |world: &World, numbers: &[CprNumber]| {
        let lines = (1..).zip(numbers.iter().cloned()).collect();
        lists::replace(&world.store, &row, &realm(), lines, world.clock.now()).await.unwrap()
    };
    assert_eq!(replace(&world, &numbers[..2]).await, (2, 0));
    assert_eq!(replace(&world, &numbers[..2]).await, (0, 0), "while they wait");
    world.work().await;
    assert_eq!(world.told().await.len(), 2);
    assert_eq!(replace(&world, &numbers[..2]).await, (0, 0));
    assert_eq!(replace(&world, &numbers[1..]).await, (1, 1));
    world.work().await;
    let mut told: Vec<_> =
        world.heard().await.into_iter().map(|heard| (heard.words(), heard.person.unwrap())).collect();
    told.sort();
    assert_eq!(
        told,
        [
            ("acadre scope.entered Listed".into(), people[2].clone()),
            ("acadre scope.left Unlisted".into(), people[0].clone())
        ]
    );
    let unknown = CprNumber::parse("6101800001").unwrap();
    let with_unknown = [&numbers[1..], &[unknown]].concat();
    replace(&world, &with_unknown).await;
    world.work().await;
    assert_eq!(world.counts("clients").await, Counts { listed: 2, unknown: 1, ..Counts::default() });
    assert_eq!(replace(&world, &with_unknown).await.1, 0);
    world.work().await;
    assert_eq!(world.counts("clients").await.unknown, 1, "counted once");
    assert!(world.audited("list.changed").await.len() >= 4);
}

#[tokio::test]
async fn no_number_lies_anywhere_in_the_clear() {
    let mut world = listing().await;
    let person = stranger(&mut world, AWAY).await;
    let unknown = CprNumber::parse("6101800001").unwrap();
    let number = world.number(&person);
    world.register.faults().set_for(Fault::ServerError { status: 503 }, Some(&[Service::Lookup]), None);
    let numbers = [number.clone(), unknown.clone()];
    world.list_numbers("clients", &numbers).await;
    world.work().await;
    let silent = |world: &World| {
        for (name, bytes) in crate::support::files::bytes(world.folder()) {
            for canary in [&number, &unknown] {
                let sings = bytes.windows(10).any(|window| window == canary.expose().as_bytes());
                assert!(!sings, "{name} holds a number");
            }
        }
    };
    silent(&world);
    world.register.faults().clear();
    world.pass(Duration::from_secs(600)).await;
    assert_eq!(world.told().await.len(), 1);
    silent(&world);
}
