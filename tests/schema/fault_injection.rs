//! What fault-injection's schema and parser accept and refuse.

use serde_json::{Value, json};

use super::{Filter, Mistake, replaced, yaml};

/// All that the tests know of fault-injection.
pub(super) const FAULT_INJECTION: Filter = Filter {
    name: "fault-injection",
    kind: &::fault_injection::KIND,
    environment: |name| (name == "FAULT_TOKEN").then(|| "an example of a token".to_owned()),
    everything: EVERYTHING,
    wrong,
    right: || {
        RIGHT.iter().map(|fields| with(fields)).chain(RIGHT_WHOLES.iter().map(|whole| yaml(whole))).collect()
    },
    wrong_for_the_parser: || {
        let wrong =
            WRONG_FOR_THE_PARSER.iter().map(|mistake| Mistake::of(mistake, with).inside("experiments[0]"));
        wrong.chain(WRONG_WHOLES_FOR_THE_PARSER.iter().map(|mistake| Mistake::of(mistake, yaml))).collect()
    },
    differs_in_istio: &[],
};

fn wrong() -> Vec<Mistake> {
    let experiments = WRONG.iter().map(|mistake| Mistake::of(mistake, with).inside("experiments[0]"));
    experiments.chain(WRONG_WHOLES.iter().map(|mistake| Mistake::of(mistake, yaml))).collect()
}

/// A configuration of one experiment that is right, with other fields.
fn with(fields: &str) -> Value {
    let experiment = json!({"name": "a", "percent": "5%", "request": {"reset": true}});
    json!({"experiments": [replaced(experiment, fields)]})
}

/// A configuration with every object that there can be, and of each one that knows all its fields.
const EVERYTHING: &str = "
mode: enforce
tags: all
kill_switch: false
control:
  token: {env: FAULT_TOKEN, encoding: utf8}
  header: x-a
  token_header: x-b
  accept_envoy_headers: true
stamp: x-chaos
experiments:
  - name: all
    mode: shadow
    match:
      path: {template: '/users/{id}'}
      methods: [GET]
      hosts: ['*.example.com']
      headers: [{name: x-tier, exact: gold, not: true}]
      query: [{name: debug, present: true}]
    percent: 5%
    sample:
      key: [client_ip, {client_ip: {trusted_hops: 1, ipv4_prefix: 24, ipv6_prefix: 56}}]
      seed: 2026-q4
    schedule:
      start: 2026-12-01T00:00:00Z
      end: 2026-12-02T00:00:00Z
      days: [mon]
      hours: '22:00-02:00'
    max_active: 100
    max_total: 10000
    stop_when: {error_rate: 10%, window: 30s, min_requests: 50, errors: [5xx, 429]}
    request:
      delay: {uniform: {min: 1ms, max: 2ms}}
      abort:
        status: 503
        grpc_status: UNAVAILABLE
        message: later
        headers: [{name: retry-after, value: '7'}]
        body: '{experiment} {path} {request_id}'
        content_type: text/plain
      reset: false
  - name: response
    match: {methods: [PUT]}
    percent: 100%
    sample: random
    request: {delay: {normal: {mean: 10ms, deviation: 1ms, max: 20ms}}}
    response:
      delay: {exponential: {mean: 10ms, max: 20ms}}
      status: 500
      headers: {set: [{name: x-broken, value: 'yes'}], remove: [etag]}
      body: {corrupt: {bytes: 3, seed: x}}
      throttle: 64KiB
      empty_trailers: true
      honest_length: false
  - name: percentiles
    percent: 1%
    request: {delay: {percentiles: {p50: 10ms, p99.9: 1s}}}
";

