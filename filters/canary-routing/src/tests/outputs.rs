//! What routes and clients see, and what clients can't write in its place.

use expect_test::expect;
use kit::module::Form;
use kit::testing::{Bench, World};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::{HIGH, LOW, bench, splits, variant};
use crate::KIND;

const CLUSTERS: &str = r#""variants": [{"name": "v1", "cluster": "service-v1"}, {"name": "v2", "cluster": "service-v2", "weight": "50%"}]"#;

fn all_outputs(fields: &str) -> String {
    format!(
        r#"{{"output": {{"header": "x-v", "cluster_header": "x-c", "index_header": "x-i", "response_header": "x-r"}}, {}}}"#,
        splits(&format!("{CLUSTERS}{fields}"))
    )
}

#[test]
fn routes_get_name_cluster_and_index_and_the_client_the_name() {
    let bench = bench(&all_outputs(""));
    let mut sent = bench.request(&format!("GET /\nx-user: {LOW}"));
    expect![[r#"
        count canary-routing.decisions_total.x.v2.split
        set Request x-v: v2
        set Request x-c: service-v2
        set Request x-i: 1
        continue
    "#]]
    .assert_eq(&sent.text());
    sent.respond("200\nx-r: upstream's own");
    assert_eq!(sent.text(), "set Response x-r: v2\ncontinue\n");
    assert_eq!(sent.end().text(), "continue\n", "nothing more of it matters");
    let mut sent = bench.request(&format!("GET /\nx-user: {HIGH}"));
    expect![[r#"
        count canary-routing.decisions_total.x.v1.split
        set Request x-v: v1
        set Request x-c: service-v1
        set Request x-i: 0
        continue
    "#]]
    .assert_eq(&sent.text());
    // A variant without an endpoint is the client's to know.
    sent.respond_from("no_healthy_upstream", "503");
    assert_eq!(sent.response_header("x-r").as_deref(), Some("v1"));
}

#[test]
fn what_a_client_writes_is_removed_from_every_request() {
    let bench = bench(&all_outputs(r#", "match": {"path": {"prefix": "/a"}}, "mirror": {"percent": "0%"}"#));
    let theirs = "x-v: v2\nx-v: v3\nx-c: secret-cluster\nx-i: 7\nx-sluice-mirror: 1\nx-r: mine";
    let mut sent = bench.request(&format!("GET /b\n{theirs}"));
    expect![[r#"
        remove Request x-v
        remove Request x-c
        remove Request x-i
        remove Request x-sluice-mirror
        continue
    "#]]
    .assert_eq(&sent.text());
    assert_eq!(
        sent.request_header("x-r").as_deref(),
        Some("mine"),
        "what is for responses says nothing in a request"
    );
    for path in ["/a", "/a%2fb"] {
        let sent = bench.request(&format!("GET {path}\nx-user: {HIGH}\n{theirs}"));
        let seen = ["x-v", "x-c", "x-i", "x-sluice-mirror"].map(|name| sent.request_header(name));
        let expected =
            [Some("v1"), Some("service-v1"), Some("0"), None].map(|value| value.map(str::to_owned));
        assert_eq!(seen, expected, "{path}");
    }
}

#[test]
fn what_a_client_writes_is_gone_before_anything_looks_at_it() {
    let bench = bench(&format!(
        "{{{}}}",
        splits(
            r#""match": {"headers": [{"name": "x-sluice-variant", "present": true}]}, "key": {"header": "x-sluice-variant"}"#
        )
    ));
    let mut sent = bench.request("GET /\nx-sluice-variant: v2");
    assert_eq!(sent.text(), "remove Request x-sluice-variant\ncontinue\n");
}

#[test]
fn a_header_that_is_not_written_is_not_ours() {
    let bench =
        bench(&format!(r#"{{"output": {{"header": "off", "index_header": "x-i"}}, {}}}"#, splits("")));
    let sent = bench.request(&format!("GET /\nx-user: {LOW}\nx-sluice-variant: mine"));
    assert_eq!(variant(&sent).as_deref(), Some("mine"));
    assert_eq!(sent.request_header("x-i").as_deref(), Some("1"));
}

#[test]
fn routes_may_be_chosen_by_tags_alone() {
    let bench = bench(&format!(r#"{{"tags": "all", "output": {{"header": false}}, {}}}"#, splits("")));
    expect![[r#"
        tag sluice.canary-routing.split=x
        tag sluice.canary-routing.variant=v2
        tag sluice.canary-routing.outcome=split
        count canary-routing.decisions_total.x.v2.split
        clear route
        continue
    "#]]
    .assert_eq(&bench.request(&format!("GET /\nx-user: {LOW}")).text());
}

#[test]
fn a_share_of_requests_is_marked_for_a_mirror() {
    let bench = bench(&format!("{{{}}}", splits(r#""mirror": {"percent": "1%", "header": "x-m"}"#)));
    let draws = kit::draw::Draws::new(3);
    let mut marked = 0;
    for _ in 0..20_000 {
        bench.world.fix_draw(draws.next());
        let sent = bench.request(&format!("GET /\nx-user: {LOW}"));
        marked += u32::from(sent.request_header("x-m").as_deref() == Some("1"));
    }
    assert!((140..=260).contains(&marked), "{marked} of 20,000");
}

#[test]
fn what_a_filter_behind_answers_tells_of_no_variant() {
    let world = std::rc::Rc::new(World::new());
    let config = format!(
        r#"{{"chain": [{{"canary-routing": {}}}, {{"fault": {{}}}}]}}"#,
        all_outputs(r#", "observe": true, "on_missing_key": "random""#)
    );
    // A filter that answers everything.
    struct Answers;
    impl kit::filter::Stream for Answers {
        fn on_request_headers(&mut self, _: &mut kit::exchange::Exchange<'_>) -> kit::filter::Step {
            kit::filter::Step::Reply(Box::new(kit::reply::Reply {
                status: 403,
                details: "sluice_test",
                headers: Vec::new(),
                body: Vec::new(),
                grpc: kit::reply::Grpc {
                    status: kit::reply::GrpcStatus::PermissionDenied,
                    message: "".into(),
                },
            }))
        }
    }
    impl kit::filter::Filter for Answers {
        fn stream(self: std::rc::Rc<Self>) -> Box<dyn kit::filter::Stream> {
            Box::new(Self)
        }
    }
    static KINDS: [kit::filter::Kind; 2] = [
        KIND,
        kit::filter::Kind {
            name: "fault",
            version: "0",
            callbacks: KIND.callbacks,
            configure: |node, _| {
                node.object()?.finish();
                Some(std::rc::Rc::new(Answers))
            },
        },
    ];
    let bench = Bench::within(&world, &KINDS, Form::Chain, &config).unwrap();
    let mut sent = bench.request("GET /");
    assert_eq!(sent.refused(), Some(403));
    sent.respond_from("sluice_test", "403");
    assert_eq!(sent.response_header("x-r"), None);
    sent.end();
    assert_eq!(bench.counter("canary-routing.responses_total.x.v2.ignored"), 1);
}
