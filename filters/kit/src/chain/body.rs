//! The body of a message as each filter finds it, and what becomes of it when a filter replaces its part.

use super::ChainStream;
use crate::host::{Direction, Host};

impl ChainStream {
    /// Returns bytes of the body as the filters before have left it.
    pub(super) fn bytes(
        &self,
        direction: Direction,
        host: &dyn Host,
        start: usize,
        length: usize,
    ) -> Vec<u8> {
        match &self.replaced {
            _ if length == 0 => Vec::new(),
            Some((of, body)) if *of == direction => body.iter().skip(start).take(length).copied().collect(),
            Some(_) | None => host.body(direction, start, length),
        }
    }

    /// Returns how many bytes of the body have come as far as to this filter.
    pub(super) fn let_go_before(&mut self, index: usize, direction: Direction) -> usize {
        let nearest = match direction {
            Direction::Request => index.checked_sub(1),
            Direction::Response => index.checked_add(1).filter(|next| *next < self.links.len()),
        };
        let flow = *self.flow(direction);
        let arrived = flow.passed.saturating_add(flow.buffered);
        nearest.map_or(arrived, |nearest| self.progress(nearest, direction).passed)
    }

    pub(super) fn wants_body(&self, index: usize, direction: Direction) -> bool {
        let callbacks = self.chain.links.get(index).map(|link| link.callbacks).unwrap_or_default();
        let wants = match direction {
            Direction::Request => callbacks.request_body,
            Direction::Response => callbacks.response_body,
        };
        wants && self.links.get(index).is_some_and(|link| link.stream.is_some())
    }

    /// Puts bytes in the place of those that a filter holds, between what it has let go and what it hasn't got yet.
    /// Returns the body that the host is to keep.
    pub(super) fn replace(
        &mut self,
        index: usize,
        direction: Direction,
        bytes: &[u8],
        host: &dyn Host,
    ) -> Option<Vec<u8>> {
        let flow = *self.flow(direction);
        if !flow.body {
            return None;
        }
        let before = match direction {
            Direction::Request => 0..index,
            Direction::Response => index.saturating_add(1)..self.links.len(),
        };
        let arrived = flow.passed.saturating_add(flow.buffered);
        let start = self.progress(index, direction).passed;
        let end = self.let_go_before(index, direction);
        let mut whole = self.bytes(direction, host, 0, start.saturating_sub(flow.passed));
        whole.extend_from_slice(bytes);
        let moved = start.saturating_add(bytes.len());
        whole.extend(self.bytes(
            direction,
            host,
            end.saturating_sub(flow.passed),
            arrived.saturating_sub(end),
        ));
        self.flow(direction).buffered = whole.len();
        for other in before {
            if let Some(link) = self.links.get_mut(other) {
                let progress = link.progress(direction);
                progress.passed = progress.passed.saturating_sub(end).saturating_add(moved);
                progress.delivered = progress.delivered.saturating_sub(end).saturating_add(moved);
            }
        }
        if let Some(link) = self.links.get_mut(index) {
            link.progress(direction).delivered = moved;
        }
        self.replaced = Some((direction, whole.clone()));
        Some(whole)
    }
}
