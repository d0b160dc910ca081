//! `repaint serve`: all models over HTTP, to clients of Together and OpenAI.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use repaint::{Client, Error, ErrorKind, Registry, Result, Router, Store};
use repaint_fetch::Fetcher;
use repaint_gateway::{Gateway, Server};
use repaint_store::Memory;

use crate::args::Serve;
use crate::callers::CallersFile;
use crate::settings::Settings;
use crate::{ask, callers, orders, show, signals};

/// Where it listens unless somebody says otherwise.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

pub(crate) async fn run(args: &Serve, settings: &Settings) -> Result<()> {
    crate::log::begin();
    let registry = ask::registry(args.capabilities.as_deref())?;
    let listen = args.listen.unwrap_or(LISTEN);
    let behind = behind(args, settings, &registry).await?;
    let router = Router::new(registry, behind.client.clone());
    let mut gateway = Gateway::builder(router, Arc::clone(&behind.store))
        .policy(settings.policy())
        .limits(settings.limits.clone())
        .fetcher(fetcher(settings));
    let callers = args.callers.as_deref().map(CallersFile::load).transpose()?;
    let (file, keys) = callers.unzip();
    let who = match &keys {
        None => "there is no file of callers, so only this machine can call".to_owned(),
        Some(keys) => callers::count(keys),
    };
    if let Some(keys) = keys {
        gateway = gateway.keys(keys);
    }
    let gateway = gateway.build().await?;
    let server = Server::bind(gateway.clone(), listen).await.map_err(|err| {
        let message = match err.kind() {
            std::io::ErrorKind::InvalidInput => err.to_string(),
            _ => format!("cannot listen on {listen}: {err}; --listen names another"),
        };
        Error::new(ErrorKind::InvalidRequest, message)
    })?;
    // Whoever has read the line below may ask it to stop at once.
    let stop = tokio::spawn(signals::signal());
    tokio::task::yield_now().await;
    // Whoever started the program waits for this line. One that reads no further does not end it.
    let mut output = std::io::stdout();
    let _ = writeln!(output, "listening on http://{}", server.address());
    let _ = output.flush();
    show::said(&who);
    if let Some(file) = file {
        // It ends with the program.
        tokio::spawn(file.follow(gateway));
    }
    if !stop.await.unwrap_or(false) {
        // Where no signal can be heard, it goes on until it is killed.
        std::future::pending::<()>().await;
    }
    show::said("stopping: calls that go on are let finish");
    server.stop().await;
    behind.stop().await;
    Ok(())
}

/// What fetches pictures: from public addresses, and from what is allowed besides.
fn fetcher(settings: &Settings) -> Fetcher {
    Fetcher::builder().allow(settings.allow.iter().map(|it| it.value.clone())).build()
}

/// What stands behind the server: providers, real or not, and where orders are written down.
struct Behind {
    client: Client,
    store: Arc<dyn Store>,
    #[cfg(feature = "emulator")]
    emulator: Option<repaint_emulator::Server>,
}

impl Behind {
    async fn stop(self) {
        #[cfg(feature = "emulator")]
        if let Some(emulator) = self.emulator {
            emulator.stop().await;
        }
    }
}

async fn behind(args: &Serve, settings: &Settings, registry: &Registry) -> Result<Behind> {
    #[cfg(feature = "emulator")]
    if args.emulate {
        return emulated(registry).await;
    }
    #[cfg(not(feature = "emulator"))]
    let _ = args;
    let store = orders::store().await?.unwrap_or_else(|| Arc::new(Memory::new()));
    Ok(Behind {
        client: settings
            .client_builder(registry)
            .guard_downloads(fetcher(settings))
            .answers_room(settings.limits.answers)
            .build()?,
        store,
        #[cfg(feature = "emulator")]
        emulator: None,
    })
}

/// All hosted providers stood in for: no key of the environment is used, and nothing that is written down
/// counts as spent, unless somebody names a store.
#[cfg(feature = "emulator")]
async fn emulated(registry: &Registry) -> Result<Behind> {
    use repaint_emulator::Emulator;

    let emulator = Emulator::new(registry, repaint_emulator::Settings::default());
    let emulator = repaint_emulator::Server::start(emulator).await.map_err(|err| {
        Error::new(ErrorKind::Unavailable, format!("the emulator cannot listen: {err}"))
    })?;
    let mut client = Client::builder().without_environment();
    for provider in registry.models().map(|it| it.provider()).filter(|it| it.endpoint.is_some()) {
        client = client.key(provider.id, "emulated").base(provider.id, emulator.url());
    }
    let named = std::env::var_os("REPAINT_STORE").is_some_and(|it| !it.is_empty());
    let store = if named { orders::store().await? } else { None };
    show::said(&format!("providers are emulated at {}", emulator.url()));
    Ok(Behind {
        client: client.build()?,
        store: store.unwrap_or_else(|| Arc::new(Memory::new())),
        emulator: Some(emulator),
    })
}
