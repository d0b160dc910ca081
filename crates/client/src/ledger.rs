//! The order of a run as it is written down: before it is sent, and whenever it is known what became of it.

use std::sync::Arc;
use std::time::Duration;

use repaint_core::{
    Body, Error, ErrorKind, Handle, Phase, Result, Store, Submit, SubmitState, Usd, Warning,
    WarningCode,
};

use crate::client::Client;

/// A process that polls says this far ahead that it is alive; one that died is not waited for longer.
const HELD: Duration = Duration::from_secs(30);

/// A store with the order of one run.
#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    store: Arc<dyn Store>,
    submit: Submit,
    /// Whether the store has it; before that, nothing was sent.
    opened: bool,
    secret: Option<[u8; 16]>,
}

impl Ledger {
    /// For an order that is not written down yet.
    pub(crate) fn new(store: Arc<dyn Store>, submit: Submit) -> Self {
        Self { store, submit, opened: false, secret: None }
    }

    /// For an order that was written down before, and is picked up.
    pub(crate) fn resumed(store: Arc<dyn Store>, submit: Submit) -> Self {
        Self { store, submit, opened: true, secret: None }
    }

    /// Writes the order down before it is sent; what is sent again stands there already.
    ///
    /// # Errors
    ///
    /// `Refused` if a budget has no room, `Unavailable` if it cannot be written: then it is not sent.
    pub(crate) async fn before(
        &mut self,
        client: &Client,
        body: &Body,
        left: Duration,
    ) -> Result<()> {
        if self.opened {
            return Ok(());
        }
        let secret = match self.secret {
            Some(secret) => secret,
            None => *self.secret.insert(self.store.secret().await?),
        };
        let now = client.now_ms();
        self.submit.fingerprint = body.fingerprint(&secret);
        (self.submit.created_ms, self.submit.updated_ms) = (now, now);
        self.submit.held_until_ms = now.saturating_add(milliseconds(left));
        self.submit.state = SubmitState::Sent;
        self.store.open(&self.submit).await?;
        self.opened = true;
        Ok(())
    }

    /// The order is taken.
    pub(crate) async fn accepted(
        &mut self,
        client: &Client,
        handle: &Handle,
        cost: Option<Usd>,
    ) -> Option<Warning> {
        self.submit.handle = Some(handle.clone());
        self.submit.cost = cost.or(self.submit.cost);
        self.submit.held_until_ms = client.now_ms().saturating_add(milliseconds(HELD));
        self.write(client, SubmitState::Accepted).await
    }

    /// The provider still works on it, and so do we.
    pub(crate) async fn held(&mut self, client: &Client) -> Option<Warning> {
        let now = client.now_ms();
        // A third is left, so that one late write does not let go.
        if now.saturating_add(milliseconds(HELD / 3)) < self.submit.held_until_ms {
            return None;
        }
        self.submit.held_until_ms = now.saturating_add(milliseconds(HELD));
        self.write(client, self.submit.state).await
    }

    /// The pictures are made; some may be at addresses still.
    pub(crate) async fn made(
        &mut self,
        client: &Client,
        handle: Option<&Handle>,
        cost: Option<Usd>,
    ) -> Option<Warning> {
        self.submit.handle = handle.cloned().or(self.submit.handle.take());
        self.submit.cost = cost.or(self.submit.cost);
        self.submit.held_until_ms = client.now_ms().saturating_add(milliseconds(HELD));
        self.write(client, SubmitState::Made).await
    }

    /// It was given up, for this reason; `phase` is how far it had come.
    pub(crate) async fn ended(&mut self, client: &Client, err: &Error) -> Option<Warning> {
        if !self.opened {
            return None;
        }
        let data = err.data();
        self.submit.error = Some(err.kind());
        self.submit.cost = data.cost.or(self.submit.cost);
        self.submit.handle = data.resume.clone().or(self.submit.handle.take());
        // Whoever picks it up need not wait for us.
        self.submit.held_until_ms = client.now_ms();
        let state = became(self.submit.state, err.kind(), self.submit.handle.as_ref());
        self.write(client, state).await
    }

    /// A store that fails now must not lose what was bought: the caller is told instead.
    async fn write(&mut self, client: &Client, state: SubmitState) -> Option<Warning> {
        if !self.opened {
            return None;
        }
        self.submit.state = state;
        self.submit.updated_ms = client.now_ms();
        let err = self.store.write(&self.submit).await.err()?;
        let message = format!(
            "what became of order {} could not be written down: {}",
            self.submit.id,
            err.message()
        );
        Some(Warning::new(WarningCode::Store, None, message))
    }
}

/// What an order that was given up has become.
fn became(state: SubmitState, kind: ErrorKind, handle: Option<&Handle>) -> SubmitState {
    use ErrorKind as Kind;
    let asks = handle.is_some_and(Handle::leads_somewhere);
    match (state, kind) {
        // The provider says that there will be no picture.
        (_, Kind::Moderated | Kind::Expired) => SubmitState::Failed,
        // Nobody answered, or the answer is no proof.
        (SubmitState::Sent, Kind::OutcomeUnknown) if asks => SubmitState::Accepted,
        (SubmitState::Sent, Kind::OutcomeUnknown) => SubmitState::Unknown,
        (SubmitState::Sent, Kind::Unexpected) => SubmitState::Failed,
        // These are given to an order only with proof that it was not taken.
        (
            SubmitState::Sent,
            Kind::Refused
            | Kind::InvalidRequest
            | Kind::Denied
            | Kind::Exhausted
            | Kind::Unavailable,
        ) => SubmitState::NotTaken,
        (_, Kind::Unexpected) if !asks => SubmitState::Failed,
        (SubmitState::Accepted, Kind::Unexpected) => SubmitState::Failed,
        // It goes on without us.
        (state, _) => state,
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Whether a call of this phase is an order.
pub(crate) fn orders(phase: Phase) -> bool {
    matches!(phase, Phase::Connect | Phase::Submit)
}
