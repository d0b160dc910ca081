//! Addresses of strangers: what may be gone to is public to others too, and they read the same host in it.

use std::net::IpAddr;

use repaint_core::{ImageInput, address_label};
use repaint_fetch::Allow;
use repaint_fetch::fuzzing::check;
use url::{Host, Url};

use crate::swollen;

/// Reads an address, and what may be allowed beside public ones.
pub fn address(bytes: &[u8]) {
    let bytes = swollen(bytes);
    let Ok(text) = std::str::from_utf8(&bytes) else { return };
    if let Ok(allow) = text.parse::<Allow>() {
        let again = allow.to_string().parse::<Allow>();
        assert!(again.is_ok_and(|it| it == allow), "written down it is another");
    }
    assert_label(text);
    let Ok(url) = check(text, &[]) else { return };
    let again = Url::parse(url.as_str());
    assert!(again.is_ok_and(|it| it == url), "read again it leads elsewhere");
    assert!(matches!(url.scheme(), "http" | "https"));
    assert!(url.username().is_empty() && url.password().is_none());
    assert!(matches!(url.port_or_known_default(), Some(80 | 443 | 1024..)));
    match url.host() {
        Some(Host::Ipv4(ip)) => assert_public(ip.into()),
        Some(Host::Ipv6(ip)) => assert_public(IpAddr::V6(ip).to_canonical()),
        Some(Host::Domain(name)) => assert_far(name),
        None => panic!("it has no host"),
    }
    // What is taken before a request is admitted is no more than what is gone to.
    assert!(ImageInput::url(text).is_ok());
}

fn assert_public(ip: IpAddr) {
    assert!(!ip.is_loopback() && !ip.is_unspecified() && !ip.is_multicast());
    match ip {
        IpAddr::V4(ip) => {
            assert!(!ip.is_private() && !ip.is_link_local() && !ip.is_broadcast());
            assert!(!ip.is_documentation() && ip.octets()[0] != 0 && ip.octets()[0] < 224);
        }
        IpAddr::V6(ip) => assert!(!ip.is_unique_local() && !ip.is_unicast_link_local()),
    }
}

fn assert_far(name: &str) {
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    assert!(name.contains('.') && name.parse::<IpAddr>().is_err());
    let last = name.rsplit('.').next().unwrap_or_default();
    assert!(!matches!(last, "localhost" | "local" | "internal" | "onion"), "{name}");
    assert!(!last.bytes().all(|it| it.is_ascii_digit()), "a number in some form: {name}");
    assert!(name.bytes().all(|it| it.is_ascii() && !it.is_ascii_control() && it != b' '));
}

/// What people are told of an address has no user, no password and no query of it.
fn assert_label(text: &str) {
    let label = address_label(text);
    assert!(label.chars().count() <= 121 && !label.chars().any(char::is_control));
    if let Ok(url) = Url::parse(text)
        && url.has_host()
    {
        let label = label.split_once("://").map_or("", |it| it.1);
        let host = label.split('/').next().unwrap_or_default();
        assert!(!host.contains('@') && !label.contains('?'), "{label}");
    }
}
