//! The settings of AWS, by their standard names (SPEC 3): region, endpoint, where credentials come from, trust, and the
//! task's metadata. Pure: nothing here touches a file or the network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use super::problem::{Fault, Problem};
use super::raw::Raw;
use super::redact::{self, Secret};
use super::shard::INDEXES;

/// Everything of others that is read from the environment.
pub(super) fn settings() -> impl Iterator<Item = &'static str> {
    SUPPORTED
        .into_iter()
        .chain(UNSUPPORTED)
        .chain(PROXIES)
        .chain(INDEXES)
}

const SUPPORTED: [&str; 15] = [
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL",
    "AWS_CA_BUNDLE",
    "ECS_CONTAINER_METADATA_URI_V4",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_USE_DUALSTACK_ENDPOINT",
];

/// Where others look for credentials and windrow does not.
const UNSUPPORTED: [&str; 7] = [
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_CONFIG_FILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
];

const PROXIES: [&str; 6] = [
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "all_proxy",
];

/// What the task's own endpoint is reached under, beside loopback.
/// Source: "Container credential provider", AWS SDKs and Tools Reference Guide: ECS, and EKS over IPv4 and IPv6.
const TASK_ADDRESSES: [IpAddr; 3] = [
    IpAddr::V4(TASK_ADDRESS),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 23)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23)),
];

const TASK_ADDRESS: Ipv4Addr = Ipv4Addr::new(169, 254, 170, 2);

/// The settings, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aws {
    /// AWS_REGION, or AWS_DEFAULT_REGION.
    pub region: Option<String>,
    /// AWS_ENDPOINT_URL_S3, or AWS_ENDPOINT_URL: scheme, host, and perhaps a path, without a `/` at its end; without the
    /// scheme's own port, which signatures leave out.
    pub endpoint: Option<String>,
    /// Where credentials come from.
    pub credentials: CredentialSource,
    /// AWS_CA_BUNDLE
    pub ca_bundle: Option<PathBuf>,
    /// ECS_CONTAINER_METADATA_URI_V4
    pub metadata_uri: Option<String>,
    /// Proxy variables that are set, and not used.
    pub proxies: Vec<&'static str>,
}

/// Where credentials come from: the first of these that is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialSource {
    /// The environment.
    Environment(Keys),
    /// The endpoint of the task's role.
    Container {
        /// Where it is.
        url: String,
        /// What it wants to see.
        token: Option<Token>,
    },
    /// Nowhere, with what is set instead that windrow does not support.
    Nowhere(Vec<&'static str>),
}

/// An access key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// Its id, which is no secret but nobody's business.
    pub id: Secret,
    /// Its secret.
    pub secret: Secret,
    /// Of a session.
    pub token: Option<Secret>,
}

/// What the endpoint of the task's role wants to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// AWS_CONTAINER_AUTHORIZATION_TOKEN
    Given(Secret),
    /// AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE, read anew at each refresh. Where both are set it is this one.
    File(PathBuf),
}

impl Aws {
    /// The settings in `raw`.
    ///
    /// # Errors
    /// Every problem, in the order of [`settings`].
    pub fn parse(raw: &Raw) -> Result<Self, Vec<Problem>> {
        let mut reader = Reader {
            raw,
            problems: Vec::new(),
        };
        let aws = Self {
            region: reader.region(),
            credentials: reader.credentials(),
            endpoint: reader.endpoint(),
            ca_bundle: ca_bundle(raw),
            metadata_uri: reader.task_uri("ECS_CONTAINER_METADATA_URI_V4"),
            proxies: proxies(raw),
        };
        reader.refuse_unsupported();
        match reader.problems.is_empty() {
            true => Ok(aws),
            false => Err(reader.problems),
        }
    }

    /// The problem of an `s3://` URI without a region.
    #[must_use]
    pub fn region_missing() -> Problem {
        Fault::new(
            "the region of the buckets, such as eu-central-1",
            "nothing",
            "it is required where any s3:// is used",
        )
        .of_setting("AWS_REGION")
    }
}

/// AWS_CA_BUNDLE, which decides who is trusted for `https://` inputs too.
pub(super) fn ca_bundle(raw: &Raw) -> Option<PathBuf> {
    raw.setting("AWS_CA_BUNDLE").map(PathBuf::from)
}

/// Proxy variables that are set, and not used.
pub(super) fn proxies(raw: &Raw) -> Vec<&'static str> {
    let all = PROXIES.into_iter();
    all.filter(|name| raw.setting(name).is_some()).collect()
}

