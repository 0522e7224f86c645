//! The upkeep of servers: alarms, databases, who leads, and the pages beside the API. Names and arguments are the same in
//! `etcd-std`.

use etcd_core::AlarmMember;
use etcd_core::AlarmRequest;
use etcd_core::AlarmResponse;
use etcd_core::AlarmType;
use etcd_core::CallOptions;
use etcd_core::Defragment;
use etcd_core::DefragmentResponse;
use etcd_core::Endpoint;
use etcd_core::Error;
use etcd_core::HashKv;
use etcd_core::HashKvResponse;
use etcd_core::Livez;
use etcd_core::LivezResponse;
use etcd_core::MetricsRequest;
use etcd_core::MetricsResponse;
use etcd_core::MoveLeader;
use etcd_core::MoveLeaderResponse;
use etcd_core::Readyz;
use etcd_core::ReadyzResponse;

use crate::client::Client;

impl Client {
    /// The alarms of all members.
    ///
    /// # Errors
    ///
    /// As for [`Client::call`].
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// client.alarm_list().await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn alarm_list(&self) -> Result<AlarmResponse, Error> {
        self.call(AlarmRequest::list()).await
    }

    /// Ends one alarm of the list, once its cause is gone.
    ///
    /// # Errors
    ///
    /// As for [`Client::call`].
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// client.alarm_disarm(7, etcd_smol::AlarmType::NoSpace).await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn alarm_disarm(
        &self,
        member_id: u64,
        alarm: AlarmType,
    ) -> Result<AlarmResponse, Error> {
        self.call(AlarmRequest::deactivate(member_id, alarm)).await
    }

    /// Ends every alarm of the list that this client knows, and says which. An alarm whose cause is not
    /// gone comes back by itself.
    ///
    /// # Errors
    ///
    /// Why it failed; alarms may have ended before.
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// client.alarm_disarm_all().await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn alarm_disarm_all(&self) -> Result<Vec<AlarmMember>, Error> {
        let mut ended = Vec::new();
        let listed = self.call(AlarmRequest::list()).await?.alarms;
        for alarm in listed {
            if let Some(request) = alarm.deactivate() {
                self.call(request).await?;
                ended.push(alarm);
            }
        }
        Ok(ended)
    }

    /// Gives the free space of this server's database back to its disk. The server does nothing else
    /// meanwhile, and there is no deadline: take one after the other, and the leader last.
    ///
    /// # Errors
    ///
    /// As for [`Client::call`].
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// client.defragment("http://127.0.0.1:2379".parse()?).await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn defragment(&self, endpoint: Endpoint) -> Result<DefragmentResponse, Error> {
        let options = CallOptions::default().with_endpoint(endpoint);
        self.call_with(Defragment::new(), options).await
    }

    /// The hash of the keys and values this server has up to `revision`, 0 for the latest. From etcd
    /// 3.5.10.
    ///
    /// # Errors
    ///
    /// As for [`Client::call`].
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// client.hash_kv("http://127.0.0.1:2379".parse()?, 0).await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn hash_kv(
        &self,
        endpoint: Endpoint,
        revision: i64,
    ) -> Result<HashKvResponse, Error> {
        let options = CallOptions::default().with_endpoint(endpoint);
        self.call_with(HashKv::new(revision), options).await
    }

    /// Has the member `target_id` lead in place of the present leader, which is at `endpoint`.
    ///
    /// # Errors
    ///
    /// As for [`Client::call`].
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// client.move_leader("http://127.0.0.1:2379".parse()?, 7).await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn move_leader(
        &self,
        endpoint: Endpoint,
        target_id: u64,
    ) -> Result<MoveLeaderResponse, Error> {
        let options = CallOptions::default().with_endpoint(endpoint);
        self.call_with(MoveLeader::new(target_id), options).await
    }

    /// Whether a server is alive. From etcd 3.4.29 and 3.5.11.
    ///
    /// # Errors
    ///
    /// As for [`Client::call`].
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// client.livez().await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn livez(&self) -> Result<LivezResponse, Error> {
        self.call(Livez::new()).await
    }

    /// Whether a server is ready to serve. From etcd 3.4.29 and 3.5.11.
    ///
    /// # Errors
    ///
    /// As for [`Client::call`].
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// client.readyz().await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn readyz(&self) -> Result<ReadyzResponse, Error> {
        self.call(Readyz::new()).await
    }

    /// The counters of a server, in the text format of Prometheus.
    ///
    /// # Errors
    ///
    /// As for [`Client::call`].
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// client.metrics().await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn metrics(&self) -> Result<MetricsResponse, Error> {
        self.call(MetricsRequest::new()).await
    }
}
