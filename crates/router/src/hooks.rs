//! What a host may look at, and where it may say no.

use std::fmt::Debug;

use async_trait::async_trait;
use repaint_core::{Error, Estimate, ImageRequest, Job, Outcome, Plan, Result};

/// What a host is told of a job on its way: its own counters, rules and logs. Each does nothing unless
/// the host says otherwise, and is not to take long: the job waits for it.
#[async_trait]
pub trait Hooks: Debug + Send + Sync {
    /// A job is planned, and nothing is sent yet. An error ends it.
    fn planned(&self, job: &Job, plan: &Plan) -> Result<()> {
        let _ = (job, plan);
        Ok(())
    }

    /// An order is about to be written down and sent, which waits for this: a host may write something down first. An
    /// error keeps it from being sent, and means what it would mean from the provider: after `Unavailable`, the next
    /// offer is tried.
    async fn calling(&self, calling: &Calling<'_>) -> Result<()> {
        let _ = calling;
        Ok(())
    }

    /// A call has ended.
    fn called(&self, calling: &Calling<'_>, result: Result<&Outcome, &Error>) {
        let _ = (calling, result);
    }

    /// A job has ended.
    fn ended(&self, job: &Job, result: Result<&Outcome, &Error>) {
        let _ = (job, result);
    }
}

/// An order of a job.
#[derive(Clone, Copy, Debug)]
pub struct Calling<'a> {
    /// The id of the job.
    pub job: &'a str,
    /// The id of the order.
    pub order: &'a str,
    /// Who takes it.
    pub offer: &'a str,
    /// What is asked for, as it was adapted.
    pub request: &'a ImageRequest,
    /// What it may cost.
    pub estimate: Estimate,
}

/// A host that looks at nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Nobody;

#[async_trait]
impl Hooks for Nobody {}
