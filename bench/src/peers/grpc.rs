//! How is gRPC used? By tonic, as it comes but for the windows of HTTP/2: unary calls over one channel, server streaming.

use anyhow::Context as _;
use bytes::Bytes;
use futures_util::{Stream, stream};
use std::pin::Pin;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status, Streaming};

use crate::args::Order;
use crate::ends::{Caller, Peer, Reader, Source};
use stubs::bench_client::BenchClient;
use stubs::bench_server::{Bench, BenchServer};

/// Room for several items of a megabyte: with the 64 KiB of the standard it would wait for each.
const STREAM_WINDOW: u32 = 4 * 1024 * 1024;
const CONNECTION_WINDOW: u32 = 16 * 1024 * 1024;

#[expect(clippy::pedantic, unreachable_pub, reason = "tonic's generator writes this")]
mod stubs {
    include!(concat!(env!("OUT_DIR"), "/homing.bench.Bench.rs"));
}

/// Bytes as a message: `message Body { bytes body = 1; }`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Body {
    #[prost(bytes = "bytes", tag = "1")]
    body: Bytes,
}

/// A server, and a channel to it.
pub(crate) struct Grpc;

impl Peer for Grpc {
    type Caller = Client;
    type Reader = Streaming<Body>;

    async fn source(_: &Order, _: Arc<Notify>) -> anyhow::Result<Source> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("cannot listen")?;
        let at = listener.local_addr().context("no address")?;
        let serving = Server::builder()
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .add_service(BenchServer::new(Service))
            .serve_with_incoming(TcpIncoming::from(listener).with_nodelay(Some(true)));
        Ok(Source::new(&at, tokio::spawn(serving)))
    }

    async fn callers(order: &Order) -> anyhow::Result<Vec<Client>> {
        let client = connect(&order.at).await?;
        let body = || Bytes::from(vec![7; order.size]);
        Ok(super::each(order, || Client { client: client.clone(), body: body() }))
    }

    async fn reader(order: &Order) -> anyhow::Result<Streaming<Body>> {
        let size = u32::try_from(order.size).context("too large an item")?;
        let body = Bytes::copy_from_slice(&size.to_le_bytes());
        let response = connect(&order.at).await?.flood(Request::new(Body { body })).await?;
        Ok(response.into_inner())
    }
}

async fn connect(at: &str) -> anyhow::Result<BenchClient<Channel>> {
    let endpoint = Endpoint::from_shared(format!("http://{at}"))?
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW);
    Ok(BenchClient::new(endpoint.connect().await?))
}

struct Service;

#[tonic::async_trait]
impl Bench for Service {
    async fn echo(&self, request: Request<Body>) -> Result<Response<Body>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    type FloodStream = Pin<Box<dyn Stream<Item = Result<Body, Status>> + Send>>;

    /// Items of the size that was asked for, for as long as they are read.
    async fn flood(&self, request: Request<Body>) -> Result<Response<Self::FloodStream>, Status> {
        let body = request.into_inner().body;
        let size = body.first_chunk().copied().map(u32::from_le_bytes);
        let size = size.ok_or_else(|| Status::invalid_argument("ask for a size"))?;
        let item = Body { body: Bytes::from(vec![7; size as usize]) };
        Ok(Response::new(Box::pin(stream::repeat_with(move || Ok(item.clone())))))
    }
}

/// A caller; all share one channel.
pub(crate) struct Client {
    client: BenchClient<Channel>,
    body: Bytes,
}

impl Caller for Client {
    async fn call(&mut self) -> anyhow::Result<u64> {
        let reply = self.client.echo(Request::new(Body { body: self.body.clone() })).await?;
        super::whole(reply.into_inner().body.len(), self.body.len())
    }
}

impl Reader for Streaming<Body> {
    async fn read(&mut self) -> anyhow::Result<u64> {
        self.message().await?.context("the stream ended")?;
        Ok(1)
    }
}
