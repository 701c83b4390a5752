//! Whatever is wrong with the register is told apart, costs no more than it must, and is over when it is over.

use std::time::{Duration, Instant};

use cpr_operator::domain::field_group::{FieldGroup, GroupSet};
use cpr_operator::simulate::datafordeler::{Fault, RetryAfter, Service};
use cpr_operator::upstream::datafordeler::error::Down;
use cpr_operator::upstream::datafordeler::limits::CircuitState;
use cpr_operator::upstream::datafordeler::{Error, Retry, Settings};

use super::site::{Site, client, every_group, settings};

type Expected = fn(&Error) -> bool;

/// Each fault of an answer, and the error that it is told as.
const FAULTS: [(Fault, Expected); 12] = [
    (Fault::Unauthorized, |e| matches!(e, Error::CredentialsWrong { perhaps_address: true, .. })),
    (Fault::NotWhiteListed, |e| matches!(e, Error::AddressNotWhiteListed { .. })),
    (Fault::Forbidden, |e| matches!(e, Error::NotGranted { .. })),
    (Fault::ForbiddenInBody, |e| matches!(e, Error::NotGranted { .. })),
    (Fault::TooMany { retry_after: RetryAfter::Silent }, |e| matches!(e, Error::Busy { retry_after: None })),
    (Fault::ServerError { status: 500 }, |e| matches!(e, Error::Down { class: Down::Status(500) })),
    (Fault::ServerError { status: 503 }, |e| matches!(e, Error::Down { class: Down::Status(503) })),
    (Fault::ServerError { status: 404 }, |e| matches!(e, Error::UnknownService)),
    (Fault::Cut, |e| matches!(e, Error::Down { class: Down::Cut })),
    (Fault::HangUp, |e| matches!(e, Error::Down { .. })),
    (Fault::BrokenJson, |e| matches!(e, Error::NotUnderstood { .. })),
    (Fault::Slow { millis: 30_000 }, |e| matches!(e, Error::Down { class: Down::Timeout })),
];

#[tokio::test]
async fn each_fault_is_told_apart_at_each_service_and_ends() {
    for (fault, is_expected) in FAULTS {
        let slow = matches!(fault, Fault::Slow { .. });
        let timeout = if slow { Duration::from_millis(200) } else { settings().timeout };
        let site = Site::with(Settings { timeout, ..settings() }, |_| ()).await;
        let id = site.settle();
        site.register.load();
        site.client.learn().await.unwrap();
        site.register.faults().set_for(
            fault.clone(),
            Some(&[Service::Events, Service::ImportStatus, Service::Lookup]),
            None,
        );
        let errors = [
            site.client.import_status().await.unwrap_err(),
            site.client.notices(0).await.unwrap_err(),
            site.client.persons_by_id(std::slice::from_ref(&id), GroupSet::EMPTY).await.unwrap_err(),
        ];
        for error in errors {
            assert!(is_expected(&error), "{fault:?}: {error:?}");
            assert!(!error.to_string().contains(&id.expose()), "{error}");
        }
        site.register.faults().clear();
        assert!(site.client.import_status().await.is_ok(), "{fault:?}");
        assert_eq!(site.client.persons_by_id(&[id], GroupSet::EMPTY).await.unwrap().found.len(), 1, "{fault:?}");
    }
}

#[tokio::test]
async fn a_token_that_is_not_accepted_is_renewed_once_and_the_question_asked_once_more() {
    let site = Site::new().await;
    site.client.learn().await.unwrap();
    site.register.revoke_tokens();
    site.client.import_status().await.unwrap();
    assert_eq!(site.statuses(Service::ImportStatus), [Some(401), Some(200)]);
    assert_eq!(site.statuses(Service::Token).len(), 2);
    site.register.faults().set(Fault::Unauthorized);
    site.client.import_status().await.unwrap_err();
    assert_eq!(site.statuses(Service::ImportStatus)[2..], [Some(401), Some(401)], "and no third time");
    assert_eq!(site.statuses(Service::Token).len(), 3);
}

#[tokio::test]
async fn one_token_serves_all_questions() {
    let site = Site::new().await;
    let id = site.settle();
    for _ in 0..5 {
        site.client.import_status().await.unwrap();
        site.client.persons_by_id(std::slice::from_ref(&id), GroupSet::EMPTY).await.unwrap();
    }
    assert_eq!((site.statuses(Service::Token).len(), site.statuses(Service::Schema).len()), (1, 2));
}

#[tokio::test]
async fn wrong_credentials_are_told_by_the_token_service() {
    let site = Site::new().await;
    let wrong = client(&site.register, &settings(), "another-secret");
    let error = wrong.import_status().await.unwrap_err();
    assert!(matches!(error, Error::CredentialsWrong { perhaps_address: false, .. }), "{error:?}");
    assert!(error.to_string().contains("invalid_client") && !error.to_string().contains("another-secret"));
    assert_eq!(error.retry(), Retry::EveryFiveMinutes);
    site.register.set_client_secret("another-secret");
    assert!(wrong.import_status().await.is_ok());
    site.register.faults().set(Fault::WrongCredentials);
    assert!(site.client.import_status().await.is_err_and(|error| matches!(error, Error::CredentialsWrong { .. })));
}