/// The name of a region.
///
/// # Errors
/// That it is none.
pub(super) fn region(text: &str) -> Result<String, Fault> {
    let is_label = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    match text.len() <= 63 && text.bytes().all(is_label) {
        true => Ok(text.to_owned()),
        false => {
            let found = redact::uri(text);
            Err(Fault::new(
                "a region such as eu-central-1",
                found,
                "correct it",
            ))
        }
    }
}

struct Reader<'a> {
    raw: &'a Raw,
    problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    fn text(&mut self, name: &str) -> Option<&'a str> {
        let value = self.raw.setting(name)?;
        if value.to_str().is_none() {
            self.refuse(name, Fault::new("UTF-8", "something else", ""));
        }
        value.to_str()
    }

    fn refuse(&mut self, name: &str, fault: Fault) {
        self.problems.push(fault.of_setting(name));
    }

    fn region(&mut self) -> Option<String> {
        for name in ["AWS_REGION", "AWS_DEFAULT_REGION"] {
            let Some(region) = self.text(name) else {
                continue;
            };
            return match self::region(region) {
                Ok(region) => Some(region),
                Err(fault) => {
                    self.refuse(name, fault);
                    None
                }
            };
        }
        None
    }

    fn credentials(&mut self) -> CredentialSource {
        let id = self.header("AWS_ACCESS_KEY_ID");
        let secret = self.header("AWS_SECRET_ACCESS_KEY");
        let token = self.header("AWS_SESSION_TOKEN");
        match (id, secret) {
            (Some(id), Some(secret)) => {
                return CredentialSource::Environment(Keys { id, secret, token });
            }
            (None, None) => {}
            (id, _) => {
                let (set, missing) = match id {
                    Some(_) => ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
                    None => ("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"),
                };
                let advice = format!("it is needed with {set}; or unset both for the task's role");
                self.refuse(missing, Fault::new("a value", "nothing", advice));
            }
        }
        let relative = self.text("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
        let url = match relative {
            Some(path) if path.starts_with('/') && is_uri_text(path) => {
                Some(format!("http://{TASK_ADDRESS}{path}"))
            }
            Some(path) => {
                let fault = Fault::new(
                    "a path that starts with /",
                    redact::uri(path),
                    "ECS sets it",
                );
                self.refuse("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", fault);
                None
            }
            None => self.task_uri("AWS_CONTAINER_CREDENTIALS_FULL_URI"),
        };
        match url {
            Some(url) => CredentialSource::Container {
                url,
                token: self.token(),
            },
            None => CredentialSource::Nowhere(
                UNSUPPORTED
                    .into_iter()
                    .filter(|name| self.raw.setting(name).is_some())
                    .collect(),
            ),
        }
    }

    fn token(&mut self) -> Option<Token> {
        let file = self.raw.setting("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
        match file {
            Some(path) => Some(Token::File(PathBuf::from(path))),
            None => self
                .header("AWS_CONTAINER_AUTHORIZATION_TOKEN")
                .map(Token::Given),
        }
    }

    /// A value that goes into a header or a signature.
    fn header(&mut self, name: &str) -> Option<Secret> {
        let text = self.text(name)?;
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            let found = "a blank, a line end or another character that cannot be sent";
            let fault = Fault::new(
                "visible ASCII characters",
                found,
                "correct it; it is not shown here",
            );
            self.refuse(name, fault);
            return None;
        }
        Some(Secret::new(text))
    }

    fn endpoint(&mut self) -> Option<String> {
        let name = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]
            .into_iter()
            .find(|name| self.raw.setting(name).is_some())?;
        let text = self.text(name)?;
        match parse_url(text) {
            Some(url) if url.is_plain && !url.is_loopback() => {
                let advice = "plain http is refused except to a loopback address";
                let fault = Fault::new("https://", redact::uri(text), advice);
                self.refuse(name, fault);
                None
            }
            Some(url) if !url.path.contains('?') => Some(url.without_default_port()),
            Some(_) | None => {
                let expected = "https://HOST, perhaps with a port and a path";
                let fault = Fault::new(expected, redact::uri(text), "correct it");
                self.refuse(name, fault);
                None
            }
        }
    }

    /// A URL of the task's own: `https`, or plain to an address that AWS names (SPEC 3).
    fn task_uri(&mut self, name: &str) -> Option<String> {
        let text = self.text(name)?;
        match parse_url(text) {
            Some(url) if !url.is_plain || url.is_loopback() || url.is_task() => {
                Some(text.to_owned())
            }
            Some(_) | None => {
                let expected = "https://, or http:// to a loopback address, 169.254.170.2, 169.254.170.23 or [fd00:ec2::23]";
                let advice = "plain http to another host would show the credentials to the network";
                self.refuse(name, Fault::new(expected, redact::uri(text), advice));
                None
            }
        }
    }

    fn refuse_unsupported(&mut self) {
        for name in ["AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"] {
            let text = self.text(name);
            if text.is_some_and(|text| text.eq_ignore_ascii_case("true")) {
                let advice = "give the endpoint itself in AWS_ENDPOINT_URL_S3; its addresses are then path-style";
                self.refuse(name, Fault::new("it to be absent or false", "true", advice));
            }
        }
    }
}

