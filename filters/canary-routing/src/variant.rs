//! The versions that users are split over: what they are called, where they run, and which buckets are theirs.

use kit::config::words::{nearest, quoted};
use kit::config::{Node, each, or};

use crate::bucket::ALL;
use crate::ramp::{Ramp, Weight, parts, percent};
use crate::range::{Anchor, Range};

/// One of the versions.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Variant {
    pub(crate) name: String,
    pub(crate) cluster: Option<String>,
    /// Its place, from 0, as routes read it.
    pub(crate) index: String,
    /// Its buckets; the baseline has none of its own, but all that the others leave.
    pub(crate) range: Option<Range>,
}

/// What a variant says, before it is seen beside the others.
struct Written<'a> {
    node: Node<'a>,
    name: String,
    cluster: Option<String>,
    weight: Option<(Node<'a>, u16)>,
    from: Option<(Node<'a>, u16)>,
    ramp: Option<(Node<'a>, Ramp)>,
}

/// Reads the variants of a split: the first is the baseline. Their clusters are written to a header, or they are not;
/// none if that isn't known.
pub(crate) fn parse(node: &Node<'_>, has_clusters: Option<bool>) -> Option<Vec<Variant>> {
    let nodes = node.list()?;
    if !(2..=16).contains(&nodes.len()) {
        let got = nodes.len();
        node.refuse(format!("must be 2 to 16 variants, the first of which is the baseline; got {got}"));
    }
    let written = each(&nodes, |node| Written::parse(node, has_clusters))?;
    for (index, variant) in written.iter().enumerate() {
        if written.iter().take(index).any(|other| other.name == variant.name) {
            variant.node.refuse(format!("another variant is called {:?}; names must differ", variant.name));
            return None;
        }
    }
    let (baseline, canaries) = written.split_first()?;
    let ranges = ranges(canaries)?;
    check_baseline(baseline, canaries)?;
    check_ranges(canaries, &ranges)?;
    let ranges = std::iter::once(None).chain(ranges.into_iter().map(Some));
    let variants = written.into_iter().zip(ranges).enumerate().map(|(index, (written, range))| Variant {
        name: written.name,
        cluster: written.cluster,
        index: index.to_string(),
        range,
    });
    Some(variants.collect())
}

impl<'a> Written<'a> {
    fn parse(node: &Node<'a>, has_clusters: Option<bool>) -> Option<Self> {
        let mut object = node.object()?;
        let name = object.required("name").and_then(|name| variant_name(&name));
        let is_there = object.has("cluster");
        let cluster_node = object.optional("cluster");
        let cluster = or(cluster_node.clone(), None, |cluster| visible(cluster).map(Some));
        let weight = or(object.optional("weight"), None, |node| Some(Some((node.clone(), parts(node)?))));
        let from = or(object.optional("from"), None, |node| {
            let bucket = u16::try_from(node.integer(0..=u64::from(ALL.saturating_sub(1)))?).ok()?;
            Some(Some((node.clone(), bucket)))
        });
        let ramp = or(object.optional("ramp"), None, |node| Some(Some((node.clone(), Ramp::parse(node)?))));
        object.finish();
        match (cluster_node, has_clusters) {
            (Some(node), Some(false)) => {
                node.refuse("is written nowhere: say in which header, with `cluster_header` in `output`");
            }
            (None, Some(true)) if !is_there => {
                node.refuse("needs a `cluster`, which `cluster_header` in `output` is to say");
            }
            (Some(_) | None, _) => {}
        }
        let (weight, ramp) = (weight?, ramp?);
        if let (Some((node, _)), Some(_)) = (&weight, &ramp) {
            node.refuse("is beside a `ramp`, which says what the weight is and when; give one of them");
            return None;
        }
        Some(Self { node: node.clone(), name: name?, cluster: cluster?, weight, from: from?, ramp })
    }

    fn share(&self) -> Weight {
        match (&self.ramp, &self.weight) {
            (Some((_, ramp)), _) => Weight::Ramp(ramp.clone()),
            (None, Some((_, parts))) => Weight::Fixed(*parts),
            (None, None) => Weight::Fixed(0),
        }
    }
}

/// Reads the name of a variant, which testers can ask for.
fn variant_name(node: &Node<'_>) -> Option<String> {
    let name = node.name()?;
    if FORCES.contains(&name) {
        node.refuse(format!("{name:?} is what testers write for a variant; choose another name"));
        return None;
    }
    Some(name.to_owned())
}

/// What testers write in place of a name: the first variant behind the baseline, and the baseline.
pub(crate) const FORCES: [&str; 2] = ["always", "never"];

/// Reads the name of a cluster, which becomes the value of a header.
fn visible(node: &Node<'_>) -> Option<String> {
    let text = node.non_empty_text()?;
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        node.refuse("must be plain ASCII without spaces, as it becomes the value of a header");
        return None;
    }
    Some(text.to_owned())
}

/// Finds the buckets of the variants behind the baseline.
fn ranges(canaries: &[Written<'_>]) -> Option<Vec<Range>> {
    let are_given = canaries.iter().any(|canary| canary.from.is_some());
    let mut ranges = Vec::new();
    for (index, canary) in canaries.iter().enumerate() {
        let anchor = match (&canary.from, index) {
            (Some((_, from)), _) => Anchor::Up(*from),
            (None, _) if are_given => {
                canary.node.refuse("needs `from`, its first bucket, as another variant has one");
                continue;
            }
            (None, _) if 2 < canaries.len() => {
                canary.node.refuse(
                    "needs `from`, its first bucket: more than two variants beside the baseline can't all grow without it",
                );
                continue;
            }
            (None, 0) => Anchor::Up(0),
            // Away from the first one, so that neither ever has a user of the other.
            (None, _) => Anchor::Down,
        };
        ranges.push(Range { anchor, weight: canary.share() });
    }
    (ranges.len() == canaries.len()).then_some(ranges)
}

/// Holds the weight of the baseline against what the others leave.
fn check_baseline(baseline: &Written<'_>, canaries: &[Written<'_>]) -> Option<()> {
    if let Some((node, _)) = &baseline.from {
        node.refuse("is not for the baseline: it has all buckets that the others leave");
        return None;
    }
    if let Some((node, _)) = &baseline.ramp {
        node.refuse("is not for the baseline: it has what the others leave; give them a ramp");
        return None;
    }
    let Some((node, weight)) = &baseline.weight else {
        return Some(());
    };
    if canaries.iter().any(|canary| canary.ramp.is_some()) {
        node.refuse("changes with the ramp of another variant: leave it out, it is what the others leave");
        return None;
    }
    let others =
        canaries.iter().filter_map(|canary| canary.weight.as_ref()).map(|(_, parts)| u32::from(*parts));
    // More than all there is: that is told of the others.
    let rest = u32::from(ALL).checked_sub(others.sum()).and_then(|rest| u16::try_from(rest).ok());
    let Some(rest) = rest else {
        return Some(());
    };
    if *weight != rest {
        node.refuse(format!(
            "must be what the others leave: write {rest} ({}), or leave it out",
            percent(rest)
        ));
        return None;
    }
    Some(())
}

/// Refuses buckets that don't exist, and those that two variants have at any instant.
fn check_ranges(canaries: &[Written<'_>], ranges: &[Range]) -> Option<()> {
    let mut is_right = true;
    for (index, (canary, range)) in canaries.iter().zip(ranges).enumerate() {
        let at = match (&canary.ramp, &canary.weight) {
            (Some((node, _)), _) | (None, Some((node, _))) => node,
            (None, None) => &canary.node,
        };
        if !range.fits() {
            at.refuse("is more than what there is from its first bucket (`from`) to the last one, 9999");
            is_right = false;
        }
        for (other, others) in canaries.iter().zip(ranges).take(index) {
            if let Some(how) = range.meets(others) {
                at.refuse(format!("takes buckets of {:?}: it has {how}", other.name));
                is_right = false;
            }
        }
    }
    is_right.then_some(())
}

/// Reads the name of one of the variants, and returns its place.
pub(crate) fn one_of(node: &Node<'_>, variants: &[Variant]) -> Option<usize> {
    let text = node.text()?;
    let place = variants.iter().position(|variant| variant.name == text);
    if place.is_none() {
        let names: Vec<&str> = variants.iter().map(|variant| variant.name.as_str()).collect();
        let hint = match nearest(text, &names) {
            Some(name) => format!("; did you mean {name:?}?"),
            None => String::new(),
        };
        node.refuse(format!("{} is none of the variants {}{hint}", quoted(text), names.join(", ")));
    }
    place
}

#[cfg(test)]
mod tests;