#[tokio::test]
async fn a_busy_register_is_left_alone_for_as_long_as_it_says() {
    for retry_after in [RetryAfter::Seconds(600), RetryAfter::Date(600)] {
        let site = Site::new().await;
        site.client.learn().await.unwrap();
        site.register.faults().set_times(Fault::TooMany { retry_after }, 1);
        let Err(Error::Busy { retry_after: Some(wait) }) = site.client.import_status().await else { panic!("busy") };
        assert!(wait > Duration::from_secs(500) && wait <= Duration::from_secs(600), "{wait:?}");
        assert!(matches!(site.client.import_status().await, Err(Error::Paused { .. })), "{retry_after:?}");
        assert_eq!(site.client.circuit(), CircuitState::Open);
        assert_eq!(site.statuses(Service::ImportStatus), [Some(429)], "nothing is asked before");
    }
}

#[tokio::test]
async fn a_register_that_is_down_opens_the_circuit_and_is_tried_again() {
    let set = Settings { circuit_failures: 3, circuit_initial: Duration::from_millis(1), ..settings() };
    let site = Site::with(set, |_| ()).await;
    site.client.learn().await.unwrap();
    site.register.go_down().await;
    for _ in 0..3 {
        assert!(site.client.import_status().await.is_err_and(|error| error.is_outage()));
    }
    assert_ne!(site.client.circuit(), CircuitState::Closed);
    site.register.come_back().await.unwrap();
    let back = tokio::time::timeout(Duration::from_secs(20), async {
        while site.client.import_status().await.is_err() {
            tokio::task::yield_now().await;
        }
    });
    assert!(back.await.is_ok());
    assert_eq!(site.client.circuit(), CircuitState::Closed);
}

#[tokio::test]
async fn no_more_is_asked_in_a_second_than_the_rate_allows() {
    let site = Site::with(Settings { requests_per_second: 100, ..settings() }, |_| ()).await;
    site.client.learn().await.unwrap();
    let began = Instant::now();
    for _ in 0..20 {
        site.client.import_status().await.unwrap();
    }
    assert!(began.elapsed() >= Duration::from_millis(190));
}

#[tokio::test]
async fn repeated_events_and_persons_are_harmless() {
    let site = Site::with(settings(), |options| options.people = 5).await;
    let right = site.notices(0).await;
    site.register.faults().set(Fault::Duplicate);
    let mut twice = site.notices(0).await;
    assert!(twice.len() > right.len() && twice.is_sorted_by_key(|notice| notice.event_id));
    twice.dedup();
    assert_eq!(twice, right);
    let ids: Vec<_> = right.iter().map(|notice| notice.person.clone()).collect();
    assert_eq!(site.client.persons_by_id(&ids, every_group()).await.unwrap().found.len(), 5);
}

#[tokio::test]
async fn unknown_members_and_values_are_counted_and_never_fatal() {
    let site = Site::new().await;
    let id = site.settle();
    site.register.load();
    site.register.faults().set(Fault::UnknownField);
    assert_eq!(site.notices(0).await.len(), 1);
    let persons = site.client.persons_by_id(&[id], every_group()).await.unwrap();
    assert_eq!((persons.found.len(), persons.not_understood, persons.dropped_rows), (1, 0, 0));
    assert!(persons.unknown_fields > 0 && persons.unknown_values > 0);
    assert_eq!(persons.found[0].held, every_group());
    let counts = site.client.counts();
    assert!(counts.unknown_fields >= u64::from(persons.unknown_fields) && counts.unknown_values > 0);
}

#[tokio::test]
async fn an_unknown_kind_of_protection_counts_as_protection() {
    let site = Site::new().await;
    let id = site.settle();
    let kind = cpr_operator::simulate::datafordeler::Protection::Marketing;
    site.register.protect(&id.expose(), kind, super::site::SINCE, None).unwrap();
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let read =
        async || site.client.persons_by_id(std::slice::from_ref(&id), every_group()).await.unwrap().found.remove(0);
    assert!(!read().await.is_protected(today));
    site.register.faults().set(Fault::UnknownField);
    assert!(read().await.is_protected(today));
}

#[tokio::test]
async fn a_person_without_what_nobody_can_do_without_is_not_read() {
    for member in ["id", "status", "personnumre", "adresseoplysninger", "cprAdresse", "cprkommunekode"] {
        let site = Site::new().await;
        let id = site.settle();
        site.register.faults().set(Fault::DropMandatory { member: member.to_owned() });
        let persons = site.client.persons_by_id(&[id], every_group()).await.unwrap();
        assert_eq!((persons.found.len(), persons.not_understood), (0, 1), "{member}");
    }
}

#[tokio::test]
async fn missing_protections_count_as_protection_and_other_missing_members_as_not_held() {
    let site = Site::new().await;
    let id = site.settle();
    for (member, group) in [
        ("beskyttelser", FieldGroup::Protection),
        ("navne", FieldGroup::Name),
        ("civilstande", FieldGroup::CivilStatus),
    ] {
        site.register.faults().clear();
        site.register.faults().set(Fault::DropMandatory { member: member.to_owned() });
        let person = site.client.persons_by_id(std::slice::from_ref(&id), every_group()).await.unwrap().found.remove(0);
        assert!(!person.held.contains(group), "{member}");
        assert_eq!(person.protection_known, member != "beskyttelser");
    }
}