/// What is wrong, where the parser says it is, and fields of an experiment that is right but for them.
const WRONG: [(&str, &str, &str); 60] = [
    ("a name has no capitals", ".name", "name: Slow"),
    ("a name is not that of testers", ".name", "name: control"),
    ("a field is misspelt", ".percents", "percents: 5%"),
    ("a share has a percent sign", ".percent", "percent: 0.05"),
    ("a share is not more than all", ".percent", "percent: 101%"),
    ("a share is there", ".percent", "percent: null"),
    ("there is a fault", "", "request: null"),
    ("a mode is enforce or shadow", ".mode", "mode: dry-run"),
    ("a match is one of conditions", ".match.path", "match: {path: {exact: /a, prefix: /b}}"),
    ("a sample is random or of keys", ".sample", "sample: sticky"),
    ("keys have a seed", ".sample.seed", "sample: {key: client_ip}"),
    ("a seed is not empty", ".sample.seed", "sample: {key: client_ip, seed: ''}"),
    ("a key is of a known source", ".sample.key", "sample: {key: ip, seed: a}"),
    ("a start is an instant", ".schedule.start", "schedule: {start: tomorrow}"),
    ("an instant has its offset", ".schedule.end", "schedule: {end: '2026-12-01T00:00:00'}"),
    ("days have three letters", ".schedule.days[0]", "schedule: {days: [monday]}"),
    ("days are a list", ".schedule.days", "schedule: {days: mon}"),
    ("there are days", ".schedule.days", "schedule: {days: []}"),
    ("hours have minutes", ".schedule.hours", "schedule: {hours: 9-17}"),
    ("hours end at midnight", ".schedule.hours", "schedule: {hours: '09:00-24:30'}"),
    ("hours don't begin when a day is over", ".schedule.hours", "schedule: {hours: '24:00-02:00'}"),
    ("a most is whole", ".max_active", "max_active: 0.5"),
    ("a most is no text", ".max_total", "max_total: '5'"),
    ("a stop has a rate", ".stop_when.error_rate", "stop_when: {window: 30s}"),
    ("a window is not zero", ".stop_when.window", "stop_when: {error_rate: 10%, window: 0s}"),
    (
        "a rate of nothing means nothing",
        ".stop_when.min_requests",
        "stop_when: {error_rate: 10%, min_requests: 0}",
    ),
    ("errors are statuses", ".stop_when.errors[0]", "stop_when: {error_rate: 10%, errors: [6xx]}"),
    ("OK is no error", ".stop_when.errors[1]", "stop_when: {error_rate: 10%, errors: [5xx, OK]}"),
    ("a status of gRPC is no number", ".stop_when.errors[0]", "stop_when: {error_rate: 10%, errors: [14]}"),
    ("a request has a fault", ".request", "request: {}"),
    ("a request is answered or broken off", ".request.reset", "request: {abort: {status: 503}, reset: true}"),
    ("a delay is a distribution", ".request.delay", "request: {delay: 200ms}"),
    (
        "a delay is one distribution",
        ".request.delay",
        "request: {delay: {fixed: 1s, uniform: {min: 1s, max: 2s}}}",
    ),
    ("a delay is of a known distribution", ".request.delay.pareto", "request: {delay: {pareto: 1s}}"),
    ("a delay has a unit", ".request.delay.fixed", "request: {delay: {fixed: 200}}"),
    ("a uniform delay has two ends", ".request.delay.uniform.max", "request: {delay: {uniform: {min: 1s}}}"),
    (
        "a normal delay has a deviation",
        ".request.delay.normal.deviation",
        "request: {delay: {normal: {mean: 1s}}}",
    ),
    (
        "an exponential delay has a mean",
        ".request.delay.exponential.mean",
        "request: {delay: {exponential: {}}}",
    ),
    ("there are percentiles", ".request.delay.percentiles", "request: {delay: {percentiles: {}}}"),
    (
        "percentiles are called p50",
        ".request.delay.percentiles.median",
        "request: {delay: {percentiles: {median: 1s}}}",
    ),
    (
        "percentiles go to a hundred",
        ".request.delay.percentiles.p101",
        "request: {delay: {percentiles: {p101: 1s}}}",
    ),
    ("an abort has a status", ".request.abort", "request: {abort: {body: no}}"),
    ("an abort is an answer", ".request.abort.status", "request: {abort: {status: 100}}"),
    ("a status of gRPC is an error", ".request.abort.grpc_status", "request: {abort: {grpc_status: OK}}"),
    ("a status of gRPC is a word", ".request.abort.grpc_status", "request: {abort: {grpc_status: 14}}"),
    (
        "a header says nothing of the framing",
        ".request.abort.headers[0].name",
        "request: {abort: {status: 503, headers: [{name: Content-Length, value: '5'}]}}",
    ),
    (
        "a header is one line",
        ".request.abort.headers[0].value",
        r#"request: {abort: {status: 503, headers: [{name: x-a, value: "a\r\nb"}]}}"#,
    ),
    (
        "a header has a value",
        ".request.abort.headers[0].value",
        "request: {abort: {status: 503, headers: [{name: x-a}]}}",
    ),
    (
        "a type is one line",
        ".request.abort.content_type",
        r#"request: {abort: {status: 503, content_type: "a\nb"}}"#,
    ),
    (
        "an abort has one type",
        ".request.abort.headers",
        "request: {abort: {status: 503, content_type: a/b, headers: [{name: Content-Type, value: c/d}]}}",
    ),
    (
        "the headers of an abort have one type",
        ".request.abort.headers",
        "request: {abort: {status: 503, headers: [{name: content-type, value: a/b}, {name: x-a, value: b}, {name: CONTENT-TYPE, value: a/b}]}}",
    ),
    (
        "the status of gRPC is no header",
        ".request.abort.headers",
        "request: {abort: {status: 503, headers: [{name: x-a, value: b}, {name: Grpc-Status, value: '5'}]}}",
    ),
    ("a response has a fault", ".response", "{request: null, response: {honest_length: false}}"),
    ("a response may have a body", ".response.status", "{request: null, response: {status: 204}}"),
    ("edits set or remove", ".response.headers", "{request: null, response: {headers: {}}}"),
    (
        "the end of a message is the proxy's",
        ".response.headers.remove[0]",
        "{request: null, response: {headers: {remove: [transfer-encoding]}}}",
    ),
    (
        "a body has one fault",
        ".response.body",
        "{request: null, response: {body: {truncate: 5, replace: a}}}",
    ),
    (
        "damage is not endless",
        ".response.body.corrupt.bytes",
        "{request: null, response: {body: {corrupt: {bytes: 1001}}}}",
    ),
    ("a rate is not nothing", ".response.throttle", "{request: null, response: {throttle: 0}}"),
    ("a rate is a size", ".response.throttle", "{request: null, response: {throttle: fast}}"),
];

