//! Words in messages: quoted so that a line stays a line, and suggested where a mistake is likely.

/// Returns a text in quotes, what would break a line escaped and what is long cut.
pub fn quoted(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{:?}…", text.get(..end).unwrap_or(text)),
        None => format!("{text:?}"),
    }
}

/// How many characters of a text a message shows.
const LONGEST: usize = 80;

/// Returns the known word that was probably meant, if there is one.
///
/// Case does not matter and `-` is `_`; beyond that, a quarter of the letters may be wrong.
pub fn nearest<'w>(word: &str, known: &[&'w str]) -> Option<&'w str> {
    // Nobody mistypes a field in this way, and the effort grows with the length.
    if word.len() > LONGEST {
        return None;
    }
    let folded = fold(word);
    let wrong = |known: &str| distance(&folded, &fold(known));
    let (wrong, nearest) =
        known.iter().map(|known| (wrong(known), *known)).min_by_key(|(wrong, _)| *wrong)?;
    (wrong <= (nearest.len() / 4).saturating_add(1)).then_some(nearest)
}

/// Returns the path of a field: `.name`, or `["a name"]` where the dot could mislead.
pub(super) fn field_path(parent: &str, name: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if name.is_empty() || name.len() > LONGEST || !name.bytes().all(is_plain) {
        format!("{parent}[{}]", quoted(name))
    } else if parent.is_empty() {
        name.to_owned()
    } else {
        format!("{parent}.{name}")
    }
}

/// Returns a message on one line, whatever somebody put into it.
pub(super) fn one_line(text: String) -> String {
    if text.contains(char::is_control) { text.replace(char::is_control, " ") } else { text }
}

/// Decides whether a text is a name: `[a-z0-9][a-z0-9_-]{0,63}`.
pub fn is_name(text: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    text.len() <= LONGEST_NAME
        && text.bytes().next().is_some_and(is_letter)
        && text.bytes().all(|byte| is_letter(byte) || byte == b'_' || byte == b'-')
}

/// Returns the name that is most like a text, if anything of it can be kept.
pub(super) fn as_name(text: &str) -> Option<String> {
    let lower = text.chars().map(|character| character.to_ascii_lowercase());
    let fitting = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let name: String = lower.map(|character| if fitting(character) { character } else { '-' }).collect();
    let name = name.trim_matches(['-', '_']);
    let name = name.get(..LONGEST_NAME).unwrap_or(name);
    is_name(name).then(|| name.to_owned())
}

const LONGEST_NAME: usize = 64;

fn fold(word: &str) -> String {
    word.to_ascii_lowercase().replace('-', "_")
}

/// Returns how many characters must be inserted, removed or replaced to turn one word into the other.
fn distance(from: &str, to: &str) -> usize {
    // The distances between what `from` has so far and each prefix of `to`.
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (index, character) in from.chars().enumerate() {
        let mut diagonal = index;
        let mut left = index.saturating_add(1);
        let mut cells = row.iter_mut();
        if let Some(first) = cells.next() {
            *first = left;
        }
        for (cell, wanted) in cells.zip(to.chars()) {
            let replaced = diagonal.saturating_add(usize::from(character != wanted));
            diagonal = *cell;
            left = replaced.min(diagonal.min(left).saturating_add(1));
            *cell = left;
        }
    }
    row.last().copied().unwrap_or(0)
}
