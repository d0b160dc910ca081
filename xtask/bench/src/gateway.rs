//! What a gateway is measured between: the provider that it asks, callers that ask it, and two proxies
//! that are less than a gateway. Each is a process of its own.

pub(crate) mod load;
pub(crate) mod proxy;
pub(crate) mod upstream;

use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpStream};

use crate::Result;

/// Listens on this machine alone, at a port that is free.
async fn listen() -> Result<TcpListener> {
    Ok(TcpListener::bind("127.0.0.1:0").await?)
}

/// The next caller; what is small goes out at once.
async fn caller(listener: &TcpListener) -> Option<TcpStream> {
    let (stream, _) = listener.accept().await.ok()?;
    stream.set_nodelay(true).ok()?;
    Some(stream)
}

fn address(listener: &TcpListener) -> Result<SocketAddr> {
    Ok(listener.local_addr()?)
}
