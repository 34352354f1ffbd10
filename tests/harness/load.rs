//! Many requests at once, counted by status.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::task::JoinSet;

use super::http1::Http1;

/// Sends `requests` on each of `connections` kept-alive connections and counts the answers by status.
///
/// `make_request(connection, n)` returns the bytes to send, see [`Request::wire`](crate::Request::wire).
/// A connection that Envoy closes after an answer is replaced; one that it closes instead of an answer counts as 0.
pub async fn load(
    port: u16,
    connections: usize,
    requests: usize,
    make_request: impl Fn(usize, usize) -> Vec<u8> + Send + Sync + 'static,
) -> BTreeMap<u16, usize> {
    let make_request = Arc::new(make_request);
    let mut tasks = JoinSet::new();
    for number in 0..connections {
        let make_request = Arc::clone(&make_request);
        tasks.spawn(async move {
            let mut counts = BTreeMap::<u16, usize>::new();
            let mut connection = Http1::connect(port).await;
            for n in 0..requests {
                connection.send(&make_request(number, n)).await;
                let (status, reusable) =
                    super::wait::within("an answer under load", connection.read_status())
                        .await
                        .unwrap_or((0, false));
                *counts.entry(status).or_default() += 1;
                if !reusable {
                    connection = Http1::connect(port).await;
                }
            }
            counts
        });
    }
    let mut total = BTreeMap::new();
    while let Some(counts) = tasks.join_next().await {
        counts
            .expect("a connection under load")
            .into_iter()
            .for_each(|(status, count)| *total.entry(status).or_default() += count);
    }
    total
}
