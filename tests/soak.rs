//! A soak of the shipped chain: honest clients, hostile ones, new configurations, upstreams that restart and an issuer that
//! is gone, all at once and for a long time. `make soak` runs it; it ends with a table, and fails with a sentence.
//!
//! What must be true at the end:
//!
//! - each honest request was answered as its policy says; while an upstream restarts, a 502, 503 or 504 is the truth as well;
//! - nothing trapped, and no stream is left;
//! - memory is where it was, within a bound.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command talks to who runs it")]

use std::collections::BTreeMap;
use std::future::Future;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tests::{Answer, Envoy, Http1, Http2, Jwks, Request, Running, Upstream, plugin, within};
use tokens::{Algorithm, Key, Signer, demo};
use tokio::net::TcpListener;
use tokio::time::sleep;

/// The secrets of the shipped file, which everybody has.
const STRIPE_SECRET: &str = "whsec_DEMOstripe0123456789abcdef";

/// How many honest clients there are, and hostile ones.
const HONEST: u64 = 4;
const HOSTILE: u64 = 2;

/// How long an honest client waits between two requests: what is soaked is the chain, not the machine.
const PAUSE: Duration = Duration::from_millis(5);

/// By how much the resident memory may be larger in the last quarter than in the second one, which follows the warm-up.
const GROWTH_KIB: u64 = 32 * 1024;

/// How long an outage is, and how long after it Envoy may still think that it lasts.
const OUTAGE: Duration = Duration::from_secs(1);
const AFTERMATH: Duration = Duration::from_secs(2);

/// What an honest request is answered.
struct Case {
    name: &'static str,
    request: fn(u64) -> Request,
    status: u16,
    /// It doesn't reach an upstream, so an outage is no excuse.
    ends_here: bool,
}

