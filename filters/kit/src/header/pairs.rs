//! Headers as a host hands them over: their number, the two lengths of each, then the texts, each behind the other.

/// The headers in what a host hands over.
pub(super) struct Pairs<'a> {
    sizes: std::slice::Iter<'a, [u8; 8]>,
    texts: &'a [u8],
}

impl<'a> Pairs<'a> {
    /// Finds them; none if not even their number and lengths are there.
    pub(super) fn of(raw: &'a [u8]) -> Option<Self> {
        let (count, rest) = raw.split_first_chunk::<4>()?;
        let count = usize::try_from(u32::from_le_bytes(*count)).ok()?;
        let (sizes, texts) = rest.split_at_checked(count.checked_mul(8)?)?;
        Some(Self { sizes: sizes.as_chunks::<8>().0.iter(), texts })
    }

    /// Tells whether every text is there, with the NUL behind it.
    pub(super) fn are_whole(self) -> bool {
        let length = |size: [u8; 4]| u64::from(u32::from_le_bytes(size)).saturating_add(1);
        let lengths = self.sizes.map(|[a, b, c, d, e, f, g, h]| {
            length([*a, *b, *c, *d]).saturating_add(length([*e, *f, *g, *h]))
        });
        u64::try_from(self.texts.len()).is_ok_and(|there| lengths.fold(0, u64::saturating_add) <= there)
    }

    /// Takes the next text, which ends in a NUL.
    fn take(&mut self, size: [u8; 4]) -> Option<&'a [u8]> {
        let (text, rest) = self.texts.split_at_checked(usize::try_from(u32::from_le_bytes(size)).ok()?)?;
        (_, self.texts) = rest.split_first()?;
        Some(text)
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let [a, b, c, d, e, f, g, h] = *self.sizes.next()?;
        Some((self.take([a, b, c, d])?, self.take([e, f, g, h])?))
    }
}

/// The headers in what a host hands over whose names have a length: of the others nothing but the lengths is looked at.
pub(super) struct OfLength<'a> {
    sizes: std::slice::Iter<'a, [u8; 8]>,
    texts: &'a [u8],
    /// Where the next name begins.
    next: usize,
    length: usize,
}

impl<'a> OfLength<'a> {
    /// Looks for names of this length.
    pub(super) fn new(raw: &'a [u8], length: usize) -> Self {
        let (sizes, texts) = Pairs::of(raw).map_or_else(Default::default, |pairs| (pairs.sizes, pairs.texts));
        Self { sizes, texts, next: 0, length }
    }
}

impl<'a> Iterator for OfLength<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let number = |size: [u8; 4]| usize::try_from(u32::from_le_bytes(size)).unwrap_or(usize::MAX);
        for [a, b, c, d, e, f, g, h] in self.sizes.by_ref() {
            let (name, value) = (number([*a, *b, *c, *d]), number([*e, *f, *g, *h]));
            // All texts are there, so no sum is larger than their length.
            let start = self.next;
            let end = start.wrapping_add(name);
            let value_start = end.wrapping_add(1);
            let value_end = value_start.wrapping_add(value);
            self.next = value_end.wrapping_add(1);
            if name == self.length {
                return Some((self.texts.get(start..end)?, self.texts.get(value_start..value_end)?));
            }
        }
        None
    }
}
