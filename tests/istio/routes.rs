//! Routes that follow what a plugin writes, as their control plane would tell them: a VirtualService with the subsets of
//! its DestinationRule, or an HTTPRoute. What doesn't fit together leads nowhere.

use std::cmp::Reverse;

use kcr_gateway_networking_k8s_io::v1::httproutes::{HttpRoute, HttpRouteRules};
use kcr_networking_istio_io::v1::destinationrules::DestinationRule;
use kcr_networking_istio_io::v1::virtualservices::VirtualService;
use serde_json::{Value, json};
use tests::{Envoy, Upstream};

use super::{resource, typed};

/// What a gateway is told of routes.
#[derive(Default)]
struct Routes {
    /// What a request has to be like, and the cluster that it goes to, in this order.
    routes: Vec<(Value, String)>,
    /// The clusters, and the version that each one is.
    clusters: Vec<(String, String)>,
}

/// Has a gateway route by what stands beside the plugin of a file, with each version in its place.
pub(super) fn routed(envoy: Envoy, file: &str, versions: &[(&str, &Upstream)]) -> Envoy {
    let told = if file.starts_with("istio/") { istio(file) } else { envoy_gateway(file) };
    let envoy = envoy.edit(|tree| {
        let clusters = tree["static_resources"]["clusters"].as_array_mut().expect("clusters");
        let like =
            clusters.iter().find(|cluster| cluster["name"] == "upstream").expect("an upstream").clone();
        for (name, _) in &told.clusters {
            let mut cluster = like.clone();
            cluster["name"] = json!(name);
            cluster["load_assignment"]["cluster_name"] = json!(name);
            clusters.push(cluster);
        }
        let manager = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";
        let host = format!("{manager}/route_config/virtual_hosts/0/routes");
        let routes = tree.pointer_mut(&host).expect("routes");
        // Timeouts, retries and the plugins that are switched on: each route has what the only one had.
        let like = routes[0].clone();
        let made = told.routes.iter().map(|(wanted, cluster)| {
            let mut route = like.clone();
            route["match"] = wanted.clone();
            route["route"]["cluster"] = json!(cluster);
            route
        });
        *routes = made.collect();
    });
    told.clusters.iter().fold(envoy, |envoy, (name, version)| {
        let found = versions.iter().find(|(known, _)| known == version);
        let (_, upstream) = found.unwrap_or_else(|| panic!("{file}: nobody is {version}"));
        envoy.cluster(name, upstream)
    })
}

fn read<T: serde::de::DeserializeOwned + serde::Serialize>(file: &str, kind: &str) -> T {
    typed::read(&resource(file, kind)).unwrap_or_else(|problem| panic!("{file}: {problem}"))
}

fn header(name: &str, value: &str) -> Value {
    json!({"name": name, "string_match": {"exact": value}})
}

/// What Istio makes of a VirtualService and a DestinationRule: a route for each match, in the order in which they stand,
/// and a cluster for each subset.
fn istio(file: &str) -> Routes {
    let (service, rule): (VirtualService, DestinationRule) =
        (read(file, "VirtualService"), read(file, "DestinationRule"));
    let cluster = |subset: &str, host: &str| format!("outbound|80|{subset}|{host}");
    let mut told = Routes::default();
    for subset in rule.spec.subsets.expect("subsets") {
        let version = subset.labels.expect("labels")["version"].clone();
        told.clusters.push((cluster(&subset.name, &rule.spec.host), version));
    }
    for http in service.spec.http.expect("routes") {
        let to = http.route.expect("a route");
        let [to] = to.as_slice() else { panic!("{file}: several destinations for one route") };
        let to = cluster(to.destination.subset.as_deref().expect("a subset"), &to.destination.host);
        let Some(matches) = http.r#match else {
            told.routes.push((json!({"prefix": "/"}), to));
            continue;
        };
        for wanted in matches {
            let headers = wanted.headers.expect("headers");
            let headers =
                headers.iter().map(|(name, value)| header(name, value.exact.as_deref().expect("exact")));
            told.routes.push((json!({"prefix": "/", "headers": headers.collect::<Vec<_>>()}), to.clone()));
        }
    }
    told
}

/// What Envoy Gateway makes of an HTTPRoute: routes with more headers first, as the Gateway API has it, and a cluster for
/// each rule.
fn envoy_gateway(file: &str) -> Routes {
    let route: HttpRoute = read(file, "HTTPRoute");
    let name = |name: &Option<String>| name.clone().expect("a name");
    let id = format!("httproute/{}/{}", name(&route.metadata.namespace), name(&route.metadata.name));
    let mut told = Routes::default();
    for (number, HttpRouteRules { matches, backend_refs, .. }) in
        route.spec.rules.expect("rules").into_iter().enumerate()
    {
        let backends = backend_refs.expect("backends");
        let [backend] = backends.as_slice() else { panic!("{file}: several backends for one rule") };
        let version = backend.name.strip_prefix("shop-").expect("a Service for each version");
        let cluster = format!("{id}/rule/{number}");
        told.clusters.push((cluster.clone(), version.to_owned()));
        let matches = matches.unwrap_or_else(|| vec![Default::default()]);
        for wanted in matches {
            assert!(
                wanted.path.is_none() && wanted.query_params.is_none() && wanted.method.is_none(),
                "{file}"
            );
            let headers = wanted.headers.unwrap_or_default();
            // Without a type it is exact.
            assert!(headers.iter().all(|wanted| wanted.r#type.is_none()), "{file}");
            let headers: Vec<_> = headers.iter().map(|wanted| header(&wanted.name, &wanted.value)).collect();
            told.routes.push((json!({"prefix": "/", "headers": headers}), cluster.clone()));
        }
    }
    told.routes.sort_by_key(|(wanted, _)| Reverse(wanted["headers"].as_array().map_or(0, Vec::len)));
    told
}
