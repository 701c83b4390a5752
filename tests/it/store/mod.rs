//! The storage contract: claims about any database, run on SQLite files, on PostgreSQL and behind a pooler, and what is particular to each.

#![expect(clippy::unwrap_used, reason = "tests")]

mod audit;
mod bytes;
mod catalogue;
mod configuration;
mod copying;
mod damage;
mod delivery;
mod keys;
mod logins;
mod meeting;
mod migrations;
mod opening;
mod partitions;
mod persons;
mod plans;
mod replay;
mod restored;
mod rights;
mod rules;
mod sequence;
pub(crate) mod site;
mod tls;
mod touched;

pub(crate) use migrations::EXPANDS;

/// Every claim of the contract on a store of its own, made by `$site`.
macro_rules! claims {
    ($site:path; $($module:ident: $($claim:ident),* $(,)?;)*) => {
        $(mod $module {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $claim() {
                let site = $site().await;
                super::super::$module::$claim(&site.store).await;
            })*
        })*
    };
}

macro_rules! contract {
    ($site:path) => {
        claims! {
            $site;
            sequence:
                commit_order_is_sequence_order,
                routes_keep_their_order_within_an_event,
                new_routes_name_the_consumers_they_are_for,
                numbers_are_never_given_twice_after_delete,
                a_rolled_back_batch_leaves_nothing;
            delivery:
                a_stale_epoch_moves_nothing,
                what_was_settled_is_known_after_a_restart,
                an_outcome_takes_the_place_of_its_attempts_also_in_one_batch,
                protection_in_any_row_counts_and_no_row_is_no_answer,
                a_parked_person_is_read_back_as_written,
                a_dead_letter_keeps_the_sealed_snapshot,
                a_request_is_asked_once,
                the_backlog_is_what_is_not_settled,
                retention_spares_what_is_not_delivered,
                a_consumer_goes_with_all_that_hangs_on_it;
            replay:
                what_is_settled_is_found_and_what_follows_it,
                a_replay_is_a_new_route_with_the_number_of_the_first,
                a_job_moves_on_from_where_it_was_read,
                the_log_says_what_became_of_each_delivery,
                a_reference_is_turned_back_for_its_consumer_alone;
            persons:
                a_person_is_read_back_as_written,
                what_is_due_is_found,
                uncovered_persons_leave_when_the_grace_is_over,
                unsettled_persons_are_found_until_they_are_settled,
                residents_are_counted_by_municipality,
                leaving_is_not_written,
                what_is_still_to_be_told_keeps_a_person,
                keys_first_then_rows,
                a_crash_between_key_and_rows_is_finished_later,
                one_source_that_goes_on_keeps_the_key,
                a_key_in_use_is_not_deleted,
                a_key_without_a_row_goes_after_a_day,
                a_row_without_a_key_is_swept,
                a_person_not_read_is_tried_again_when_due;
            keys:
                one_person_is_one_record,
                a_key_without_a_row_is_taken_over,
                realms_share_nobody,
                many_at_once_agree_on_the_record,
                a_claim_decides_on_the_key,
                a_forgotten_person_is_unknown,
                a_consumer_key_lives_until_it_is_forgotten,
                audit_references_hold_for_a_month;
            configuration:
                a_compiled_resource_is_read_back_as_written,
                an_ended_resource_is_taken_up_again_under_its_id,
                an_earlier_selection_is_kept_while_somebody_stands_by_it,
                a_form_that_was_taken_away_and_comes_back_is_a_new_selection,
                an_expired_subscription_is_not_revived_by_its_old_form,
                only_a_changed_state_raises_the_revision,
                a_cursor_forgets_notices_before_the_last_two_imports,
                a_statement_lives_until_it_is_undone,
                the_first_that_was_missed_counts,
                an_ended_source_goes_with_its_cursor;
            audit:
                an_entry_opens_and_verifies,
                a_rolled_back_use_leaves_no_entry,
                the_making_of_a_key_is_recorded_once,
                every_subject_of_a_fetch_is_kept;
            restored:
                numbers_go_on_where_none_was_given,
                nothing_is_moved_while_a_process_runs,
                what_an_older_key_store_lacks_is_counted;
        }
    };
}

mod sqlite {
    contract!(super::super::site::Site::on_sqlite);
}

mod postgres {
    contract!(super::super::site::Site::on_postgres);
}

mod pooler {
    contract!(super::super::site::Site::on_pooler);
}
