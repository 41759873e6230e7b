//! What is the floor? An echo of whole requests over bare sockets, in a process of its own.

use anyhow::Context as _;
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener};

use crate::args::EchoArgs;
use crate::children;
use crate::exit::Failure;
use crate::output::Output;
use crate::runtime;

/// Binds, prints the TCP address on a line, and echoes until stdin ends.
pub(crate) fn run(args: &EchoArgs, output: Output) -> Result<(), Failure> {
    runtime::run_measured(async {
        let tcp = TcpListener::bind(("127.0.0.1", 0)).await.context("cannot listen")?;
        let unix = UnixListener::bind(&args.socket)
            .with_context(|| format!("cannot listen on {}", args.socket.display()))?;
        output.line(tcp.local_addr().context("no address")?)?;
        tokio::spawn(accept_tcp(tcp, args.size));
        tokio::spawn(accept_unix(unix, args.size));
        children::end_of_stdin().await;
        Ok(())
    })
}

async fn accept_tcp(listener: TcpListener, size: usize) -> io::Result<()> {
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        tokio::spawn(echo(socket, size));
    }
}

async fn accept_unix(listener: UnixListener, size: usize) -> io::Result<()> {
    loop {
        let (socket, _) = listener.accept().await?;
        tokio::spawn(echo(socket, size));
    }
}

/// Whole requests: an echo that wrote while its caller still writes could stand still with it.
async fn echo(mut socket: impl AsyncRead + AsyncWrite + Unpin, size: usize) -> io::Result<()> {
    let mut buffer = vec![0; size];
    loop {
        socket.read_exact(&mut buffer).await?;
        socket.write_all(&buffer).await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::UnixStream;

    #[tokio::test]
    async fn a_request_comes_back_when_it_is_whole() {
        let (mut caller, floor) = UnixStream::pair().unwrap();
        tokio::spawn(echo(floor, 4));
        caller.write_all(b"ab").await.unwrap();
        caller.write_all(b"cdefgh").await.unwrap();
        let mut reply = [0; 8];
        caller.read_exact(&mut reply).await.unwrap();
        assert_eq!(&reply, b"abcdefgh");
    }
}