/// The same for what stands beside the experiments.
const WRONG_WHOLES: [(&str, &str, &str); 12] = [
    ("there is something to do", "", "{}"),
    ("experiments are not empty", "experiments", "experiments: []"),
    (
        "an experiment has a name",
        "experiments[0].name",
        "experiments: [{percent: 5%, request: {reset: true}}]",
    ),
    (
        "a kill switch is true or false",
        "kill_switch",
        "{kill_switch: 'true', control: {token: {env: FAULT_TOKEN}}}",
    ),
    ("a stamp is the name of a header", "stamp", "{stamp: 'a b', control: {token: {env: FAULT_TOKEN}}}"),
    (
        "a stamp says nothing of the framing",
        "stamp",
        "{stamp: Content-Length, control: {token: {env: FAULT_TOKEN}}}",
    ),
    (
        "a control says nothing of the framing",
        "control.header",
        "{control: {token: {env: FAULT_TOKEN}, header: transfer-encoding}}",
    ),
    ("a stamp is not all stamps", "stamp", "{stamp: true, control: {token: {env: FAULT_TOKEN}}}"),
    ("tags are refusals or all", "tags", "{tags: none, control: {token: {env: FAULT_TOKEN}}}"),
    ("control has a token", "control.token", "control: {header: x-a}"),
    ("a token is a secret", "control.token", "control: {token: secret}"),
    (
        "the header of control is one",
        "control.header",
        "control: {token: {env: FAULT_TOKEN}, header: ':path'}",
    ),
];

