//! Any request and any answer, for properties.

use bytes::Bytes;
use proptest::prelude::*;

use crate::*;

pub(super) fn bytes() -> impl Strategy<Value = Bytes> {
    prop::collection::vec(any::<u8>(), 0..12).prop_map(Bytes::from)
}

pub(super) fn key_range() -> impl Strategy<Value = KeyRange> {
    (bytes(), bytes()).prop_map(|(key, range_end)| KeyRange { key, range_end })
}

/// Zero as often as not, for what is left out.
pub(super) fn int() -> impl Strategy<Value = i64> {
    prop_oneof![Just(0), Just(i64::MIN), Just(i64::MAX), any::<i64>()]
}

pub(super) fn uint() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), Just(u64::MAX), any::<u64>()]
}

pub(super) fn text() -> impl Strategy<Value = String> {
    ".{0,8}"
}

pub(super) fn header() -> impl Strategy<Value = ResponseHeader> {
    (uint(), uint(), int(), uint()).prop_map(|(cluster_id, member_id, revision, raft_term)| {
        ResponseHeader {
            cluster_id,
            member_id,
            revision,
            raft_term,
        }
    })
}

pub(super) fn key_value() -> impl Strategy<Value = KeyValue> {
    (bytes(), bytes(), int(), int(), int(), int()).prop_map(
        |(key, value, create_revision, mod_revision, version, lease)| KeyValue {
            key,
            value,
            create_revision,
            mod_revision,
            version,
            lease,
        },
    )
}

fn key_values() -> impl Strategy<Value = Vec<KeyValue>> {
    prop::collection::vec(key_value(), 0..3)
}

fn sort_order() -> impl Strategy<Value = SortOrder> {
    prop::sample::select(vec![SortOrder::None, SortOrder::Ascend, SortOrder::Descend])
}

fn sort_target() -> impl Strategy<Value = SortTarget> {
    prop::sample::select(vec![
        SortTarget::Key,
        SortTarget::Version,
        SortTarget::Create,
        SortTarget::Mod,
        SortTarget::Value,
    ])
}

pub(super) fn range() -> impl Strategy<Value = Range> {
    (
        key_range(),
        (int(), int(), sort_order(), sort_target()),
        (any::<bool>(), any::<bool>(), any::<bool>()),
        (int(), int(), int(), int()),
    )
        .prop_map(|(range, first, flags, revisions)| Range {
            range,
            limit: first.0,
            revision: first.1,
            sort_order: first.2,
            sort_target: first.3,
            serializable: flags.0,
            keys_only: flags.1,
            count_only: flags.2,
            min_mod_revision: revisions.0,
            max_mod_revision: revisions.1,
            min_create_revision: revisions.2,
            max_create_revision: revisions.3,
        })
}

pub(super) fn range_response() -> impl Strategy<Value = RangeResponse> {
    (header(), key_values(), any::<bool>(), int()).prop_map(|(header, kvs, more, count)| {
        RangeResponse {
            header,
            kvs,
            more,
            count,
        }
    })
}

pub(super) fn put() -> impl Strategy<Value = Put> {
    (bytes(), bytes(), int(), any::<[bool; 3]>()).prop_map(|(key, value, lease, flags)| Put {
        key,
        value,
        lease,
        prev_kv: flags[0],
        ignore_value: flags[1],
        ignore_lease: flags[2],
    })
}

pub(super) fn put_response() -> impl Strategy<Value = PutResponse> {
    (header(), prop::option::of(key_value()))
        .prop_map(|(header, prev_kv)| PutResponse { header, prev_kv })
}

pub(super) fn delete_range() -> impl Strategy<Value = DeleteRange> {
    (key_range(), any::<bool>()).prop_map(|(range, prev_kv)| DeleteRange { range, prev_kv })
}

pub(super) fn delete_range_response() -> impl Strategy<Value = DeleteRangeResponse> {
    (header(), int(), key_values()).prop_map(|(header, deleted, prev_kvs)| DeleteRangeResponse {
        header,
        deleted,
        prev_kvs,
    })
}

