//! The `guard` of a split, from words to values that cannot be wrong.

use std::time::Duration;

use kit::config::{Node, Object, or};
use kit::rule::Mode;
use kit::time::nanos;
use kit::units::Fraction;

use super::window::SLICES;
use super::{DAY, Guard, Recovery, digest};

const HOUR: Duration = Duration::from_secs(3_600);

/// What only a guard has that lets traffic come back by itself.
const AUTOMATIC: [&str; 3] = ["cooldown", "probe", "recover_over"];

impl Guard {
    /// Reads a guard.
    pub(crate) fn parse(node: &Node<'_>) -> Option<Self> {
        let mut object = node.object()?;
        let mode = or(object.optional("mode"), None, |mode| Mode::parse(mode).map(Some));
        let window = or(object.optional("window"), Duration::from_secs(60), |window| {
            window.duration(Duration::from_secs(10)..=HOUR)
        });
        let min_requests =
            or(object.optional("min_requests"), 50, |min| u32::try_from(min.integer(1..=1_000_000)?).ok());
        let worse_by = or(object.optional("worse_by"), Fraction::percent(1), |by| share(by, "0%", "90%"));
        let false_alarms =
            or(object.optional("false_alarms"), Fraction::percent(1), |rate| share(rate, "0.0001%", "50%"));
        let max_error_rate = or(object.optional("max_error_rate"), None, |rate| rate.fraction().map(Some));
        let recovery = recovery(&mut object);
        let reset = or(object.optional("reset"), "", |reset| reset.text()).map(digest);
        object.finish();
        let window = nanos(window?);
        let slice = window.checked_div(SLICES.into())?;
        Some(Self {
            mode: mode?,
            window,
            slice,
            min_requests: min_requests?,
            worse_by: worse_by?,
            threshold: threshold(slice, false_alarms?)?,
            max_error_rate: max_error_rate?,
            recovery: recovery?,
            reset: reset?,
        })
    }
}

/// Reads a share that must lie between two others.
fn share(node: &Node<'_>, least: &str, most: &str) -> Option<Fraction> {
    let share = node.fraction()?;
    let (from, to) = (Fraction::parse(least).ok()?, Fraction::parse(most).ok()?);
    if share < from || to < share {
        node.refuse(format!("must be between {least} and {most}, got {share}"));
        return None;
    }
    Some(share)
}

fn recovery(object: &mut Object<'_>) -> Option<Recovery> {
    let is_manual = or(object.optional("recovery"), false, |recovery| {
        recovery.choice(&[("automatic", false), ("manual", true)])
    });
    if is_manual == Some(true) {
        let given = AUTOMATIC.map(|name| object.optional(name));
        let mut is_good = true;
        for node in given.iter().flatten() {
            node.refuse("has no effect beside `recovery: manual`: remove one of them");
            is_good = false;
        }
        return is_good.then_some(Recovery::Manual);
    }
    let time = |node: Option<Node<'_>>, default: u64| {
        or(node, Duration::from_secs(default), |node| node.duration(Duration::from_secs(1)..=DAY))
    };
    let cooldown = time(object.optional("cooldown"), 300);
    let probe = or(object.optional("probe"), 100, |probe| {
        let parts = share(probe, "0.01%", "100%")?.parts_per_billion();
        u32::try_from(parts / 100_000).ok()
    });
    let recover_over = time(object.optional("recover_over"), 600);
    is_manual?;
    Some(Recovery::Automatic { cooldown: cooldown?, probe: probe?, recover_over: recover_over? })
}

/// Returns the logarithm of the evidence at which a variant trips, so that one that is no worse does so on at most this
/// share of days.
///
/// Evidence that begins at one instant gets that far with a probability of at most one in that number. In every slice
/// of a day one begins, and those of the window before the day still run.
#[expect(clippy::float_arithmetic, reason = "evidence is a logarithm")]
fn threshold(slice: u64, false_alarms: Fraction) -> Option<f64> {
    let begun = nanos(DAY).div_ceil(slice.max(1)).saturating_add(SLICES.into());
    let alarms = f64::from(u32::try_from(false_alarms.parts_per_billion()).ok()?) / 1e9;
    Some((f64::from(u32::try_from(begun).ok()?) / alarms).ln())
}