/// Fields of an experiment that both accept.
const RIGHT: [&str; 16] = [
    "percent: 0%",
    "percent: 0.0000001%",
    "sample: {key: [{header: x-user}, path], seed: a}",
    "schedule: {}",
    "schedule: {hours: '00:00-24:00', days: [sat, sun]}",
    "{max_active: 0, max_total: 1000000000}",
    "stop_when: {error_rate: 100%, errors: [4xx, 5xx, 100, 599]}",
    "stop_when: {error_rate: 100%, errors: [429, UNAVAILABLE, CANCELLED]}",
    "request: {reset: false}",
    "request: {delay: {fixed: 0s}, abort: {grpc_status: UNAVAILABLE, message: ''}}",
    "request: {abort: {status: 200, body: '{\"a\": {\"b\": 1}}', content_type: application/json}}",
    "request: {delay: {percentiles: {p0: 1ms, p50: 10ms, p100.0: 5m}}}",
    "request: {abort: {status: 503, body: '', headers: [{name: Content-Type, value: a/b}, {name: grpc-status-details-bin, value: AA}]}}",
    "{request: null, response: {body: {truncate: 0}}}",
    "{request: null, response: {body: {replace: ''}, status: 599}}",
    "{request: {reset: false}, response: {throttle: 1}}",
];

/// Whole configurations that both accept.
const RIGHT_WHOLES: [&str; 3] = [
    "control: {token: {env: FAULT_TOKEN}}",
    "{stamp: off, control: {token: {inline: abc}}}",
    "{stamp: false, kill_switch: true, mode: shadow, tags: refusals, control: {token: {inline: abc}}}",
];

/// What takes more than a schema to find out: it accepts these, and the parser does not.
const WRONG_FOR_THE_PARSER: [(&str, &str, &str); 12] = [
    (
        "an end is after its start",
        ".schedule",
        "schedule: {start: 2026-12-02T00:00:00Z, end: 2026-12-01T00:00:00Z}",
    ),
    ("hours are more than none", ".schedule.hours", "schedule: {hours: '09:00-09:00'}"),
    ("a delay is not too long", ".request.delay.fixed", "request: {delay: {fixed: 301s}}"),
    (
        "a maximum is not below a minimum",
        ".request.delay.uniform",
        "request: {delay: {uniform: {min: 2s, max: 1s}}}",
    ),
    (
        "a maximum is not below a mean",
        ".request.delay.normal",
        "request: {delay: {normal: {mean: 2s, deviation: 1s, max: 1s}}}",
    ),
    (
        "nor is that of an exponential delay",
        ".request.delay.exponential",
        "request: {delay: {exponential: {mean: 2s, max: 1s}}}",
    ),
    (
        "percentiles go up",
        ".request.delay.percentiles",
        "request: {delay: {percentiles: {p50: 2s, p90: 1s}}}",
    ),
    (
        "a percentile is there once",
        ".request.delay.percentiles",
        "request: {delay: {percentiles: {p50: 2s, p50.0: 2s}}}",
    ),
    ("a window is not too long", ".stop_when.window", "stop_when: {error_rate: 10%, window: 2h}"),
    ("a response comes from an upstream", ".response", "response: {status: 500}"),
    (
        "an aborted request has no response",
        ".response",
        "{request: {abort: {status: 503}}, response: {throttle: 1KiB}}",
    ),
    (
        "a cut is not too late",
        ".response.body.truncate",
        "{request: null, response: {body: {truncate: 2000GiB}}}",
    ),
];

/// The same for whole configurations.
const WRONG_WHOLES_FOR_THE_PARSER: [(&str, &str, &str); 4] = [
    (
        "experiments have different names",
        "experiments[1]",
        "experiments: [{name: a, match: {methods: [PUT]}, percent: 5%, request: {reset: true}}, {name: a, percent: 5%, request: {reset: true}}]",
    ),
    (
        "an experiment can be reached",
        "experiments[1]",
        "experiments: [{name: a, percent: 5%, request: {reset: true}}, {name: b, percent: 5%, request: {reset: true}}]",
    ),
    ("a token is there", "control.token.env", "control: {token: {env: NOWHERE}}"),
    (
        "headers of control are two",
        "control",
        "control: {token: {env: FAULT_TOKEN}, header: x-a, token_header: X-A}",
    ),
];
