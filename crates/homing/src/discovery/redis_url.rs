//! Which Redis? A URL whose password nobody gets to see.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

/// How the verdict begins where a Redis does not take the password; what to do then is another thing than where it is away.
pub(crate) const BAD_PASSWORD: &str = "it does not take the password";

/// Where a Redis is, and how to get in: `redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]`.
///
/// What is left out is 6379 and database 0. In user and password, signs that have a meaning in a URL are written as `%3A`
/// and the like. Neither `Display` nor `Debug` shows the password.
///
/// ```
/// let url: homing::discovery::RedisUrl = "redis://:secret@10.0.0.9".parse()?;
/// assert_eq!(url.to_string(), "redis://:***@10.0.0.9:6379/0");
/// # Ok::<(), homing::discovery::BadRedisUrl>(())
/// ```
#[derive(Clone, Eq, PartialEq)]
pub struct RedisUrl {
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) database: u32,
}

/// Why a text is no [`RedisUrl`]. It does not repeat the text, in which there may be a password.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("it {0}; right is redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]")]
pub struct BadRedisUrl(&'static str);

/// The port that Redis has where nobody said another.
const REDIS_PORT: u16 = 6_379;

impl FromStr for RedisUrl {
    type Err = BadRedisUrl;

    fn from_str(text: &str) -> Result<Self, BadRedisUrl> {
        if text.starts_with("rediss://") {
            return Err(BadRedisUrl("asks for TLS, which is not supported here"));
        }
        let rest =
            text.strip_prefix("redis://").ok_or(BadRedisUrl("does not begin with redis://"))?;
        let (access, rest) = match rest.rsplit_once('@') {
            Some((access, rest)) => (Some(access), rest),
            None => (None, rest),
        };
        let (user, password) = match access.map(|access| access.split_once(':')) {
            None => (None, None),
            Some(None) => return Err(BadRedisUrl("has a user without a password")),
            Some(Some((user, password))) => (said(user)?, said(password)?),
        };
        let (place, database) = rest.split_once('/').unwrap_or((rest, ""));
        let database = match database {
            "" => 0,
            number => {
                number.parse().map_err(|_| BadRedisUrl("has a database that is no number"))?
            }
        };
        let (host, port) = host_and_port(place)?;
        Ok(Self { user, password, host, port, database })
    }
}

fn host_and_port(place: &str) -> Result<(String, u16), BadRedisUrl> {
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) if !place.ends_with(']') => {
            let port = port.parse().ok().filter(|port| *port != 0);
            (host, port.ok_or(BadRedisUrl("has a port that is not 1 to 65535"))?)
        }
        _ => (place, REDIS_PORT),
    };
    let bare = match host.strip_prefix('[') {
        Some(inner) => {
            let inner = inner.strip_suffix(']').filter(|ip| ip.parse::<Ipv6Addr>().is_ok());
            inner.ok_or(BadRedisUrl("has something in brackets that is no IPv6 address"))?
        }
        None => host,
    };
    let is_plain = |sign: char| sign.is_ascii_alphanumeric() || "-_.:".contains(sign);
    if bare.is_empty() || !bare.chars().all(is_plain) {
        return Err(BadRedisUrl("names no host"));
    }
    Ok((bare.to_owned(), port))
}

/// A part without its percent signs; none where it is empty.
fn said(part: &str) -> Result<Option<String>, BadRedisUrl> {
    const BROKEN: BadRedisUrl =
        BadRedisUrl("has a % that is not followed by two hexadecimal digits");
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digits = rest.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let digits = digits.filter(|digits| digits.bytes().all(|sign| sign.is_ascii_hexdigit()));
        bytes.push(u8::from_str_radix(digits.ok_or(BROKEN)?, 16).map_err(|_| BROKEN)?);
        rest = &rest[2..];
    }
    let text = String::from_utf8(bytes).map_err(|_| BadRedisUrl("is not UTF-8"))?;
    Ok(Some(text).filter(|text| !text.is_empty()))
}

/// A text that may be meant as a URL, without what may be meant as a password.
pub(crate) fn without_password(text: &str) -> String {
    match text.rsplit_once('@') {
        Some((_, place)) => format!("redis://***@{place}"),
        None => text.to_owned(),
    }
}

impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("redis://")?;
        if self.user.is_some() || self.password.is_some() {
            write!(f, "{}:***@", self.user.as_deref().unwrap_or_default())?;
        }
        if self.host.contains(':') {
            write!(f, "[{}]", self.host)?;
        } else {
            f.write_str(&self.host)?;
        }
        write!(f, ":{}/{}", self.port, self.database)
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: Result<&str, &str>) {
        let read = text.parse::<RedisUrl>();
        match (&read, expect) {
            (Ok(url), Ok(expect)) => assert_eq!(url.to_string(), expect),
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
            _ => panic!("{text}: {read:?}"),
        }
        let shown = format!("{read:?} {}", without_password(text));
        assert!(!shown.contains("s3cret"), "{shown}");
    }

    #[test]
    fn a_url_is_read_and_shown_without_its_password() {
        check("redis://a.example", Ok("redis://a.example:6379/0"));
        check("redis://10.0.0.9:7/3", Ok("redis://10.0.0.9:7/3"));
        check("redis://[::1]", Ok("redis://[::1]:6379/0"));
        check("redis://[::1]:7", Ok("redis://[::1]:7/0"));
        check("redis://:s3cret@h", Ok("redis://:***@h:6379/0"));
        check("redis://me:s3cret%40%3a@h/", Ok("redis://me:***@h:6379/0"));
        let url: RedisUrl = "redis://m%65:s3cret%40%3a@h".parse().unwrap();
        assert_eq!((url.user.as_deref(), url.password.as_deref()), (Some("me"), Some("s3cret@:")));
    }

    #[test]
    fn what_is_no_url_is_refused_without_saying_it() {
        check("rediss://:s3cret@h", Err("asks for TLS"));
        check("http://:s3cret@h", Err("does not begin with redis://"));
        check("redis://s3cret@h", Err("a user without a password"));
        check("redis://:s3cret@", Err("names no host"));
        check("redis://:s3cret@h:0", Err("a port that is not"));
        check("redis://:s3cret@h/x", Err("a database that is no number"));
        check("redis://:s3cret%4@h", Err("hexadecimal"));
        check("redis://:s3cret%+4@h", Err("hexadecimal"));
        check("redis://:s3cret@[h]", Err("brackets"));
        check("redis://", Err("names no host"));
    }
}
