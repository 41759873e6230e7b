//! How are tokens made and read? Without a mesh: an issuer needs nothing but its key.

use std::io::{self, Read};
use std::time::SystemTime;

use crate::args::{TokenArgs, TokenKeyArgs, TokenNewArgs, TokenShowArgs, TokenWhat};
use crate::exit::Failure;
use crate::output::{Output, Paint};
use anyhow::Context as _;
use homing::access::{BadToken, Claims, Draft, IssuerKey, rfc3339};
use homing::limits::TOKEN_MAX;
use homing::{Code, Status};

/// Does what was asked of `homing token`.
pub(crate) fn run(args: &TokenArgs, output: Output) -> Result<(), Failure> {
    match &args.what {
        TokenWhat::Key(args) => make_key(args, output),
        TokenWhat::New(args) => make(args, output),
        TokenWhat::Show(args) => show(args, output),
    }
}

fn make_key(args: &TokenKeyArgs, output: Output) -> Result<(), Failure> {
    let key = IssuerKey::generate();
    key.create(&args.file).context("cannot write the issuer's key")?;
    output.line(key.issuer())
}

fn make(args: &TokenNewArgs, output: Output) -> Result<(), Failure> {
    let key = IssuerKey::read(&args.key).map_err(|error| Failure::Usage(error.to_string()))?;
    let mut draft = Draft::new(&args.subject).life(args.lifetime);
    for (name, value) in &args.claim {
        draft = draft.claim(name, value);
    }
    if let Some(node) = args.node {
        draft = draft.bound_to(node);
    }
    output.line(draft.sign(&key).map_err(|error| Failure::Usage(error.to_string()))?)
}

fn show(args: &TokenShowArgs, output: Output) -> Result<(), Failure> {
    let token = text(args)?;
    let token = token.trim();
    let claims = Claims::unverified(token).map_err(|bad| refused(&bad))?;
    let now = SystemTime::now();
    let counts = match args.issuer.as_slice() {
        [] => claims.check_time(now).map(|()| "not checked: give --issuer PUBKEY"),
        issuers => Claims::verify(token, issuers, now).map(|_| "valid"),
    };
    let mut rows = vec![("subject", claims.subject().to_owned())];
    rows.extend(claims.iter().map(|(name, value)| ("claim", format!("{name}={value}"))));
    rows.extend(claims.node().map(|node| ("for", node.to_string())));
    rows.push(("from", rfc3339(claims.not_before())));
    rows.push(("until", rfc3339(claims.expires())));
    rows.push(("state", counts.as_ref().map_or_else(ToString::to_string, ToString::to_string)));
    for (name, value) in rows {
        // Whoever made the token wrote these; signs that steer a terminal are not for it.
        let name = output.painted(Paint::Bold, &format!("{name:<8}"));
        output.line(format_args!("{name}{}", value.escape_debug()))?;
    }
    match counts {
        Err(bad) if !args.issuer.is_empty() => Err(refused(&bad)),
        _ => Ok(()),
    }
}

fn text(args: &TokenShowArgs) -> Result<String, Failure> {
    if args.token != "-" {
        return Ok(args.token.clone());
    }
    let mut text = String::new();
    let bounded = io::stdin().take(2 * TOKEN_MAX as u64).read_to_string(&mut text);
    bounded.context("cannot read stdin")?;
    Ok(text)
}

fn refused(bad: &BadToken) -> Failure {
    Status::not_started(Code::Unauthenticated, format!("the token does not count: {bad}")).into()
}
