//! A store that fails, for tests.

use async_trait::async_trait;
use repaint_core::{Budget, Error, ErrorKind, Filter, Period, Result, Spend, Store, Submit};

/// A store that does not answer.
#[derive(Debug)]
pub(crate) struct Deaf;

fn nothing<T>() -> Result<T> {
    Err(Error::new(ErrorKind::Unavailable, "nobody answers"))
}

#[async_trait]
impl Store for Deaf {
    async fn open(&self, _: &Submit) -> Result<()> {
        nothing()
    }

    async fn write(&self, _: &Submit) -> Result<()> {
        nothing()
    }

    async fn get(&self, _: &str) -> Result<Option<Submit>> {
        nothing()
    }

    async fn list(&self, _: &Filter) -> Result<Vec<Submit>> {
        nothing()
    }

    async fn spend(&self, _: u64, _: Option<&str>) -> Result<Vec<Spend>> {
        nothing()
    }

    async fn budgets(&self) -> Result<Vec<Budget>> {
        nothing()
    }

    async fn set_budget(&self, _: &Budget) -> Result<()> {
        nothing()
    }

    async fn remove_budget(&self, _: Option<&str>, _: Period) -> Result<bool> {
        nothing()
    }

    async fn claim(
        &self,
        _: Option<&str>,
        _: &str,
        _: &str,
        _: &str,
    ) -> Result<Option<(String, String)>> {
        nothing()
    }

    async fn leave(&self, _: &str, _: &str, _: u64) -> Result<()> {
        nothing()
    }

    async fn take(&self, _: &str, _: Option<&str>, _: u64) -> Result<Option<String>> {
        nothing()
    }

    async fn prune(&self, _: u64) -> Result<u64> {
        nothing()
    }

    async fn secret(&self) -> Result<[u8; 16]> {
        nothing()
    }
}