/// The pieces of a URL that matter here.
pub(super) struct Url<'a> {
    pub(super) is_plain: bool,
    host: &'a str,
    port: Option<u16>,
    /// With its query; without a `/` at its end.
    path: &'a str,
}

/// None for another scheme, user and password, no host, a bad port, a fragment, or characters that a URL cannot hold.
pub(super) fn parse_url(text: &str) -> Option<Url<'_>> {
    let (is_plain, rest) = match text.split_once("://")? {
        ("http", rest) => (true, rest),
        ("https", rest) => (false, rest),
        _ => return None,
    };
    if !is_uri_text(rest) || rest.contains('#') {
        return None;
    }
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let end_of_host = match authority.strip_prefix('[') {
        Some(rest) => rest.find(']')?.checked_add(2)?,
        None => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, port) = authority.split_at_checked(end_of_host)?;
    let port = match port.strip_prefix(':') {
        Some(port) => Some(port.parse().ok().filter(|_| !port.starts_with('+'))?),
        None if port.is_empty() => None,
        None => return None,
    };
    let is_address = host.starts_with('[') && bare(host).parse::<Ipv6Addr>().is_ok();
    let is_name_byte = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    let is_name = !host.is_empty() && host.bytes().all(is_name_byte);
    (is_address || is_name).then(|| Url {
        is_plain,
        host,
        port,
        path: path.trim_end_matches('/'),
    })
}

impl Url<'_> {
    fn address(&self) -> Option<IpAddr> {
        bare(self.host).parse().ok()
    }

    pub(super) fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.address().is_some_and(|address| address.is_loopback())
    }

    fn is_task(&self) -> bool {
        self.address()
            .is_some_and(|address| TASK_ADDRESSES.contains(&address))
    }

    fn without_default_port(&self) -> String {
        let (scheme, default) = match self.is_plain {
            true => ("http", 80),
            false => ("https", 443),
        };
        let port = match self.port {
            Some(port) if port != default => format!(":{port}"),
            Some(_) | None => String::new(),
        };
        format!("{scheme}://{}{port}{}", self.host, self.path)
    }
}

fn bare(host: &str) -> &str {
    host.trim_matches(['[', ']'])
}

