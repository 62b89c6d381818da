//! What of another server is its own affair.

use crate::event::StreamName;

/// Why a stream is left out; none if it is taken over.
pub(super) fn why(stream: &StreamName) -> Option<&'static str> {
    let name = stream.as_str();
    let settings_of = name.strip_prefix("$$");
    if !name.starts_with('$') || settings_of.is_some_and(|of| !of.starts_with('$')) {
        return None;
    }
    const KINDS: [(&[&str], &str); 3] = [
        (&["$stats-"], "events of statistics left out ($stats-…)"),
        (&["$projections", "$projection-"], "events of projections left out ($projections-…)"),
        (
            &["$ce-", "$et-", "$et", "$bc-", "$category-", "$streams"],
            "links of system projections left out ($ce-…, $et-…, …)",
        ),
    ];
    let begins = |prefixes: &&[&str]| {
        let of = settings_of.unwrap_or(name);
        prefixes.iter().any(|prefix| if prefix.ends_with('-') { of.starts_with(prefix) } else { of == *prefix })
    };
    let projections = name.starts_with("$projections");
    let kind = KINDS.iter().find(|(prefixes, _)| begins(prefixes)).map(|(_, why)| *why);
    Some(kind.unwrap_or(if projections { KINDS[1].1 } else { "events of other streams of the system left out" }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_of_users_and_their_settings_are_taken_over_and_those_of_the_system_are_not() {
        let why = |name: &str| why(&StreamName::parse(name).expect("a name"));
        for name in ["orders", "a$b", "$$orders", "$$et-al"] {
            assert_eq!(why(name), None, "{name}");
        }
        for (name, part) in [
            ("$stats-127.0.0.1:2113", "statistics"),
            ("$$$stats-127.0.0.1:2113", "statistics"),
            ("$projections-$all", "projections"),
            ("$projections-$by_category-checkpoint", "projections"),
            ("$ce-orders", "links"),
            ("$streams", "links"),
            ("$et", "links"),
            ("$$$ce-orders", "links"),
            ("$settings", "other"),
            ("$users", "other"),
            ("$et.al", "other"),
            ("$", "other"),
        ] {
            assert!(why(name).is_some_and(|why| why.contains(part)), "{name}: {:?}", why(name));
        }
    }
}
