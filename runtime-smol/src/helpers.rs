//! What users expect on top of etcd's calls; names and arguments are the same in `etcd-std`.

use etcd_core::CallOptions;
use etcd_core::CompareAndSwap;
use etcd_core::DeleteRange;
use etcd_core::DeleteRangeResponse;
use etcd_core::Error;
use etcd_core::Guard;
use etcd_core::GuardedResponse;
use etcd_core::IntoBytes;
use etcd_core::PutIfAbsent;
use etcd_core::PutIfPresent;
use etcd_core::Range;
use etcd_core::recipes::Settle;
use etcd_core::recipes::SettleStep;
use etcd_core::recipes::Settled;

use crate::client::Client;
use crate::pages::Pages;

/// Writes with a condition.
///
/// Each answers with what is there instead if its condition did not hold. After an error with
/// [`Applied::Maybe`](crate::Applied::Maybe) the write may have happened; tried again, it may then
/// be refused because of its own first try: [`Client::settle`] finds out. For options, give the request to
/// [`Client::call`].
impl Client {
    /// Stores a value if there is no such key.
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// let answer = client.put_if_absent("leader", "me").await?;
    /// if let Some(other) = answer.current() {
    ///     println!("{} was faster", other.text()?);
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    ///
    /// # Errors
    ///
    /// Why it failed, and whether it may have happened all the same.
    pub async fn put_if_absent(
        &self,
        key: impl IntoBytes,
        value: impl IntoBytes,
    ) -> Result<GuardedResponse, Error> {
        self.call(PutIfAbsent::new(key, value)).await
    }

    /// Stores a value if there is such a key.
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// let was_there = client.put_if_present("k", "v").await?.succeeded();
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    ///
    /// # Errors
    ///
    /// Why it failed, and whether it may have happened all the same.
    pub async fn put_if_present(
        &self,
        key: impl IntoBytes,
        value: impl IntoBytes,
    ) -> Result<GuardedResponse, Error> {
        self.call(PutIfPresent::new(key, value)).await
    }

    /// Stores a value if the stored one is `expected`. A lease the key was attached to is taken
    /// off; [`CompareAndSwap::with_ignore_lease`] keeps it.
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// let swapped = client.compare_and_swap("state", "idle", "busy").await?.succeeded();
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    ///
    /// # Errors
    ///
    /// Why it failed, and whether it may have happened all the same.
    pub async fn compare_and_swap(
        &self,
        key: impl IntoBytes,
        expected: impl IntoBytes,
        new: impl IntoBytes,
    ) -> Result<GuardedResponse, Error> {
        self.call(CompareAndSwap::value(key, expected, new)).await
    }

    /// Stores a value if the key was last changed at `mod_revision`; 0 is the revision of a key that
    /// does not exist.
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// if let Some(kv) = client.get("count").await?.into_first() {
    ///     let next = kv.json::<u64>()? + 1;
    ///     client.compare_and_swap_revision("count", kv.mod_revision, next.to_string()).await?;
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    ///
    /// # Errors
    ///
    /// Why it failed, and whether it may have happened all the same.
    pub async fn compare_and_swap_revision(
        &self,
        key: impl IntoBytes,
        mod_revision: i64,
        new: impl IntoBytes,
    ) -> Result<GuardedResponse, Error> {
        self.call(CompareAndSwap::mod_revision(key, mod_revision, new))
            .await
    }

    /// Makes a write whose condition holds only once, and where its answer is lost, finds out what became of
    /// it: it is made again, four times in all, and a refusal is told from what is there (rule R-5). As its
    /// condition holds only once, that does not do it twice; one that wants no key holds again after somebody
    /// deletes the key ([`Guard`](crate::Guard)). A plain put cannot have this: see
    /// [`Applied::Maybe`](crate::Applied::Maybe).
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// use etcd_smol::{Client, CompareAndSwap};
    ///
    /// let client = Client::connect(["http://127.0.0.1:2379"]).await?;
    /// let revision = client.get("count").await?.into_first().map_or(0, |kv| kv.mod_revision);
    /// let write = CompareAndSwap::mod_revision("count", revision, "1");
    /// let settled = client.settle(write).await?;
    /// println!("{}", if settled.is_there() { "mine" } else { "somebody was faster" });
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    ///
    /// # Errors
    ///
    /// Why it failed, and whether it may have happened all the same, by any of its attempts.
    pub async fn settle<W: Guard>(&self, write: W) -> Result<Settled, Error> {
        self.settle_with(write, CallOptions::default()).await
    }

    /// The same, with these options for each of its calls.
    ///
    /// # Errors
    ///
    /// Those of [`Client::settle`].
    pub async fn settle_with<W: Guard>(
        &self,
        write: W,
        options: CallOptions,
    ) -> Result<Settled, Error> {
        let mut settle = Settle::new(write);
        loop {
            match settle.poll_step() {
                Some(SettleStep::Write(write)) => {
                    settle.handle_written(self.call_with(write, options.clone()).await);
                }
                Some(SettleStep::Read(range)) => {
                    settle.handle_read(self.call_with(range, options.clone()).await);
                }
                None => {}
            }
            if let Some(outcome) = settle.poll_settled() {
                return outcome;
            }
        }
    }
}

/// Many keys.
impl Client {
    /// Deletes all keys that start with `prefix`. The empty prefix is all keys.
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// println!("{} deleted", client.delete_prefix("/old/").await?.deleted);
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    ///
    /// # Errors
    ///
    /// Why it failed, and whether it may have happened all the same.
    pub async fn delete_prefix(
        &self,
        prefix: impl IntoBytes,
    ) -> Result<DeleteRangeResponse, Error> {
        self.call(DeleteRange::prefix(prefix)).await
    }

    /// Reads a range page by page, all of it at one revision, however large it is. Nothing is read
    /// before the first page is asked for.
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// # let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// use etcd_smol::Range;
    ///
    /// let mut items = client.pages(Range::prefix("/services/")).items();
    /// while let Some(kv) = items.next().await {
    ///     println!("{}", kv?.text()?);
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub fn pages(&self, range: impl Into<Range>) -> Pages {
        Pages::new(self.clone(), range.into())
    }
}
