//! What a chain promises, with toy filters whose configuration says what they do.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::{ChainRoot, Verdict};
use crate::callout::{Callout, CalloutId, CalloutResponse};
use crate::config::Node;
use crate::exchange::Exchange;
use crate::filter::{Callbacks, Chunk, Filter, Kind, Step, Stream};
use crate::header::{Field, HeaderMap, Lookup};
use crate::host::{Effect, Level, Map, Signature};
use crate::module::Form;
use crate::reply::{Grpc, GrpcStatus, Reply};
use crate::root::Root;
use crate::setup::{Gauge, Setup, Tag};
use crate::testing::{Bench, START, Sent, World};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const ALL: Callbacks = Callbacks {
    request_body: true,
    response_headers: true,
    response_body: true,
    response_trailers: true,
    hold: true,
    hold_response: true,
    end: true,
    callout: true,
};

/// A filter that does what its configuration says, one that sees heads only, and one that eats bodies.
static KINDS: [Kind; 3] = [
    Kind { name: "toy", version: "1", callbacks: ALL, configure: toy },
    Kind {
        name: "head",
        version: "1",
        callbacks: Callbacks { request_body: false, response_body: false, ..ALL },
        configure: toy,
    },
    Kind { name: "eater", version: "1", callbacks: ALL, configure: eater },
];

/// Lines of orders, by callback: `set x-a 1; hold`.
#[derive(Default)]
struct Toy {
    name: String,
    orders: Vec<(String, Vec<Vec<String>>)>,
    tags: Vec<(String, Tag)>,
    gauge: Option<Gauge>,
}

fn toy(node: &Node<'_>, setup: &mut Setup<'_>) -> Option<Rc<dyn Filter>> {
    let mut toy = Toy { name: setup.name().to_owned(), ..Toy::default() };
    toy.gauge = Some(setup.gauge("active", &["toy"]));
    for (name, node) in node.object()?.entries() {
        let lines = node.text()?.split(';');
        let words = lines.map(|line| line.split_whitespace().map(str::to_owned).collect()).collect();
        toy.orders.push((name.to_owned(), words));
    }
    for tag in ["one", "two"] {
        toy.tags.push((tag.to_owned(), setup.tag(tag)));
    }
    Some(Rc::new(toy))
}

impl Toy {
    fn orders(&self, callback: &str) -> impl Iterator<Item = Vec<&str>> {
        let found = self.orders.iter().find(|(name, _)| name == callback);
        found
            .into_iter()
            .flat_map(|(_, lines)| lines.iter().map(|line| line.iter().map(String::as_str).collect()))
    }
}

impl Filter for Toy {
    fn stream(self: Rc<Self>) -> Box<dyn Stream> {
        Box::new(ToyStream { toy: self, ended: [false, false], over: Cell::new(false) })
    }

    fn on_start(&self, root: &mut Root<'_>) {
        self.root("start", root);
    }

    fn on_wake(&self, root: &mut Root<'_>) {
        self.root("root_wake", root);
    }

    fn on_callout(&self, root: &mut Root<'_>, _: CalloutId, response: &CalloutResponse) {
        root.log(Level::Info, format!("{}: root callout {:?}", self.name, response.status()));
        self.root("root_callout", root);
    }
}

impl Toy {
    fn root(&self, callback: &str, root: &mut Root<'_>) {
        for order in self.orders(callback) {
            match order.as_slice() {
                ["call", cluster] => {
                    let sent = root.call(&callout(cluster)).is_some();
                    root.log(Level::Info, format!("{}: sent {sent}", self.name));
                }
                ["wake", milliseconds] => root.wake_at(root.now().after(time(milliseconds))),
                ["wake_streams"] => root.wake_streams(),
                ["scope"] => root.log(Level::Info, format!("{}: {}", self.name, root.scope())),
                ["verify"] => {
                    let good = root.verify_signature(&SIGNATURE);
                    root.log(Level::Info, format!("{}: good {good:?}", self.name));
                }
                ["woken"] => root.log(Level::Info, format!("{}: woken", self.name)),
                other => panic!("no such order: {other:?}"),
            }
        }
    }
}

struct ToyStream {
    toy: Rc<Toy>,
    ended: [bool; 2],
    /// It has said that it is done.
    over: Cell<bool>,
}

impl ToyStream {
    fn obey(&self, callback: &str, exchange: &mut Exchange<'_>, default: Step, last: bool) -> Step {
        let mut step = default;
        for order in self.toy.orders(callback) {
            match order.as_slice() {
                ["set", name, value] => exchange.set_header(Map::Request, name, value.as_bytes()),
                ["add", name, value] => exchange.add_header(Map::Request, name, value.as_bytes()),
                ["remove", name] => exchange.remove_header(Map::Request, name),
                ["put", name, value] => exchange.set_header(Map::Response, name, value.as_bytes()),
                ["get", name] => {
                    let field = exchange.header(name);
                    self.say(exchange, &format!("{name} is {}", said(&field)));
                }
                ["got", name] => {
                    let field = exchange.response_header(name);
                    self.say(exchange, &format!("{name} is {}", said(&field)));
                }
                ["tag", name, value] => {
                    let tag = self.toy.tags.iter().find(|(known, _)| known == name).unwrap().1.clone();
                    exchange.tag(&tag, value.as_bytes());
                }
                ["tag", name] => {
                    let tag = self.toy.tags.iter().find(|(known, _)| known == name).unwrap().1.clone();
                    exchange.tag(&tag, b"".as_slice());
                }
                ["path"] => {
                    let path = format!("{:?}", exchange.path());
                    self.say(exchange, &path);
                }
                ["property", path] => {
                    let path: Vec<&str> = path.split('/').collect();
                    let value = exchange.property(&path).map(|value| String::from_utf8(value).unwrap());
                    self.say(exchange, &format!("{} is {value:?}", path.join("/")));
                }
                ["own"] => {
                    let (own, upstream) = (exchange.is_own_reply(), exchange.is_from_upstream());
                    self.say(
                        exchange,
                        &format!("own {own}, from upstream {upstream}, {:?}", exchange.status()),
                    );
                }
                ["now"] => {
                    let now = exchange.now().since(START);
                    self.say(exchange, &format!("it is {now:?}"));
                }
                ["scope"] => self.say(exchange, &format!("{} {}", exchange.scope(), exchange.root_scope())),
                ["verify"] => {
                    let good = exchange.verify_signature(&SIGNATURE);
                    self.say(exchange, &format!("good {good:?}"));
                }
                ["wake_filter"] => exchange.wake_filter(),
                ["replace", text] => exchange.replace_body(text.as_bytes().to_vec()),
                ["wake", milliseconds] => exchange.wake_after(time(milliseconds)),
                ["call", cluster] => {
                    let sent = exchange.call(&callout(cluster)).is_some();
                    self.say(exchange, &format!("sent {sent}"));
                }
                ["over"] => self.over.set(true),
                ["hold"] => step = Step::Hold,
                ["back"] => step = if last { Step::Continue } else { Step::HoldBack },
                ["add_to_gauge", by] => exchange.add(self.toy.gauge.unwrap(), by.parse().unwrap()),
                ["remove_trailers"] => exchange.remove_response_trailers(),
                ["gather"] => step = if last { Step::Continue } else { Step::Hold },
                ["continue"] => step = Step::Continue,
                ["reset"] => step = Step::Reset,
                ["reply", status] => step = Step::Reply(Box::new(reply(status))),
                ["reply_last", status] if last => step = Step::Reply(Box::new(reply(status))),
                ["reply_last", _] => step = Step::Hold,
                other => panic!("no such order: {other:?}"),
            }
        }
        step
    }