pub(super) fn compact() -> impl Strategy<Value = Compact> {
    (int(), any::<bool>()).prop_map(|(revision, physical)| Compact { revision, physical })
}

pub(super) fn compare() -> impl Strategy<Value = Compare> {
    let result = prop::sample::select(vec![
        CompareResult::Equal,
        CompareResult::Greater,
        CompareResult::Less,
        CompareResult::NotEqual,
    ]);
    let operand = prop_oneof![
        int().prop_map(CompareOperand::Version),
        int().prop_map(CompareOperand::CreateRevision),
        int().prop_map(CompareOperand::ModRevision),
        bytes().prop_map(CompareOperand::Value),
        int().prop_map(CompareOperand::Lease),
    ];
    (key_range(), result, operand).prop_map(|(range, result, operand)| Compare {
        range,
        result,
        operand,
    })
}

pub(super) fn list<T: core::fmt::Debug>(
    item: impl Strategy<Value = T>,
) -> impl Strategy<Value = Vec<T>> {
    prop::collection::vec(item, 0..3)
}

pub(super) fn txn_op() -> impl Strategy<Value = TxnOp> {
    let leaf = prop_oneof![
        range().prop_map(TxnOp::Range),
        put().prop_map(TxnOp::Put),
        delete_range().prop_map(TxnOp::DeleteRange),
    ];
    leaf.prop_recursive(3, 12, 3, |op| {
        (list(compare()), list(op.clone()), list(op)).prop_map(|(compare, success, failure)| {
            TxnOp::Txn(Txn {
                compare,
                success,
                failure,
            })
        })
    })
}

pub(super) fn txn() -> impl Strategy<Value = Txn> {
    (list(compare()), list(txn_op()), list(txn_op())).prop_map(|(compare, success, failure)| Txn {
        compare,
        success,
        failure,
    })
}

pub(super) fn txn_response() -> impl Strategy<Value = TxnResponse> {
    let leaf = prop_oneof![
        range_response().prop_map(TxnOpResponse::Range),
        put_response().prop_map(TxnOpResponse::Put),
        delete_range_response().prop_map(TxnOpResponse::DeleteRange),
    ];
    let op = leaf.prop_recursive(3, 12, 3, |op| {
        (header(), any::<bool>(), list(op)).prop_map(|(header, succeeded, responses)| {
            TxnOpResponse::Txn(TxnResponse {
                header,
                succeeded,
                responses,
            })
        })
    });
    (header(), any::<bool>(), list(op)).prop_map(|(header, succeeded, responses)| TxnResponse {
        header,
        succeeded,
        responses,
    })
}

pub(super) fn watch() -> impl Strategy<Value = Watch> {
    let filter = prop::sample::select(vec![WatchFilter::NoPut, WatchFilter::NoDelete]);
    (key_range(), int(), list(filter), int(), any::<[bool; 3]>()).prop_map(
        |(range, start_revision, filters, watch_id, flags)| Watch {
            range,
            start_revision,
            progress_notify: flags[0],
            filters,
            prev_kv: flags[1],
            watch_id,
            fragment: flags[2],
        },
    )
}

pub(super) fn watch_request() -> impl Strategy<Value = WatchRequest> {
    prop_oneof![
        watch().prop_map(WatchRequest::Create),
        int().prop_map(|watch_id| WatchRequest::Cancel { watch_id }),
        Just(WatchRequest::Progress),
    ]
}

pub(super) fn event() -> impl Strategy<Value = KvEvent> {
    let kind = prop::sample::select(vec![EventKind::Put, EventKind::Delete]);
    (kind, key_value(), prop::option::of(key_value())).prop_map(|(kind, kv, prev_kv)| KvEvent {
        kind,
        kv,
        prev_kv,
    })
}

