//! Prints tokens to try the demo with, `envoy/jwt-auth.yaml`, and the key set that it trusts.
//!
//! `token` prints all tokens, each below a line that says what to expect of it; `token NAME` prints that one alone,
//! and `token jwks` the key set.

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use tokens::demo;

fn main() -> ExitCode {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_secs();
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match print(&arguments, now) {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::from(2)
        }
    }
}

fn print(arguments: &[String], now: u64) -> Result<String, String> {
    let tokens = demo::tokens(now);
    let names: Vec<_> = tokens.iter().map(|demo| demo.name).collect();
    match arguments {
        [] => {
            let all = tokens.iter().map(|demo| format!("{}: {}\n{}", demo.name, demo.about, demo.token));
            Ok(Vec::from_iter(all).join("\n\n"))
        }
        [name] if name == "jwks" => Ok(demo::key_set()),
        [name] => tokens
            .into_iter()
            .find(|demo| demo.name == name)
            .map(|demo| demo.token)
            .ok_or_else(|| format!("There is no token {name:?}, but {}; and jwks.", names.join(", "))),
        _ => Err(format!("One name at most: {}, or jwks.", names.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(arguments: &[&str]) -> Result<String, String> {
        print(&arguments.iter().map(ToString::to_string).collect::<Vec<_>>(), 1_800_000_000)
    }

    #[test]
    fn a_name_prints_that_token_alone() {
        let all = printed(&[]).unwrap();
        for name in ["valid", "expired", "admin", "forged"] {
            let token = printed(&[name]).unwrap();
            assert!(token.split('.').count() == 3 && all.lines().any(|line| line == token), "{name}: {all}");
        }
        assert_eq!(all.lines().count(), 11);
    }

    #[test]
    fn the_key_set_fits_in_a_line() {
        let set = printed(&["jwks"]).unwrap();
        assert!(set.starts_with(r#"{"keys":[{"crv":"P-256","kid":"demo-1","kty":"EC","#), "{set}");
        assert_eq!(set.lines().count(), 1);
    }

    #[test]
    fn names_that_do_not_exist_are_told() {
        let problem = printed(&["fresh"]).unwrap_err();
        assert_eq!(problem, "There is no token \"fresh\", but valid, expired, admin, forged; and jwks.");
        assert_eq!(
            printed(&["a", "b"]).unwrap_err(),
            "One name at most: valid, expired, admin, forged, or jwks."
        );
    }
}