    fn say(&self, exchange: &mut Exchange<'_>, text: &str) {
        exchange.log(Level::Info, format!("{}: {text}", self.toy.name));
    }

    fn eat(&mut self, exchange: &mut Exchange<'_>, way: usize, chunk: Chunk<'_>) {
        if chunk.last {
            assert!(!self.ended[way], "a body ends once");
            self.ended[way] = true;
        }
        let last = if chunk.last { ", the last" } else { "" };
        self.say(exchange, &format!("{:?}{last}", String::from_utf8_lossy(chunk.bytes)));
    }
}

impl Stream for ToyStream {
    fn on_request_headers(&mut self, exchange: &mut Exchange<'_>) -> Step {
        self.obey("request", exchange, Step::Continue, exchange.headers_only())
    }

    fn on_request_body(&mut self, exchange: &mut Exchange<'_>, chunk: Chunk<'_>) -> Step {
        self.eat(exchange, 0, chunk);
        self.obey("body", exchange, Step::Continue, chunk.last)
    }

    fn on_response_headers(&mut self, exchange: &mut Exchange<'_>) -> Step {
        self.obey("response", exchange, Step::Continue, exchange.headers_only())
    }

    fn on_response_body(&mut self, exchange: &mut Exchange<'_>, chunk: Chunk<'_>) -> Step {
        self.eat(exchange, 1, chunk);
        self.obey("response_body", exchange, Step::Continue, chunk.last)
    }

    fn on_response_trailers(&mut self, exchange: &mut Exchange<'_>) {
        let trailers = exchange.response_trailers();
        self.obey("trailers", exchange, Step::Continue, true);
        for (name, value) in trailers.iter() {
            let (name, value) = (String::from_utf8_lossy(name), String::from_utf8_lossy(value));
            self.say(exchange, &format!("behind it, {name} is {value}"));
        }
    }

    fn is_done(&self) -> bool {
        self.over.get() || self.toy.orders.iter().any(|(name, _)| name == "done")
    }

    fn on_wake(&mut self, exchange: &mut Exchange<'_>) -> Step {
        self.say(exchange, "woken");
        self.obey("wake", exchange, Step::Hold, false)
    }

    fn on_callout(&mut self, exchange: &mut Exchange<'_>, _: CalloutId, response: &CalloutResponse) -> Step {
        self.say(exchange, &format!("callout {:?}", response.status()));
        self.obey("callout", exchange, Step::Hold, false)
    }

    fn on_end(&mut self, exchange: &mut Exchange<'_>) {
        self.say(exchange, "end");
        self.obey("end", exchange, Step::Continue, false);
    }

    fn on_gone(&mut self, exchange: &mut Exchange<'_>) {
        self.obey("gone", exchange, Step::Continue, false);
    }
}

fn said(field: &Field) -> String {
    let values: Vec<_> = field.values().iter().map(|value| String::from_utf8_lossy(value)).collect();
    match field {
        Field::Absent => "absent".to_owned(),
        Field::One(_) => format!("one {}", values.join("")),
        Field::Many(_) => format!("many {}", values.join(" | ")),
    }
}

fn time(milliseconds: &str) -> Duration {
    Duration::from_millis(milliseconds.parse().unwrap())
}

const SIGNATURE: Signature<'_> =
    Signature { hash: "sha256", key: b"key", signature: b"signature", text: b"text" };

fn callout(cluster: &str) -> Callout {
    Callout {
        cluster: cluster.to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
        timeout: Duration::from_secs(1),
        max_body: 1024,
    }
}

fn reply(status: &str) -> Reply {
    Reply {
        status: status.parse().unwrap(),
        details: "sluice_toy",
        headers: vec![("content-type".into(), b"text/plain".to_vec()), ("x-why".into(), b"toy".to_vec())],
        body: b"no".to_vec(),
        grpc: Grpc { status: GrpcStatus::PermissionDenied, message: "no".into() },
    }
}

