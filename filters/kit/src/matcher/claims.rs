//! Conditions on claims that `jwt-auth` has verified.

use crate::config::{Node, each};
use crate::header::Lookup;
use crate::key::CLAIMS;

use super::named::Named;

/// Conditions on claims that `jwt-auth` has verified, all of which must hold.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Claims {
    /// Each with the property that holds the claim.
    conditions: Vec<(String, Named)>,
}

impl Claims {
    /// Parses a list of `{name, exact | prefix | suffix | contains | present, not}`, as of a matcher's headers. The text
    /// of a claim is compared as `jwt-auth` publishes it, and the name has its case.
    pub fn parse(node: &Node<'_>) -> Option<Self> {
        let conditions = each(&node.non_empty_list()?, |node| {
            let named = Named::parameter(node)?;
            Some((format!("{CLAIMS}{}", named.name()), named))
        });
        Some(Self { conditions: conditions? })
    }

    /// Returns whether every condition holds for a request. A claim that isn't there is as a header that isn't.
    pub fn hold(&self, request: &dyn Lookup) -> bool {
        self.conditions
            .iter()
            .all(|(property, named)| named.holds(request.property(&[property.as_str()]).into_iter()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::request::Request;
    use super::*;
    use crate::config::read;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn claims(json: &str) -> Result<Claims, String> {
        let document = format!(r#"{{"claims": {json}}}"#);
        let claims = read(document.as_bytes(), |node| {
            let mut object = node.object()?;
            let claims = object.required("claims").and_then(|node| Claims::parse(&node));
            object.finish();
            claims
        });
        claims.map_err(|problems| problems.to_string())
    }

    #[test]
    fn all_conditions_must_hold_and_names_have_their_case() {
        let claims = claims(r#"[{"name": "tenantId", "exact": "beta"}, {"name": "sub", "present": true}]"#);
        let claims = claims.unwrap();
        let request = |tenant: &str, subject: &str| {
            Request::default()
                .property("sluice.jwt-auth.tenantId", tenant)
                .property("sluice.jwt-auth.sub", subject)
        };
        assert!(claims.hold(&request("beta", "alice")));
        assert!(!claims.hold(&request("gamma", "alice")));
        assert!(!claims.hold(&Request::default().property("sluice.jwt-auth.tenantid", "beta")));
    }

    #[test]
    fn a_claim_that_is_not_there_satisfies_an_inverted_condition() {
        let claims = claims(r#"[{"name": "tier", "exact": "gold", "not": true}]"#).unwrap();
        assert!(claims.hold(&Request::default()));
        assert!(!claims.hold(&Request::default().property("sluice.jwt-auth.tier", "gold")));
    }

    #[test]
    fn a_header_by_the_name_of_a_claim_is_none() {
        let claims = claims(r#"[{"name": "tenant", "exact": "beta"}]"#).unwrap();
        assert!(!claims.hold(&Request::with("tenant", "beta").and("sluice.jwt-auth.tenant", "beta")));
    }

    #[test]
    fn problems_are_told_at_their_place() {
        assert_eq!(claims("[]").unwrap_err(), "claims: must not be empty");
        assert_eq!(
            claims(r#"[{"name": "", "exact": "a"}, {"name": "b"}]"#).unwrap_err(),
            "claims[0].name: must not be empty\n\
             claims[1]: needs one of exact, prefix, suffix, contains, present"
        );
    }
}
