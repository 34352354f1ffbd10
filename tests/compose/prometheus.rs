//! A Prometheus that is asked.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tests::{Deadline, Http1, Request, get};

use super::queries::{self, Parts, Query, list, text};

/// A Prometheus on a port of this machine.
pub(super) struct Prometheus {
    pub(super) port: u16,
}

impl Prometheus {
    /// Returns what the API says, if it answers.
    pub(super) async fn get(&self, path: &str) -> Option<Value> {
        let mut connection = Http1::try_connect(self.port).await.ok()?;
        connection.send(&Request::get(path).wire()).await;
        let answer = connection.try_read_response().await?;
        serde_json::from_slice(&answer.body).ok()
    }

    /// Returns the values that a query has now.
    pub(super) async fn values(&self, query: &str) -> Vec<f64> {
        let escaped: String = query.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let answer = self.get(&format!("/api/v1/query?query={escaped}")).await.unwrap_or_default();
        assert!(answer["status"] != "error", "{query}: {answer}");
        let result = &answer["data"]["result"];
        let value = |sample: &Value| text(&sample["value"][1]).parse().expect("a number");
        list(result).iter().map(value).collect()
    }

    /// Waits until Envoy was scraped for the first time: what has not happened yet is 0 from then on. Of an upstream
    /// Envoy counts nothing before the first request.
    pub(super) async fn first_scrape(&self, envoy: u16) {
        assert_eq!(get(envoy, "/healthz").await.status, 200);
        let deadline = Deadline::new("Prometheus to scrape Envoy").times(6);
        while self
            .values(r#"up{job="envoy"} == 1 and on () envoy_cluster_upstream_rq_time_count"#)
            .await
            .is_empty()
        {
            deadline.look_again(|| "it has not yet".to_owned()).await;
        }
    }

    /// Waits until Envoy was scraped twice after this moment, so that what is counted from now on has a rate.
    pub(super) async fn two_more_scrapes(&self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_secs_f64();
        let mut after = now;
        for _ in 0..2 {
            let deadline = Deadline::new("Prometheus to scrape Envoy once more").times(6);
            after = loop {
                // Of anything but the bare series this would be the time of the question.
                match self.values(r#"timestamp(up{job="envoy"})"#).await.as_slice() {
                    [time, ..] if *time > after => break *time,
                    other => {
                        deadline
                            .look_again(|| format!("the last time was {other:?}, not after {after}"))
                            .await
                    }
                }
            };
        }
    }

    /// Asks every question of the dashboard, and whether there is what the alerts ask for. Returns those without answer.
    pub(super) async fn unanswered(&self, has_canaries: bool) -> Vec<String> {
        let mut found = Vec::new();
        for Query { place, text, .. } in queries::of_dashboard() {
            let waits = !has_canaries
                && Parts::of(&text).selectors.iter().any(|selector| selector.is_about_canaries());
            if !waits && self.values(&text).await.iter().all(|value| value.is_nan()) {
                found.push(format!("{place}: {text}"));
            }
        }
        // An alert that doesn't fire has no answer, but what it looks at is there.
        for Query { place, text, .. } in queries::of_alerts() {
            for selector in Parts::of(&text).selectors {
                let waits = !has_canaries && selector.is_about_canaries();
                if !waits && self.values(&selector.to_string()).await.is_empty() {
                    found.push(format!("{place}: {selector}"));
                }
            }
        }
        found
    }

    /// Waits until each alert was evaluated. Returns those that could not be.
    pub(super) async fn broken_alerts(&self) -> Vec<String> {
        let deadline = Deadline::new("Prometheus to evaluate the alerts").times(6);
        loop {
            let answer = self.get("/api/v1/rules").await.unwrap_or_default();
            let rules: Vec<_> = list(&answer["data"]["groups"])
                .iter()
                .flat_map(|group| list(&group["rules"]))
                .cloned()
                .collect();
            if rules.len() == queries::alerts().len() && rules.iter().all(|rule| rule["health"] != "unknown")
            {
                let broken = rules.into_iter().filter(|rule| rule["health"] != "ok");
                return broken.map(|rule| rule.to_string()).collect();
            }
            deadline.look_again(|| answer.to_string()).await;
        }
    }
}