const CASES: [Case; 12] = [
    Case { name: "health check", request: |_| Request::get("/healthz"), status: 200, ends_here: false },
    Case {
        name: "a new token of a user",
        request: |n| bearer("/profile", &fresh_token(n)),
        status: 200,
        ends_here: false,
    },
    Case {
        name: "a token seen before",
        request: |_| bearer("/profile", &named("valid")),
        status: 200,
        ends_here: false,
    },
    Case {
        name: "a user of the canary",
        request: |n| bearer("/checkout", &fresh_token(n)),
        status: 200,
        ends_here: false,
    },
    Case { name: "no token", request: |_| Request::get("/profile"), status: 401, ends_here: true },
    Case {
        name: "an expired token",
        request: |_| bearer("/profile", &named("expired")),
        status: 401,
        ends_here: true,
    },
    Case {
        name: "a forged token",
        request: |_| bearer("/profile", &named("forged")),
        status: 401,
        ends_here: true,
    },
    Case { name: "no scope", request: |_| bearer("/admin", &named("valid")), status: 403, ends_here: true },
    Case {
        name: "a new API key",
        request: |n| Request::get("/api/items").header("x-api-key", format!("key-{n}")),
        status: 200,
        ends_here: false,
    },
    Case {
        name: "a genuine webhook",
        request: |n| stripe(&format!(r#"{{"id":"evt_{n}"}}"#), STRIPE_SECRET),
        status: 200,
        ends_here: false,
    },
    Case {
        name: "a forged webhook",
        request: |n| stripe(&format!(r#"{{"id":"evt_{n}"}}"#), "whsec_guessed"),
        status: 401,
        ends_here: true,
    },
    Case {
        name: "a fault on purpose",
        request: |n| Request::get("/api/broken").header("x-api-key", format!("chaos-{n}")),
        status: 503,
        ends_here: true,
    },
];

/// What all tasks share.
struct Soak {
    port: u16,
    started: Instant,
    seconds: u64,
    over: AtomicBool,
    /// Until when an outage is an excuse, in milliseconds since the start.
    outage: AtomicU64,
    serial: AtomicU64,
    hostile: AtomicU64,
    tallies: Mutex<BTreeMap<&'static str, Tally>>,
    failures: Mutex<Vec<String>>,
}

#[derive(Clone, Copy, Default)]
struct Tally {
    requests: u64,
    excused: u64,
    wrong: u64,
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--");
    let (flag, value) = (arguments.next(), arguments.next());
    let seconds = match (flag.as_deref(), value.as_deref().map(str::parse)) {
        (None, None) => 600,
        (Some("--seconds"), Some(Ok(seconds))) if 20 <= seconds => seconds,
        _ => {
            eprintln!("usage: soak [--seconds N], at least 20");
            return ExitCode::FAILURE;
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    match runtime.expect("a runtime").block_on(soak(seconds)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("soak: {sentence}");
            ExitCode::FAILURE
        }
    }
}

async fn soak(seconds: u64) -> Result<(), String> {
    let upstream = Upstream::answering(answer).await;
    let upstream_port = upstream.port();
    let mut jwks = Jwks::start(&demo::key_set()).await;
    let envoy = Envoy::from("chain.yaml")
        .upstream(&upstream)
        .cluster("upstream-v2", &upstream)
        .issuer(&jwks)
        .concurrency(2)
        .drain_seconds(10);
    // So many honest clients from one address are a flood, which is what that rule is for.
    let mut envoy = envoy.edit(|tree| flood(tree, 1_000_000)).start().await;
    let soak = Arc::new(Soak {
        port: envoy.port(),
        started: Instant::now(),
        seconds,
        over: AtomicBool::new(false),
        outage: AtomicU64::new(0),
        serial: AtomicU64::new(u64::from(std::process::id()) << 32),
        hostile: AtomicU64::new(0),
        tallies: Mutex::default(),
        failures: Mutex::default(),
    });
    println!(
        "Soaks the chain for {seconds} seconds, with {HONEST} honest clients and {HOSTILE} hostile ones."
    );
    let mut tasks = Vec::new();
    for client in 0..HONEST {
        tasks.push(tokio::spawn(honest(Arc::clone(&soak), client)));
    }
    for client in 0..HOSTILE {
        tasks.push(tokio::spawn(hostile(Arc::clone(&soak), client)));
    }
    tasks.push(tokio::spawn(restarts(Arc::clone(&soak), upstream, upstream_port)));

    let mut memory = Vec::new();
    let (mut updates, mut refusals, mut outages) = (0_u64, 0_u64, 0_u64);
    while soak.started.elapsed().as_secs() < seconds {
        sleep(Duration::from_secs(3)).await;
        updates += 1;
        envoy.update_with(|tree| flood(tree, 1_000_000 + updates)).await;
        if updates.is_multiple_of(4) {
            refusals += 1;
            let log = envoy.update_refused_with(|tree| break_a_rule(tree, refusals)).await;
            if !log.contains("configuration refused") {
                let whole = envoy.log();
                let loud =
                    whole.lines().filter(|line| line.contains("[error]") || line.contains("[critical]"));
                let tail = loud.collect::<Vec<_>>().join("\n");
                return Err(format!("a refused configuration doesn't say why: {log}\n{tail}"));
            }
        }
        match updates % 6 {
            1 => jwks.fail(503),
            2 => jwks.garbage(),
            3 => {
                outages += 1;
                jwks.gone().await;
            }
            4 => {
                jwks.back().await;
                jwks.serve(&demo::key_set());
            }
            _ => {}
        }
        memory.push((soak.started.elapsed().as_secs(), envoy.rss_kib()));
        if updates.is_multiple_of(10) {
            let sent: u64 = soak.tallies.lock().expect("tallies").values().map(|tally| tally.requests).sum();
            println!(
                "{:>5} s  {sent} honest requests, {} MiB",
                memory.last().map_or(0, |m| m.0),
                envoy.rss_kib() / 1024
            );
        }
    }
    soak.over.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await.map_err(|error| format!("a client is gone: {error}"))?;
    }
    report(&soak, &memory, updates, refusals, outages);
    judge(&soak, &envoy, &memory).await
}

/// What the upstream answers: never in one piece.
fn answer(_: &tests::Seen) -> Answer {
    Answer::ok().body("o").body("k")
}

fn flood(tree: &mut Value, requests: u64) {
    let chain = plugin(tree, "sluice")["configuration"]["value"]["chain"].as_array_mut().expect("a chain");
    let flood = chain.iter_mut().find(|link| link["name"] == "flood").expect("the flood rule");
    flood["rate-limit"]["rules"][0]["limits"] = json!([{"requests": requests, "per": "10s"}]);
}

/// Breaks it in another way each time: what Envoy has refused once it refuses again without asking the module.
fn break_a_rule(tree: &mut Value, time: u64) {
    let chain = plugin(tree, "sluice")["configuration"]["value"]["chain"].as_array_mut().expect("a chain");
    let flood = chain.iter_mut().find(|link| link["name"] == "flood").expect("the flood rule");
    flood["rate-limit"]["rules"][0]["limits"] =
        json!([{"requests": "many", "per": format!("{time} minits")}]);
}

/// Sends what honest clients send, over both versions of HTTP, until it is over.
async fn honest(soak: Arc<Soak>, client: u64) {
    let mut turn = usize::try_from(client).unwrap_or(0);
    while !soak.over.load(Ordering::Relaxed) {
        turn += 1;
        let case = &CASES[turn % CASES.len()];
        let number = soak.serial.fetch_add(1, Ordering::Relaxed);
        let request = (case.request)(number);
        let started = soak.now();
        let status = if (turn / CASES.len()).is_multiple_of(2) {
            http1(soak.port, &request).await
        } else {
            http2(soak.port, &request).await
        };
        let is_excused = !case.ends_here
            && started <= soak.outage.load(Ordering::Relaxed)
            && status.as_ref().is_ok_and(|status| [502, 503, 504].contains(status));
        soak.note(case, started, &status, is_excused);
        sleep(PAUSE).await;
    }
}

async fn http1(port: u16, request: &Request) -> Result<u16, String> {
    let mut connection = Http1::try_connect(port).await.map_err(|error| error.to_string())?;
    connection.send(&request.wire()).await;
    match connection.try_read_response().await {
        Some(response) if response.complete => Ok(response.status),
        Some(response) => Err(format!("{} that breaks off", response.status)),
        None => Err("no answer".to_owned()),
    }
}

async fn http2(port: u16, request: &Request) -> Result<u16, String> {
    let connection = Http2::connect(port).await;
    connection.try_send(request).await.map(|response| response.status).map_err(|error| error.to_string())
}

/// Sends what nobody should, until it is over. What the answer is matters to nobody.
async fn hostile(soak: Arc<Soak>, client: u64) {
    let mut dice = client + 1;
    while !soak.over.load(Ordering::Relaxed) {
        let draw = next(&mut dice);
        let bytes: Vec<u8> = (0..64).map(|_| 0x80 | (next(&mut dice) >> 33) as u8 & 0x7f).collect();
        soak.hostile.fetch_add(1, Ordering::Relaxed);
        match draw % 8 {
            0 => {
                let names = ["authorization", "cookie", "x-api-key", "stripe-signature", "x-envoy-retry-on"];
                let name = names[usize::try_from(draw >> 8).unwrap_or(0) % names.len()];
                leave(http1(soak.port, &Request::get("/profile").header(name, &bytes))).await;
            }
            1 => {
                let mut path = b"GET /api/".to_vec();
                path.extend_from_slice(&bytes);
                path.extend_from_slice(b"?q=%00%ff HTTP/1.1\r\nhost: \xff\r\n\r\n");
                raw(soak.port, &path, true).await;
            }
            2 => {
                let head = b"POST /webhooks/stripe HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\nhalf";
                raw(soak.port, head, false).await;
            }
            3 => {
                let client = Http2::connect(soak.port).await;
                let mut stream = client.open(&Request::new("POST", "/webhooks/github")).await;
                stream.data("half");
                stream.reset();
            }
            4 => {
                let body = vec![b'x'; 2 << 20];
                leave(http1(soak.port, &stripe(&String::from_utf8_lossy(&body), "guessed"))).await;
            }
            // Nobody answers what has no end.
            5 => raw(soak.port, &bytes, false).await,
            6 => {
                let twice = Request::get("/profile").header("authorization", "Bearer a");
                leave(http2(soak.port, &twice.header("authorization", "Bearer b"))).await;
            }
            _ => {
                // Leaves while the answer is held back on purpose.
                let key = format!("hostile-{draw}");
                let request = Request::get("/api/slow").header("x-api-key", key);
                raw(soak.port, &request.wire(), false).await;
            }
        }
        sleep(PAUSE).await;
    }
}

/// Takes an answer for whatever it is.
async fn leave(answer: impl Future<Output = Result<u16, String>>) {
    drop(answer.await);
}

/// Sends bytes, and reads the answer or leaves.
async fn raw(port: u16, bytes: &[u8], reads: bool) {
    if let Ok(mut connection) = Http1::try_connect(port).await {
        connection.send(bytes).await;
        if reads {
            drop(connection.try_read_response().await);
        }
    }
}

/// Restarts the upstream every now and then, at the same port.
async fn restarts(soak: Arc<Soak>, mut upstream: Upstream, port: u16) {
    while !soak.over.load(Ordering::Relaxed) {
        sleep(Duration::from_secs(7)).await;
        if soak.seconds < soak.started.elapsed().as_secs() + 5 {
            continue;
        }
        // Excused until it is back, and a little longer.
        soak.outage.store(u64::MAX, Ordering::Relaxed);
        upstream.stop().await;
        sleep(OUTAGE).await;
        let listener = within("the port of the upstream", async {
            loop {
                match TcpListener::bind(("127.0.0.1", port)).await {
                    Ok(listener) => break listener,
                    Err(_) => sleep(Duration::from_millis(20)).await,
                }
            }
        });
        upstream = Upstream::listening(listener.await, answer);
        let until = soak.now() + u64::try_from(AFTERMATH.as_millis()).unwrap_or(0);
        soak.outage.store(until, Ordering::Relaxed);
    }
}

fn report(soak: &Soak, memory: &[(u64, u64)], updates: u64, refusals: u64, outages: u64) {
    println!("\n{:<24}{:>10}{:>22}{:>8}", "honest requests", "sent", "during a restart", "wrong");
    for (name, tally) in soak.tallies.lock().expect("tallies").iter() {
        println!("{name:<24}{:>10}{:>22}{:>8}", tally.requests, tally.excused, tally.wrong);
    }
    println!("\n{} hostile connections", soak.hostile.load(Ordering::Relaxed));
    println!("{updates} new configurations, {refusals} refused ones, {outages} outages of the issuer");
    for (at, kib) in memory.iter().step_by((memory.len() / 8).max(1)) {
        println!("{at:>5} s  {} MiB", kib / 1024);
    }
}

/// Says what is wrong at the end, if anything is.
async fn judge(soak: &Soak, envoy: &Running, memory: &[(u64, u64)]) -> Result<(), String> {
    envoy.await_stat_to_be("http.ingress.downstream_rq_active", 0).await;
    envoy.await_stat_to_be("cluster.upstream.upstream_rq_active", 0).await;
    for (name, value) in envoy.stats_matching(r"^wasmcustom\.sluice\..*\.active\.").await {
        if value != 0 {
            return Err(format!("{name} is {value}, and nobody is there any more"));
        }
    }
    envoy.assert_no_trap().await;
    let failures = soak.failures.lock().expect("failures");
    if !failures.is_empty() {
        let some: Vec<&str> = failures.iter().take(20).map(String::as_str).collect();
        return Err(format!("{} honest requests got a wrong answer:\n{}", failures.len(), some.join("\n")));
    }
    let quarter = memory.len() / 4;
    let typical = |samples: &[(u64, u64)]| {
        let mut kib: Vec<u64> = samples.iter().map(|(_, kib)| *kib).collect();
        kib.sort_unstable();
        kib.get(kib.len() / 2).copied().unwrap_or(0)
    };
    let (early, late) = (typical(&memory[quarter..2 * quarter]), typical(&memory[3 * quarter..]));
    println!("memory: {} MiB in the second quarter, {} MiB in the last one", early / 1024, late / 1024);
    if early + GROWTH_KIB < late {
        return Err(format!("memory grew by {} MiB", (late - early) / 1024));
    }
    println!("No trap, no stream left, and every honest request was answered as its policy says.");
    Ok(())
}

impl Soak {
    /// Counts an answer, and keeps what is wrong about it.
    fn note(&self, case: &Case, started: u64, status: &Result<u16, String>, is_excused: bool) {
        let mut tallies = self.tallies.lock().expect("tallies");
        let tally = tallies.entry(case.name).or_default();
        tally.requests += 1;
        if *status == Ok(case.status) {
            return;
        }
        if is_excused {
            tally.excused += 1;
            return;
        }
        tally.wrong += 1;
        let (at, wanted) = (started / 1_000, case.status);
        let line = format!("{} at {at} s: {status:?} in place of {wanted}", case.name);
        self.failures.lock().expect("failures").push(line);
    }

    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

fn bearer(path: &str, token: &str) -> Request {
    Request::get(path).header("authorization", format!("Bearer {token}"))
}

/// Returns the token that `make token NAME=...` prints, which is good for an hour.
fn named(name: &str) -> String {
    static TOKENS: std::sync::OnceLock<BTreeMap<&'static str, String>> = std::sync::OnceLock::new();
    let tokens = TOKENS
        .get_or_init(|| demo::tokens(seconds()).into_iter().map(|demo| (demo.name, demo.token)).collect());
    tokens.get(name).expect("a token of this name").clone()
}

fn fresh_token(number: u64) -> String {
    let payload = json!({
        "iss": "https://issuer.example.com",
        "aud": "api",
        "sub": format!("user-{number}"),
        "jti": number.to_string(),
        "iat": seconds(),
        "exp": seconds() + 600,
    });
    demo::signer().token(&payload.to_string())
}

fn stripe(body: &str, secret: &str) -> Request {
    let at = seconds();
    let key = Signer::with(Key::secret_of(secret.as_bytes()), Algorithm::Hs256);
    let signature = key.sign(format!("{at}.{body}").as_bytes());
    let hex: String = signature.iter().map(|byte| format!("{byte:02x}")).collect();
    Request::post("/webhooks/stripe", body).header("stripe-signature", format!("t={at},v1={hex}"))
}

fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_secs()
}

/// SplitMix64: every run throws the same dice.
fn next(dice: &mut u64) -> u64 {
    *dice = dice.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *dice;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