fn bench(chain: &str) -> Bench {
    let world = World::default();
    world.pass(START.since(crate::time::Timestamp::EPOCH));
    Bench::within(&Rc::new(world), &KINDS, Form::Chain, &format!(r#"{{"chain": [{chain}]}}"#)).unwrap()
}

/// One toy that obeys these orders.
fn one(orders: &str) -> String {
    format!(r#"{{"toy": {{{orders}}}}}"#)
}

/// A second toy.
fn two(orders: &str) -> String {
    format!(r#"{{"name": "two", "toy": {{{orders}}}}}"#)
}

fn check(sent: &mut Sent, expected: &Expect) {
    expected.assert_eq(&sent.text());
}

#[test]
fn a_request_goes_through_in_order_and_its_response_comes_back_in_reverse() {
    let bench = bench(
        &[
            one(r#""request": "add x-way 1", "response": "own""#),
            two(r#""request": "add x-way 2", "response": "own""#),
        ]
        .join(","),
    );
    let mut sent = bench.request("GET /");
    sent.respond("200").end();
    check(
        &mut sent,
        &expect![[r#"
            add Request x-way: 1
            log Info toy: "", the last
            add Request x-way: 2
            log Info two: "", the last
            log Info two: own false, from upstream true, Some(200)
            log Info two: "", the last
            log Info toy: own false, from upstream true, Some(200)
            log Info toy: "", the last
            log Info toy: end
            log Info two: end
            continue
        "#]],
    );
    assert_eq!(sent.request_header("x-way").as_deref(), Some("1 | 2"));
}

#[test]
fn a_path_that_an_earlier_filter_has_changed_is_read_anew() {
    let look = two(r#""request": "path""#);
    let second = |bench: Bench, path: &str| {
        let text = bench.request(&format!("GET {path}")).text();
        text.lines().find(|line| line.starts_with("log Info two: ")).unwrap().to_owned()
    };
    for (edit, path) in
        [("set x-a 1", "/old"), ("set :path /new?a", "/new"), ("remove :path; add :path /newer", "/newer")]
    {
        let first = one(&format!(r#""request": "path; {edit}""#));
        let both = bench(&[first, look.clone()].join(","));
        assert_eq!(second(both, "/old"), second(bench(&look), path), "{edit}");
    }
}

#[test]
fn edits_of_an_earlier_filter_are_seen_by_a_later_one_however_it_looks() {
    for (looks, edits, again, expected) in [
        // Alone, before and after the edit.
        ("get x-a", "set x-a new", "get x-a", ["one old", "one new"]),
        ("get x-a", "add x-a more", "get x-a", ["one old", "many old | more"]),
        ("get x-a", "remove x-a", "get x-a", ["one old", "absent"]),
        // After a snapshot.
        ("get x-b; get x-a", "set x-a new", "get x-a", ["one old", "one new"]),
        ("get x-b; get x-a", "add x-a more", "get x-a", ["one old", "many old | more"]),
        ("get x-b; get x-a", "remove x-a", "get x-a", ["one old", "absent"]),
        ("get x-a", "set x-a new; remove x-a", "get x-a", ["one old", "absent"]),
        ("get x-a", "remove x-a; add x-a 1; add x-a 2", "get x-a", ["one old", "many 1 | 2"]),
        ("get x-a", "set x-b 1", "get x-a", ["one old", "one old"]),
        // The host has two names for one header.
        ("get host", "set host b.example", "get :authority", ["one example.com", "one b.example"]),
        ("get x-b; get host", "set :authority b.example", "get host", ["one example.com", "one b.example"]),
    ] {
        let orders = |text: &str| format!(r#""request": "{text}""#);
        let bench = bench(&[one(&orders(&format!("{looks}; {edits}"))), two(&orders(again))].join(","));
        for _ in 0..3 {
            let mut sent = bench.request("GET /\nx-a: old");
            let text = sent.text();
            let seen: Vec<_> =
                text.lines().filter(|line| line.contains(" is ") && !line.contains("x-b")).collect();
            let name = again.strip_prefix("get ").unwrap();
            assert!(seen[0].ends_with(expected[0]), "{looks}; {edits}: {text}");
            assert_eq!(seen[1], format!("log Info two: {name} is {}", expected[1]), "{looks}; {edits}");
        }
    }
}

#[test]
fn edits_are_seen_in_the_callbacks_that_follow() {
    let orders = r#""request": "get x-a; set x-a 2; hold", "body": "get x-a; set x-a 3; gather""#;
    let bench = bench(&[one(orders), two(r#""request": "get x-a", "response": "get x-a""#)].join(","));
    let mut sent = bench.send(b"POST /\nx-a: 1", false);
    sent.body(b"b", true);
    assert_eq!(sent.request_header("x-a").as_deref(), Some("3"));
    check(
        &mut sent,
        &expect![[r#"
            log Info toy: x-a is one 1
            set Request x-a: 2
            log Info toy: "b", the last
            log Info toy: x-a is one 2
            set Request x-a: 3
            log Info two: x-a is one 3
            log Info two: "b", the last
            continue
        "#]],
    );
}

#[test]
fn duplicates_are_seen_and_a_comma_is_no_duplicate() {
    for (headers, expected) in
        [("x-a: 1\nx-a: 2", "many 1 | 2"), ("x-a: 1, 2", "one 1, 2"), ("x-a:", "one "), ("x-b: 1", "absent")]
    {
        for looks in ["get x-a", "get x-c; get x-a"] {
            let bench = bench(&one(&format!(r#""request": "{looks}""#)));
            for _ in 0..2 {
                let text = bench.request(&format!("GET /\n{headers}")).text();
                assert!(text.contains(&format!("toy: x-a is {expected}\n")), "{headers}: {text}");
            }
        }
    }
}

#[test]
fn all_headers_of_a_stream_cost_one_lookup() {
    for looks in ["get x-a", "get x-a; get x-a", "get x-a; get x-b; get x-c", "get x-many"] {
        let bench = bench(&one(&format!(r#""request": "{looks}""#)));
        bench.request("GET /\nx-a: 1\nx-many: 1, 2");
        assert_eq!(bench.world.lookups(), 1, "{looks}");
    }
}

#[test]
fn a_reply_stops_the_chain_and_comes_back_through_those_that_saw_the_request() {
    let three = r#"{"name": "three", "toy": {"request": "set x-a 1", "response": "own"}}"#;
    let bench = bench(
        &[one(r#""response": "own""#), two(r#""request": "reply 403", "response": "own""#), three.to_owned()]
            .join(","),
    );
    let mut sent = bench.request("GET /");
    check(
        &mut sent,
        &expect![[r#"
            log Info toy: "", the last
            403 sluice_toy
              content-type: text/plain
              x-why: toy
              no
        "#]],
    );
    sent.respond_from("sluice_toy", "403").end();
    check(
        &mut sent,
        &expect![[r#"
            log Info two: own true, from upstream false, Some(403)
            log Info two: "", the last
            log Info toy: own false, from upstream false, Some(403)
            log Info toy: "", the last
            log Info toy: end
            log Info two: end
            continue
        "#]],
    );
}

#[test]
fn a_grpc_client_gets_its_own_kind_of_reply_from_any_callback() {
    let grpc = "POST /\ncontent-type: application/grpc";
    let expected = "grpc 7 sluice_toy\n  x-why: toy\n  no\n";
    let mut at_once = bench(&one(r#""request": "reply 403""#)).request(grpc);
    assert_eq!(at_once.text(), expected);
    let mut in_body =
        bench(&one(r#""request": "hold", "body": "reply_last 403""#)).send(grpc.as_bytes(), false);
    assert!(in_body.body(b"x", true).text().ends_with(expected));
    let bench_woken = bench(&one(r#""request": "hold; wake 5", "body": "hold", "wake": "reply 403""#));
    let mut woken = bench_woken.request(grpc);
    bench_woken.world.pass(time("5"));
    assert!(woken.wake().text().ends_with(expected));
    let mut answered =
        bench(&one(r#""request": "hold; call a", "body": "hold", "callout": "reply 403""#)).request(grpc);
    assert!(answered.answer(1, "200", b"").text().ends_with(expected));
    // By the response where nobody looked at the request, and by the request where somebody did.
    let mut by_response = bench(&one(r#""response": "reply 403""#)).request(grpc);
    assert!(by_response.respond("200\ncontent-type: application/grpc").text().ends_with(expected));
    let mut by_request =
        bench(&one(r#""request": "get x-a; get x-b", "response": "reply 403""#)).request(grpc);
    assert!(by_request.respond("503\ncontent-type: text/plain").text().ends_with(expected));
}

#[test]
fn headers_are_held_until_the_body_ends_whichever_way_it_ends() {
    let orders = r#""request": "hold", "body": "gather""#;
    let bench = bench(&[one(orders), two(r#""request": "get x-a""#)].join(","));
    let mut head = bench.request("GET /");
    check(
        &mut head,
        &expect![[r#"
            log Info toy: "", the last
            log Info two: x-a is absent
            log Info two: "", the last
            continue
        "#]],
    );
    let mut body = bench.send(b"POST /", false);
    assert_eq!(body.verdict, Verdict::Pause);
    body.body(b"a", false);
    assert_eq!(body.verdict, Verdict::Pause);
    body.body(b"b", true);
    check(
        &mut body,
        &expect![[r#"
            log Info toy: "a"
            log Info toy: "b", the last
            log Info two: x-a is absent
            log Info two: "ab", the last
            continue
        "#]],
    );
    let mut trailers = bench.send(b"POST /", false);
    trailers.body(b"a", false).trailers();
    check(
        &mut trailers,
        &expect![[r#"
            log Info toy: "a"
            log Info toy: "", the last
            log Info two: x-a is absent
            log Info two: "a", the last
            continue
        "#]],
    );
    let mut only_trailers = bench.send(b"POST /", false);
    assert_eq!(only_trailers.trailers().verdict, Verdict::Continue);
}

#[test]
fn a_filter_that_holds_stops_those_behind_it_and_not_those_before_it() {
    let bench = bench(
        &[
            one(r#""body": "continue""#),
            two(r#""request": "hold; wake 5", "body": "gather", "wake": "set x-late 1; continue""#),
        ]
        .join(","),
    );
    let mut sent = bench.send(b"POST /", false);
    sent.body(b"a", false).body(b"b", false);
    bench.world.pass(time("4"));
    sent.wake();
    assert_eq!(sent.verdict, Verdict::Pause);
    bench.world.pass(time("1"));
    sent.wake();
    assert_eq!((&sent.verdict, sent.upstream_body()), (&Verdict::Continue, b"ab".as_slice()));
    sent.body(b"c", true);
    assert_eq!(sent.upstream_body(), b"abc");
    check(
        &mut sent,
        &expect![[r#"
            log Info toy: "a"
            log Info two: "a"
            log Info toy: "b"
            log Info two: "b"
            log Info two: woken
            set Request x-late: 1
            log Info toy: "c", the last
            log Info two: "c", the last
            continue
        "#]],
    );
}

#[test]
fn a_filter_without_bodies_holds_them_all_the_same() {
    let chain = r#"{"head": {"request": "hold; wake 5", "wake": "continue"}}"#;
    let bench = bench(&format!("{chain}, {}", one("")));
    let mut sent = bench.send(b"POST /", false);
    sent.body(b"a", false).trailers();
    assert_eq!(sent.verdict, Verdict::Pause);
    bench.world.pass(time("5"));
    sent.wake();
    assert_eq!(sent.upstream_body(), b"a");
    check(
        &mut sent,
        &expect![[r#"
            log Info head: woken
            log Info toy: "a", the last
            continue
        "#]],
    );
}

#[test]
fn a_callout_lets_go_replies_or_changes_nothing() {
    let orders =
        |callout: &str| one(&format!(r#""request": "hold; call a", "body": "hold", "callout": "{callout}""#));
    let mut goes = bench(&orders("set x-a 1; continue")).request("GET /");
    check(
        goes.answer(1, "200", b""),
        &expect![[r#"
            log Info toy: sent true
            log Info toy: "", the last
            log Info toy: callout Some(200)
            set Request x-a: 1
            continue
        "#]],
    );
    assert_eq!(bench(&orders("reply 403")).send(b"POST /", false).answer(1, "200", b"").refused(), Some(403));
    assert_eq!(bench(&orders("reset")).send(b"POST /", false).answer(1, "200", b"").verdict, Verdict::Reset);
    assert_eq!(bench(&orders("hold")).send(b"POST /", false).answer(1, "200", b"").verdict, Verdict::Pause);
    // Somebody else's, and one that came twice.
    let mut other = bench(&orders("continue")).send(b"POST /", false);
    assert_eq!(other.answer(2, "200", b"").verdict, Verdict::Pause);
    assert_eq!(other.answer(1, "200", b"").verdict, Verdict::Continue);
    assert!(!other.answer(1, "200", b"").text().contains("callout Some(200)\nlog Info toy: callout"));
    let mut absent = bench(&one(r#""request": "call absent""#)).request("GET /");
    assert!(absent.text().contains("toy: sent false"));
}

#[test]
fn a_reply_comes_as_long_as_nobody_has_begun_to_answer_and_then_a_reset() {
    let bench = bench(&one(r#""request": "hold; wake 5", "wake": "reply 403""#));
    let mut held = bench.send(b"POST /", false);
    bench.world.pass(time("5"));
    assert_eq!(held.wake().refused(), Some(403));
    assert_eq!(held.body(b"more", true).verdict, Verdict::Pause, "nothing is decided twice");
    let late = self::bench(&one(r#""body": "reply_last 403""#));
    let mut went = late.send(b"POST /", false);
    assert_eq!(went.verdict, Verdict::Continue);
    assert_eq!(
        went.body(b"x", true).refused(),
        Some(403),
        "its headers are with the upstream, and its body isn't"
    );
    let mut late = late.send(b"POST /", false);
    late.respond_headers("via_upstream", "200", false);
    assert_eq!(late.body(b"x", true).verdict, Verdict::Reset);
    let back = self::bench(&one(r#""response_body": "reply_last 403""#));
    let mut back = back.request("GET /");
    back.respond_headers("via_upstream", "200", false);
    assert_eq!(back.response_body(b"x", true).verdict, Verdict::Reset);
}

#[test]
fn a_response_is_held_for_its_body_a_timer_or_a_callout() {
    let gather = bench(&[one(r#""response": "hold", "response_body": "gather""#), two("")].join(","));
    let mut sent = gather.request("GET /");
    sent.respond_headers("via_upstream", "200", false);
    assert_eq!(sent.verdict, Verdict::Pause);
    assert_eq!(sent.response_body(b"a", false).verdict, Verdict::Pause);
    assert_eq!(sent.response_trailers().verdict, Verdict::Continue);
    assert_eq!(sent.client_body(), b"a");
    let timer = bench(&one(
        r#""response": "hold; wake 5; call a", "wake": "put x-late 1; continue", "callout": "reply 503""#,
    ));
    let mut woken = timer.request("GET /");
    woken.respond_headers("via_upstream", "200", false);
    woken.response_body(b"a", true);
    timer.world.pass(time("5"));
    assert_eq!(woken.wake().verdict, Verdict::Continue);
    assert_eq!(
        (woken.client_body(), woken.response_header("x-late").as_deref()),
        (b"a".as_slice(), Some("1"))
    );
    let mut answered = timer.request("GET /");
    answered.respond_headers("via_upstream", "200", false);
    assert_eq!(answered.answer(2, "200", b"").refused(), Some(503));
}

#[test]
fn what_is_held_back_is_out_of_reach_and_goes_on_with_the_rest() {
    let bench = bench(&one(
        r#""response_headers": "put x-a 1", "response_body": "wake 5; back", "wake": "continue""#,
    ));
    let mut sent = bench.request("GET /");
    sent.respond_headers("via_upstream", "200", false);
    assert_eq!(sent.response_body(b"one ", false).verdict, Verdict::PauseBack);
    assert_eq!(sent.response_body(b"two ", false).verdict, Verdict::PauseBack);
    assert_eq!(sent.client_body(), b"");
    bench.world.pass(Duration::from_millis(5));
    assert_eq!(sent.wake().verdict, Verdict::Continue);
    assert_eq!(sent.client_body(), b"one two ");
    assert_eq!(sent.response_body(b"three", false).verdict, Verdict::PauseBack);
    assert_eq!(sent.response_body(b"", true).verdict, Verdict::Continue);
    assert_eq!(sent.client_body(), b"one two three");
}

#[test]
fn a_piece_that_is_held_back_can_be_replaced_in_its_own_callback() {
    let bench = bench(&one(r#""response_body": "replace x; wake 5; back", "wake": "continue""#));
    let mut sent = bench.request("GET /");
    sent.respond_headers("via_upstream", "200", false).response_body(b"one", false);
    sent.response_body(b"two", false).response_body(b"three", true);
    assert_eq!(sent.client_body(), b"xxx");
}

#[test]
fn where_another_filter_reads_bodies_nothing_is_out_of_reach() {
    let bench = bench(&[one(r#""response_body": "gather""#), two(r#""response_body": "back""#)].join(","));
    let mut sent = bench.request("GET /");
    sent.respond_headers("via_upstream", "200", false);
    assert_eq!(sent.response_body(b"one", false).verdict, Verdict::Pause);
    assert_eq!(sent.response_body(b"two", true).verdict, Verdict::Continue);
    assert_eq!(sent.client_body(), b"onetwo");
}

#[test]
fn a_gauge_goes_up_and_down() {
    let bench = bench(&one(r#""request": "add_to_gauge 2", "gone": "add_to_gauge -1""#));
    let mut sent = bench.request("GET /");
    assert_eq!(bench.gauge("toy.active.toy"), 2);
    sent.end();
    assert_eq!(bench.gauge("toy.active.toy"), 1);
}

#[test]
fn trailers_of_a_response_are_removed_where_its_end_is() {
    let bench = bench(&one(r#""response_body": "remove_trailers""#));
    let mut sent = bench.request("GET /");
    sent.respond_headers("via_upstream", "200\nx-a: 1", false).response_body(b"one", false);
    sent.response_trailers_of("grpc-status: 0\nx-a: 2\nx-a: 3");
    assert_eq!((sent.response_trailer("grpc-status"), sent.response_trailer("x-a")), (None, None));
    assert_eq!(sent.response_header("x-a").as_deref(), Some("1"));
}

#[test]
fn a_request_body_that_is_held_goes_on_though_the_response_has_begun() {
    let bench = bench(&one(r#""body": "hold; wake 5", "wake": "continue""#));
    let mut sent = bench.send(b"POST /", false);
    sent.body(b"a", false);
    assert_eq!(sent.verdict, Verdict::Pause);
    sent.respond_headers("via_upstream", "200", false);
    bench.world.pass(time("5"));
    sent.wake();
    assert_eq!(sent.upstream_body(), b"a");
}

#[test]
fn nothing_is_decided_about_a_request_that_somebody_else_has_answered() {
    let bench = bench(&one(r#""request": "hold; wake 5", "wake": "reply 403""#));
    let mut sent = bench.send(b"POST /", false);
    sent.respond_from("request_payload_too_large", "413");
    bench.world.pass(time("5"));
    sent.wake();
    assert_eq!(sent.verdict, Verdict::Continue, "of the response");
}

#[test]
fn what_a_filter_replaces_is_what_those_behind_it_see() {
    let replaces = one(r#""request": "hold", "body": "gather; replace new""#);
    for behind in
        ["", r#""request": "hold; wake 5", "body": "hold", "wake": "continue""#, r#""body": "gather""#]
    {
        let bench = bench(&[replaces.clone(), two(behind)].join(","));
        let mut sent = bench.send(b"POST /", false);
        sent.body(b"longer than", false).body(b" before", true);
        bench.world.pass(time("5"));
        sent.wake();
        assert_eq!(sent.upstream_body(), b"new", "{behind}");
        let text = sent.text();
        assert!(text.contains("two: \"new\", the last"), "{behind}: {text}");
    }
    // There is no body that could be replaced.
    let mut none = bench(&one(r#""request": "replace new""#)).request("GET /");
    assert_eq!(none.text(), "log Info toy: \"\", the last\ncontinue\n");
}

#[test]
fn tags_are_handed_over_within_a_chain() {
    let looks = r#""request": "property sluice.toy.one; property filter_state/wasm.sluice.toy.one; property sluice.toy.two""#;
    let bench = bench(&[one(r#""request": "tag one 1; tag one 2; tag two""#), two(looks)].join(","));
    check(
        &mut bench.request("GET /"),
        &expect![[r#"
            tag sluice.toy.one=1
            tag sluice.toy.one=2
            tag sluice.toy.two=
            log Info toy: "", the last
            log Info two: sluice.toy.one is Some("2")
            log Info two: filter_state/wasm.sluice.toy.one is Some("2")
            log Info two: sluice.toy.two is None
            log Info two: "", the last
            continue
        "#]],
    );
}

#[test]
fn the_time_is_one_instant_within_a_callback() {
    let tells =
        r#""request": "now; now; hold; wake 50", "body": "hold", "wake": "now; continue", "response": "now""#;
    let bench = bench(&[one(tells), two(r#""request": "now", "response": "now""#)].join(","));
    bench.world.run_clock(time("10"));
    let mut sent = bench.request("GET /");
    bench.world.pass(time("100"));
    sent.wake().respond("200");
    let text = sent.text();
    let told: Vec<_> =
        text.lines().filter_map(|line| line.split_once("it is ")).map(|(_, time)| time).collect();
    let [one, same, woken, behind, response, last] = told.as_slice() else {
        panic!("{text}");
    };
    assert_eq!((one, woken, response), (same, behind, last), "{text}");
    assert!(one != woken && woken != response, "{text}");
}

#[test]
fn two_filters_that_are_due_at_once_are_both_woken() {
    let waits = r#""request": "hold; wake 5", "body": "hold", "wake": "continue""#;
    let bench = bench(&[one(r#""request": "wake 5", "wake": "hold""#), two(waits)].join(","));
    let mut sent = bench.request("GET /");
    bench.world.pass(time("5"));
    check(
        sent.wake(),
        &expect![[r#"
            log Info toy: "", the last
            log Info two: "", the last
            log Info toy: woken
            log Info two: woken
            continue
        "#]],
    );
    assert_eq!(sent.next_wake(), None);
}

#[test]
fn the_root_starts_calls_waits_and_wakes_the_streams_that_hold() {
    let orders = r#""start": "call absent; wake 10", "root_wake": "call a", "root_callout": "wake_streams",
        "request": "hold; wake 1000", "body": "hold", "wake": "continue""#;
    let bench = bench(&[one(r#""request": "wake 1000""#), two(orders)].join(","));
    let mut root = bench.root();
    let mut sent = bench.request("GET /");
    let mut effects = Vec::new();
    root.start(&*bench.world, &mut effects);
    assert_eq!(root.next_wake(), Some(START.after(time("10"))));
    root.wake(&*bench.world, START.after(time("9")), &mut effects);
    root.wake(&*bench.world, START.after(time("10")), &mut effects);
    assert_eq!(root.next_wake(), None);
    root.callout(&*bench.world, CalloutId(7), &CalloutResponse::default(), &mut effects);
    assert!(root.take_hurried().is_empty(), "somebody else's answer");
    root.callout(&*bench.world, CalloutId(1), &answer("200"), &mut effects);
    assert_eq!(lines(&effects), ["two: sent false", "two: sent true", "two: root callout Some(200)"]);
    let hurried = root.take_hurried();
    assert_eq!(hurried, [1]);
    assert!(root.take_hurried().is_empty());
    sent.hurry(1);
    assert_eq!(sent.next_wake(), Some(START));
    assert_eq!(sent.wake().verdict, Verdict::Continue);
    assert_eq!(sent.next_wake(), Some(START.after(time("1000"))), "the other filter's wait");
    restart(&bench);
}

#[test]
fn streams_wake_the_root_of_their_filter_once_and_it_keeps_its_own_instant() {
    let asks = r#""start": "wake 50", "root_wake": "woken", "request": "wake_filter; wake_filter""#;
    let bench = bench(&[one(r#""root_wake": "woken""#), two(asks)].join(","));
    assert!(bench.start().is_empty());
    assert_eq!(bench.root_next_wake(), Some(START.after(time("50"))));
    let asked = bench.request("GET /").text();
    assert_eq!(asked.lines().filter(|line| *line == "wake filter").count(), 2);
    assert_eq!(bench.root_next_wake(), Some(START));
    bench.request("GET /");
    // A clock that is turned back must not make it wait.
    bench.world.turn_back(time("5"));
    bench.wake_root();
    assert_eq!(bench.root_text(), "log Info two: woken\n");
    bench.wake_root();
    assert_eq!(bench.root_text(), "");
    assert_eq!(bench.root_next_wake(), Some(START.after(time("50"))));
    bench.world.pass(time("55"));
    bench.wake_root();
    assert_eq!(bench.root_text(), "log Info two: woken\n");
    assert_eq!(bench.root_next_wake(), None);
}

#[test]
fn a_filter_is_woken_by_a_stream_in_any_of_its_callbacks() {
    type Act = fn(&mut Sent) -> &mut Sent;
    let acts: [(&str, Act); 6] = [
        ("body", |sent| sent.body(b"a", true)),
        ("response", |sent| sent.respond("200")),
        ("wake", |sent| sent.wake()),
        ("callout", |sent| sent.answer(1, "200", b"")),
        ("end", |sent| sent.end()),
        ("gone", |sent| sent.end()),
    ];
    for (callback, act) in acts {
        let orders = format!(r#""request": "wake 0; call a", "{callback}": "wake_filter""#);
        let bench = bench(&one(&orders));
        let mut sent = bench.send(b"POST /", false);
        assert_eq!(bench.root_next_wake(), None, "{callback}");
        act(&mut sent);
        assert_eq!(bench.root_next_wake(), Some(START), "{callback}");
    }
}

#[test]
fn the_root_on_the_bench_does_and_counts_as_streams_do() {
    let bench =
        bench(&one(r#""start": "call a", "root_callout": "wake_streams", "request": "hold; wake 9""#));
    assert!(bench.start().is_empty());
    let mut sent = bench.request("GET /");
    assert_eq!(bench.answer_root(1, "200", &[("cache-control", "no-store")], b"document"), [0]);
    assert_eq!(bench.root_text(), "log Info toy: sent true\nlog Info toy: root callout Some(200)\n");
    assert_eq!(sent.hurry(0).next_wake(), Some(START));
    bench.start();
    bench.answer_root(2, "", &[], b"");
    assert_eq!(bench.root_text(), "log Info toy: sent true\nlog Info toy: root callout None\n");
}

#[test]
fn a_root_and_its_streams_agree_on_a_scope_that_no_other_filter_has() {
    let orders = r#""start": "scope", "request": "scope""#;
    let bench = bench(&[one(orders), two(orders)].join(","));
    bench.start();
    let mut sent = bench.request("GET /");
    let (root, streams) = (bench.root_text(), sent.text());
    let roots: Vec<&str> = root.lines().filter_map(|line| line.split(' ').nth(3)).collect();
    let both = streams.lines().filter(|line| line.contains('/'));
    let both: Vec<Vec<&str>> = both.map(|line| line.split(' ').skip(3).collect()).collect();
    assert_eq!([roots[0], roots[1]], [both[0][1], both[1][1]]);
    let all = [both[0][0], both[0][1], both[1][0], both[1][1]];
    assert!(all.iter().enumerate().all(|(index, scope)| !all[..index].contains(scope)), "{all:?}");
    // The direction of the listener is what sets streams apart.
    let again = self::bench(&[one(orders), two(orders)].join(","));
    again.world.set_property(&["xds", "listener_direction"], &[2]);
    again.start();
    assert_eq!(again.root_text(), root);
    assert_ne!(again.request("GET /").text(), streams);
}

#[test]
fn a_signature_is_for_the_host_to_check_if_it_can() {
    let bench = bench(&one(r#""start": "verify", "request": "verify""#));
    let both = || {
        bench.start();
        let (root, streams) = (bench.root_text(), bench.request("GET /").text());
        assert!(streams.starts_with(&root), "{streams}");
        root
    };
    assert_eq!(both(), "log Info toy: good None\n");
    for answer in [Some(true), Some(false), None] {
        bench.world.verify_with(move |asked| {
            assert_eq!(
                (asked.hash, asked.key, asked.text),
                ("sha256", b"key".as_slice(), b"text".as_slice())
            );
            answer
        });
        assert_eq!(both(), format!("log Info toy: good {answer:?}\n"));
    }
}

fn restart(bench: &Bench) {
    let mut effects = Vec::new();
    let mut again: ChainRoot = bench.root();
    again.start(&*bench.world, &mut effects);
    assert_eq!(lines(&effects), ["two: sent false"]);
}

fn answer(status: &str) -> CalloutResponse {
    let headers = HeaderMap::new(vec![(b":status".to_vec(), status.as_bytes().to_vec())]);
    CalloutResponse { headers, body: Vec::new(), size: 0 }
}

fn lines(effects: &[Effect]) -> Vec<&str> {
    let lines = effects.iter().filter_map(|effect| {
        let Effect::Log(_, line) = effect else {
            return None;
        };
        Some(line.as_str())
    });
    lines.collect()
}

#[test]
fn a_chain_that_cannot_be_used_says_all_that_is_wrong() {
    let expected = expect![[r#"
        {}
          chain: is required
        {"chain": []}
          chain: must not be empty
        {"chain": {}}
          chain: expected a list, found an object; write [{...}]
        {"chain": [{}]}
          chain[0]: names no filter of this module (it has toy, head, eater)
        {"chain": [{"toys": {}}]}
          chain[0].toys: unknown field, did you mean "toy"?
          chain[0]: names no filter of this module (it has toy, head, eater)
        {"chain": [{"toy": {}, "head": {}}]}
          chain[0]: names several filters; give each its own element of the chain
        {"chain": [{"toy": {}}, {"toy": {}}]}
          chain[1]: the chain already has a filter called "toy"; give this one another `name`
        {"chain": [{"toy": {}}, {"name": "toy", "head": {}}]}
          chain[1]: the chain already has a filter called "toy"; give this one another `name`
        {"chain": [{"name": "A b", "toy": {}}]}
          chain[0].name: "A b" is not a name: a letter or digit, then up to 63 more, _ or -, all lower case; "a-b" would do
        {"chain": [{"toy": {"request": 1}}, {"toys": {}}], "more": 1}
          more: unknown field (known: chain)
          chain[0].toy.request: expected text, found number 1; write "1"
          chain[1].toys: unknown field, did you mean "toy"?
          chain[1]: names no filter of this module (it has toy, head, eater)
    "#]];
    let mut text = String::new();
    for config in [
        "{}",
        r#"{"chain": []}"#,
        r#"{"chain": {}}"#,
        r#"{"chain": [{}]}"#,
        r#"{"chain": [{"toys": {}}]}"#,
        r#"{"chain": [{"toy": {}, "head": {}}]}"#,
        r#"{"chain": [{"toy": {}}, {"toy": {}}]}"#,
        r#"{"chain": [{"toy": {}}, {"name": "toy", "head": {}}]}"#,
        r#"{"chain": [{"name": "A b", "toy": {}}]}"#,
        r#"{"chain": [{"toy": {"request": 1}}, {"toys": {}}], "more": 1}"#,
    ] {
        let problems = Bench::within(&Rc::new(World::default()), &KINDS, Form::Chain, config).err().unwrap();
        text.push_str(&format!("{config}\n  {}\n", problems.replace('\n', "\n  ")));
    }
    expected.assert_eq(&text);
}

/// Takes bodies in, holds some pieces, and lets each byte go doubled if it is told so.
struct Eater {
    name: String,
    holds: Vec<bool>,
    doubles: bool,
}

fn eater(node: &Node<'_>, setup: &mut Setup<'_>) -> Option<Rc<dyn Filter>> {
    let mut object = node.object()?;
    let holds = object.required("holds")?.text()?.bytes().map(|byte| byte == b'h').collect();
    let doubles = object.required("doubles")?.boolean()?;
    Some(Rc::new(Eater { name: setup.name().to_owned(), holds, doubles }))
}

impl Filter for Eater {
    fn stream(self: Rc<Self>) -> Box<dyn Stream> {
        Box::new(EaterStream {
            eater: self,
            pieces: 0,
            seen: Vec::new(),
            held: Vec::new(),
            holding: false,
            ended: false,
        })
    }
}

struct EaterStream {
    eater: Rc<Eater>,
    pieces: usize,
    seen: Vec<u8>,
    held: Vec<u8>,
    holding: bool,
    ended: bool,
}

impl EaterStream {
    fn eat(&mut self, exchange: &mut Exchange<'_>, chunk: Chunk<'_>) -> Step {
        assert!(!self.ended, "nothing comes after the end");
        self.seen.extend_from_slice(chunk.bytes);
        self.held.extend_from_slice(chunk.bytes);
        self.ended = chunk.last;
        self.step(exchange)
    }

    fn step(&mut self, exchange: &mut Exchange<'_>) -> Step {
        let hold = self.eater.holds.iter().cycle().nth(self.pieces).copied().unwrap_or(false);
        self.pieces = self.pieces.saturating_add(1);
        self.holding = hold;
        if hold {
            exchange.wake_at(START);
            return Step::Hold;
        }
        self.let_go(exchange)
    }

    fn let_go(&mut self, exchange: &mut Exchange<'_>) -> Step {
        self.holding = false;
        if self.eater.doubles && !self.held.is_empty() {
            exchange.replace_body(double(&self.held));
        }
        self.held.clear();
        Step::Continue
    }
}

impl Stream for EaterStream {
    fn on_request_headers(&mut self, exchange: &mut Exchange<'_>) -> Step {
        self.step(exchange)
    }

    fn on_request_body(&mut self, exchange: &mut Exchange<'_>, chunk: Chunk<'_>) -> Step {
        self.eat(exchange, chunk)
    }

    fn on_response_headers(&mut self, exchange: &mut Exchange<'_>) -> Step {
        self.seen.clear();
        (self.ended, self.pieces) = (false, 0);
        self.step(exchange)
    }

    fn on_response_body(&mut self, exchange: &mut Exchange<'_>, chunk: Chunk<'_>) -> Step {
        self.eat(exchange, chunk)
    }

    fn on_wake(&mut self, exchange: &mut Exchange<'_>) -> Step {
        if self.holding { self.let_go(exchange) } else { Step::Hold }
    }

    fn on_end(&mut self, exchange: &mut Exchange<'_>) {
        let seen = String::from_utf8(self.seen.clone()).unwrap();
        exchange.log(Level::Warn, format!("{} {} {seen}", self.eater.name, self.ended));
    }
}

fn double(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().flat_map(|byte| [*byte, *byte]).collect()
}

/// What arrives: a piece of the body, or an instant at which every wait is over.
#[derive(Clone, Debug)]
enum Event {
    Piece(String),
    Wake,
}

#[derive(Clone, Copy, Debug)]
enum End {
    WithPiece,
    EmptyPiece,
    Trailers,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![3 => "[a-z]{0,6}".prop_map(Event::Piece), 1 => Just(Event::Wake)];
    proptest::collection::vec(event, 0..8)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_chunking_and_every_hold_gives_each_filter_each_byte_once(
        filters in proptest::collection::vec(("[hc]{0,5}", any::<bool>()), 1..4),
        events in events(),
        end in prop_oneof![Just(End::WithPiece), Just(End::EmptyPiece), Just(End::Trailers)],
        response in any::<bool>(),
    ) {
        chunking(&filters, &events, end, response);
    }
}

fn chunking(filters: &[(String, bool)], events: &[Event], end: End, response: bool) {
    let element = |(index, (holds, doubles)): (usize, &(String, bool))| {
        format!(r#"{{"name": "e{index}", "eater": {{"holds": "{holds}", "doubles": {doubles}}}}}"#)
    };
    let chain: Vec<_> = filters.iter().enumerate().map(element).collect();
    let bench = bench(&chain.join(","));
    let mut sent = bench.send(b"POST /", response);
    if response {
        while sent.verdict == Verdict::Pause {
            sent.wake();
        }
        sent.respond_headers("via_upstream", "200", false);
    }
    let mut body = String::new();
    let piece = |sent: &mut Sent, text: &str, last: bool| {
        if response {
            sent.response_body(text.as_bytes(), last)
        } else {
            sent.body(text.as_bytes(), last)
        };
    };
    let last_piece = events.iter().rposition(|event| matches!(event, Event::Piece(_)));
    for (index, event) in events.iter().enumerate() {
        match event {
            Event::Piece(text) => {
                body.push_str(text);
                piece(&mut sent, text, matches!(end, End::WithPiece) && Some(index) == last_piece);
            }
            Event::Wake => {
                sent.wake();
            }
        }
    }
    match end {
        End::WithPiece if last_piece.is_some() => {}
        End::WithPiece | End::EmptyPiece => piece(&mut sent, "", true),
        End::Trailers => {
            if response {
                sent.response_trailers()
            } else {
                sent.trailers()
            };
        }
    }
    for _ in 0..20 {
        sent.wake();
    }
    assert_eq!(sent.verdict, Verdict::Continue, "{filters:?} {events:?} {end:?}");
    sent.end();
    let text = sent.text();
    let mut expected = body.into_bytes();
    let mut order: Vec<_> = filters.iter().enumerate().collect();
    if response {
        order.reverse();
    }
    for (index, (_, doubles)) in order {
        let line = format!("log Warn e{index} true {}\n", String::from_utf8_lossy(&expected));
        assert!(text.contains(&line), "{line} in {text} {filters:?} {events:?} {end:?}");
        if *doubles {
            expected = double(&expected);
        }
    }
    let arrived = if response { sent.client_body() } else { sent.upstream_body() };
    assert_eq!(String::from_utf8_lossy(arrived), String::from_utf8_lossy(&expected));
}

/// A look at a body is a call to the host, and most filters have nothing to do with most responses.
#[test]
fn a_response_is_shown_to_nobody_who_is_done_and_its_body_not_even_fetched() {
    let chain = |b: &str| {
        bench(&format!(
            r#"{{"name": "a", "toy": {{"done": "yes", "response": "got x"}}}}, {{"name": "b", "toy": {b}}}"#
        ))
    };
    let respond = |bench: &Bench| {
        let mut sent = bench.request("GET /");
        sent.text();
        let before = bench.world.lookups();
        sent.respond_headers("via_upstream", "200", false).response_body(b"body", false);
        sent.response_trailers_of("x-a: 1");
        (bench.world.lookups() - before, sent.text())
    };
    let (lookups, text) = respond(&chain(r#"{"done": "yes"}"#));
    assert_eq!(lookups, 0);
    expect![[r#"
        continue
    "#]]
    .assert_eq(&text);
    let (lookups, text) = respond(&chain(r#"{"response": "got x-b"}"#));
    assert_eq!(lookups, 3, "a header, the body and its trailers");
    expect![[r#"
        log Info b: x-b is absent
        log Info b: "body"
        log Info b: behind it, x-a is 1
        log Info b: "", the last
        continue
    "#]]
    .assert_eq(&text);
}

/// Nor is a body shown to whoever was done with the request's headers, though somebody behind him waits for it.
#[test]
fn who_is_done_with_the_headers_is_told_nothing_more_of_the_stream() {
    let done =
        r#"{"name": "a", "toy": {"done": "yes", "request": "set x-a 1", "end": "now", "gone": "now"}}"#;
    let reads = r#"{"name": "b", "toy": {"request": "get x-a; hold", "response": "got x-b"}}"#;
    let bench = bench(&[done, reads].join(","));
    let mut sent = bench.send(b"POST /", false);
    let before = bench.world.lookups();
    sent.body(b"body", true);
    assert_eq!(bench.world.lookups() - before, 1, "the body is fetched once, for the one that reads it");
    let text = sent.respond("200\nx-b: 2").end().text();
    expect![[r#"
        set Request x-a: 1
        log Info b: x-a is one 1
        log Info b: "body", the last
        log Info b: x-b is one 2
        log Info b: "", the last
        log Info b: end
        continue
    "#]]
    .assert_eq(&text);
}

/// A stream may end long after the last callback, and what it gives back or counts belongs to its end.
#[test]
fn the_end_of_a_stream_has_a_time_of_its_own() {
    let bench = bench(&one(r#""request": "now", "end": "now", "gone": "now""#));
    let mut sent = bench.request("GET /");
    bench.world.pass(Duration::from_secs(7));
    sent.text();
    let text = sent.end().text();
    assert_eq!(text.matches("it is 7s").count(), 2, "{text}");
}

#[test]
fn trailers_come_after_the_head_also_where_that_was_held() {
    let first = one(r#""response": "got x-b", "trailers": "got x-b""#);
    let holds = two(r#""response": "wake 100; hold", "wake": "continue""#);
    let bench = bench(&[first, holds].join(","));
    let mut sent = bench.request("GET /");
    sent.respond_headers("via_upstream", "200", false).response_trailers_of("x-a: 1");
    bench.world.pass(Duration::from_millis(100));
    let text = sent.wake().text();
    let (head, trailers) =
        (text.find("toy: x-b is absent").unwrap(), text.find("toy: behind it, x-a is 1").unwrap());
    assert!(head < trailers, "{text}");
    assert_eq!(text.matches("toy: behind it").count(), 1, "{text}");
}

/// The host promises to show nothing more of it. Should it do so all the same, nothing of it passes.
#[test]
fn what_comes_of_a_request_after_it_was_answered_in_its_body_stays_where_it_is() {
    let bench = bench(&one(r#""body": "over; reply 413""#));
    let mut sent = bench.send(b"POST /", false);
    assert_eq!(sent.body(b"too much", false).refused(), Some(413));
    sent.body(b", and more", true);
    assert_eq!(sent.verdict, Verdict::Pause);
    assert_eq!(sent.upstream_body(), b"");
}