fn is_uri_text(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    fn raw(pairs: &[(&str, &str)]) -> Raw {
        let owned = pairs
            .iter()
            .map(|(name, value)| (OsString::from(name), OsString::from(value)));
        owned.collect()
    }

    fn problems(pairs: &[(&str, &str)]) -> Vec<String> {
        let parsed = Aws::parse(&raw(pairs));
        parsed
            .err()
            .unwrap_or_default()
            .iter()
            .map(Problem::to_string)
            .collect()
    }

    #[test]
    fn f013_where_plain_http_is_allowed() {
        for (url, for_task, for_endpoint) in [
            ("http://169.254.170.2/v2/x", true, false),
            ("http://169.254.170.23/v1/credentials", true, false),
            ("http://[fd00:ec2::23]/v1/credentials", true, false),
            ("http://127.0.0.1:9000", true, true),
            ("http://127.9.9.9", true, true),
            ("http://[::1]:80/x", true, true),
            ("http://localhost:1/", true, true),
            ("https://any.example/x", true, true),
            ("http://any.example/x", false, false),
            ("http://169.254.170.3/x", false, false),
            ("http://169.254.169.254/x", false, false),
            ("http://127.0.0.1.example/x", false, false),
            ("http://127.0.0.1@example/x", false, false),
            ("http://localhost.example", false, false),
            ("http://2130706433/", false, false),
            ("https://me:pass@any.example", false, false),
            ("https://any.example/#x", false, false),
            ("https:///x", false, false),
            ("https://a b", false, false),
            ("https://a:port", false, false),
            ("https://a:65536", false, false),
            ("https://[::1", false, false),
            ("ftp://a", false, false),
            ("a", false, false),
        ] {
            let full = problems(&[("AWS_CONTAINER_CREDENTIALS_FULL_URI", url)]);
            assert_eq!(full.is_empty(), for_task, "{url} {full:?}");
            let endpoint = problems(&[("AWS_ENDPOINT_URL_S3", url)]);
            assert_eq!(endpoint.is_empty(), for_endpoint, "{url} {endpoint:?}");
            assert!(!format!("{full:?}{endpoint:?}").contains("pass@"), "{url}");
        }
    }

    #[test]
    fn endpoints_lose_what_signatures_leave_out() {
        for (url, want) in [
            ("http://127.0.0.1:80/", "http://127.0.0.1"),
            ("https://host:443", "https://host"),
            ("https://host:80", "https://host:80"),
            ("https://host:9000/s3/", "https://host:9000/s3"),
            ("http://[::1]:5400", "http://[::1]:5400"),
        ] {
            let aws = Aws::parse(&raw(&[("AWS_ENDPOINT_URL", url)])).unwrap();
            assert_eq!(aws.endpoint.as_deref(), Some(want));
        }
        let both = [
            ("AWS_ENDPOINT_URL", "https://a"),
            ("AWS_ENDPOINT_URL_S3", "https://b"),
        ];
        assert_eq!(
            Aws::parse(&raw(&both)).unwrap().endpoint.as_deref(),
            Some("https://b")
        );
    }

    #[test]
    fn the_first_source_of_credentials_counts() {
        let relative = (
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
            "/v2/credentials/x",
        );
        let full = (
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            "http://169.254.170.23/v1/credentials",
        );
        let token = ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "t0ken");
        let file = ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/token");
        let keys = [
            ("AWS_ACCESS_KEY_ID", "id"),
            ("AWS_SECRET_ACCESS_KEY", "s3cret"),
        ];
        let container = |url: &str, token| CredentialSource::Container {
            url: url.to_owned(),
            token,
        };
        let at_task = "http://169.254.170.2/v2/credentials/x";
        let given = Some(Token::Given(Secret::new("t0ken")));
        for (name, pairs, want) in [
            (
                "environment first",
                vec![keys[0], keys[1], relative],
                CredentialSource::Environment(Keys {
                    id: Secret::new("id"),
                    secret: Secret::new("s3cret"),
                    token: None,
                }),
            ),
            ("relative", vec![relative, full], container(at_task, None)),
            (
                "relative with token",
                vec![relative, token],
                container(at_task, given.clone()),
            ),
            ("full", vec![full, token], container(full.1, given)),
            (
                "file",
                vec![full, token, file],
                container(full.1, Some(Token::File("/token".into()))),
            ),
            (
                "empty is absent",
                vec![("AWS_ACCESS_KEY_ID", ""), relative],
                container(at_task, None),
            ),
            ("nowhere", vec![], CredentialSource::Nowhere(vec![])),
            (
                "f009 not supported",
                vec![("AWS_PROFILE", "p"), ("AWS_WEB_IDENTITY_TOKEN_FILE", "f")],
                CredentialSource::Nowhere(vec!["AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE"]),
            ),
        ] {
            let aws = Aws::parse(&raw(&pairs)).unwrap();
            assert_eq!(aws.credentials, want, "{name}");
            let shown = format!("{aws:?} {:?}", raw(&pairs));
            assert!(
                !shown.contains("s3cret") && !shown.contains("t0ken"),
                "f016 {shown}"
            );
        }
    }

    #[test]
    fn problems_name_the_setting_and_no_secret() {
        for (pairs, want) in [
            (
                vec![("AWS_ACCESS_KEY_ID", "id")],
                "AWS_SECRET_ACCESS_KEY: expected a value, found nothing",
            ),
            (
                vec![("AWS_SECRET_ACCESS_KEY", "canary")],
                "AWS_ACCESS_KEY_ID: expected a value, found nothing",
            ),
            (
                vec![
                    ("AWS_ACCESS_KEY_ID", "id"),
                    ("AWS_SECRET_ACCESS_KEY", "canary\n"),
                ],
                "AWS_SECRET_ACCESS_KEY: expected visible ASCII",
            ),
            (
                vec![("AWS_REGION", "EU West")],
                "AWS_REGION: expected a region",
            ),
            (
                vec![("AWS_USE_FIPS_ENDPOINT", "true")],
                "AWS_USE_FIPS_ENDPOINT: expected it to be absent",
            ),
            (
                vec![("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "@evil/")],
                "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: expected a path",
            ),
        ] {
            let found = problems(&pairs);
            assert!(
                found.iter().any(|problem| problem.starts_with(want)),
                "{want}: {found:?}"
            );
            assert!(!format!("{found:?}").contains("canary"), "{found:?}");
        }
        let proxies = Aws::parse(&raw(&[("https_proxy", "http://p"), ("NO_PROXY", "x")])).unwrap();
        assert_eq!(proxies.proxies, ["https_proxy"]);
    }
}
