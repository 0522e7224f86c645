//! Every scenario on a real etcd, once with each driver.

use etcd_tests::scenario::Ensemble;
use etcd_tests::scenario::Stage;

macro_rules! scenarios {
    ($($stage:expr => { $($module:ident: $($name:ident),+;)+ })+) => {
        mod on_std {
            use super::*;
            $($($(scenarios!(@one $stage, etcd_std::Client, $module $name);)+)+)+
        }
        mod on_smol {
            use super::*;
            $($($(scenarios!(@one $stage, etcd_smol::Client, $module $name);)+)+)+
        }
    };
    (@one $stage:expr, $client:ty, $module:ident $name:ident) => {
        #[test]
        fn $name() {
            let mut stage = $stage;
            etcd_tests::scenario::$module::$name::<$client>(&mut stage);
        }
    };
}

scenarios! {
    Ensemble::start(3) => {
        provoked: errors_of_a_cluster_that_loses_members;
        endpoints: endpoints_replaced_under_load_lose_nothing, members_are_learned_from_the_cluster;
    }
    Ensemble::start(1) => {
        provoked: errors_of_members_and_learners;
    }
    Stage::start() => {
        every: every_call_is_answered;
        provoked: errors_of_requests, errors_of_users_and_tokens, errors_of_the_gateway;
        auth: a_wrong_password_is_refused_and_a_right_one_is_not,
            a_user_may_do_what_its_roles_allow, a_watch_is_created_after_its_token_expired,
            a_restart_that_loses_the_tokens_is_survived, auth_may_be_turned_off_and_on_under_way;
        kv: what_is_put_is_read, ranges_are_read_in_every_way, deletes_tell_what_was_there,
            keys_and_values_are_any_bytes, compacted_revisions_are_refused;
        txn: every_compare_decides, one_branch_is_done_at_one_revision, transactions_nest;
        namespace: a_namespace_is_a_store_of_its_own;
        pool: many_callers_share_two_connections, the_prefix_is_found_from_the_version;
        helpers: guarded_writes_tell_what_is_there, pages_are_one_revision;
        lease: a_lease_lives_until_it_is_revoked, a_lease_that_is_not_renewed_expires,
            a_server_tells_how_it_is;
        kept: a_kept_lease_outlives_its_server, a_kept_lease_that_is_revoked_elsewhere_is_lost,
            a_kept_lease_expires_in_time_and_may_come_back;
        errors: refusals_are_typed, impossible_requests_are_not_sent, a_silent_server_is_a_timeout,
            a_server_that_is_gone_is_unavailable, reads_outlive_a_restart,
            a_dead_endpoint_is_passed_over, two_clients_do_not_disturb_each_other,
            the_last_handle_closes_the_connections;
        watch: changes_are_told_as_they_happen, filters_leave_out_what_they_say,
            history_comes_first_and_whole, progress_is_told_when_asked, a_compacted_start_is_the_end,
            cancel_ends_one_watch_once, a_proxy_that_buffers_requests_is_no_obstacle, a_dropped_watch_is_gone_on_the_server;
        many: five_hundred_watches_share_five_connections;
        restart: a_watch_survives_five_kills;
        lag: a_quiet_watch_is_not_lagging;
        resync: a_compaction_while_cut_off_is_made_good;
        recording: nothing_secret_is_recorded;
        streams: a_snapshot_is_whole_and_right, a_failed_snapshot_leaves_no_file,
            what_is_dropped_is_closed, leaders_are_told_once;
        flow: large_values_and_frames, a_slow_consumer_loses_nothing;
    }
}