pub(super) fn watch_response() -> impl Strategy<Value = WatchResponse> {
    (
        header(),
        int(),
        any::<[bool; 3]>(),
        int(),
        text(),
        list(event()),
    )
        .prop_map(
            |(header, watch_id, flags, compact_revision, cancel_reason, events)| WatchResponse {
                header,
                watch_id,
                created: flags[0],
                canceled: flags[1],
                compact_revision,
                cancel_reason,
                fragment: flags[2],
                events,
            },
        )
}

pub(super) fn lease_grant() -> impl Strategy<Value = LeaseGrant> {
    (int(), int()).prop_map(|(ttl, id)| LeaseGrant::new(ttl).with_id(id))
}

pub(super) fn lease_grant_response() -> impl Strategy<Value = LeaseGrantResponse> {
    (header(), int(), int(), text()).prop_map(|(header, id, ttl, error)| LeaseGrantResponse {
        header,
        id,
        ttl,
        error,
    })
}

pub(super) fn lease_keep_alive() -> impl Strategy<Value = LeaseKeepAlive> {
    int().prop_map(LeaseKeepAlive::new)
}

pub(super) fn lease_keep_alive_response() -> impl Strategy<Value = LeaseKeepAliveResponse> {
    (header(), int(), int()).prop_map(|(header, id, ttl)| LeaseKeepAliveResponse {
        header,
        id,
        ttl,
    })
}

pub(super) fn lease_revoke() -> impl Strategy<Value = LeaseRevoke> {
    int().prop_map(LeaseRevoke::new)
}

pub(super) fn lease_time_to_live() -> impl Strategy<Value = LeaseTimeToLive> {
    (int(), any::<bool>()).prop_map(|(id, keys)| LeaseTimeToLive { id, keys })
}

pub(super) fn lease_time_to_live_response() -> impl Strategy<Value = LeaseTimeToLiveResponse> {
    (header(), int(), int(), int(), list(bytes())).prop_map(
        |(header, id, ttl, granted_ttl, keys)| LeaseTimeToLiveResponse {
            header,
            id,
            ttl,
            granted_ttl,
            keys,
        },
    )
}

pub(super) fn lease_leases_response() -> impl Strategy<Value = LeaseLeasesResponse> {
    let lease = int().prop_map(|id| LeaseStatus { id });
    (header(), list(lease)).prop_map(|(header, leases)| LeaseLeasesResponse { header, leases })
}

pub(super) fn status_response() -> impl Strategy<Value = StatusResponse> {
    (
        header(),
        (text(), text(), list(text()), any::<bool>()),
        (int(), int(), int()),
        (uint(), uint(), uint(), uint()),
        prop::option::of((any::<bool>(), text())),
    )
        .prop_map(|(header, texts, sizes, raft, downgrade)| StatusResponse {
            header,
            version: texts.0,
            db_size: sizes.0,
            leader: raft.0,
            raft_index: raft.1,
            raft_term: raft.2,
            raft_applied_index: raft.3,
            errors: texts.2,
            db_size_in_use: sizes.1,
            is_learner: texts.3,
            storage_version: texts.1,
            db_size_quota: sizes.2,
            downgrade_info: downgrade.map(|(enabled, target_version)| DowngradeInfo {
                enabled,
                target_version,
            }),
        })
}

pub(super) fn version_response() -> impl Strategy<Value = VersionResponse> {
    (text(), text()).prop_map(|(etcdserver, etcdcluster)| VersionResponse {
        etcdserver,
        etcdcluster,
    })
}

pub(super) fn health_response() -> impl Strategy<Value = HealthResponse> {
    (any::<bool>(), text()).prop_map(|(health, reason)| HealthResponse { health, reason })
}

pub(super) fn snapshot_response() -> impl Strategy<Value = SnapshotResponse> {
    (header(), uint(), bytes(), text()).prop_map(|(header, remaining_bytes, blob, version)| {
        SnapshotResponse {
            header,
            remaining_bytes,
            blob,
            version,
        }
    })
}

pub(super) fn observe_response() -> impl Strategy<Value = ObserveResponse> {
    (header(), key_value()).prop_map(|(header, kv)| ObserveResponse { header, kv })
}
