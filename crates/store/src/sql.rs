//! What the stores in databases share besides their statements: migrations, and what goes wrong.

use std::borrow::Cow;

use repaint_core::{Error, ErrorKind};
use sqlx::SqlStr;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};

/// Why a statement, or what belongs to it, did not work.
pub(crate) enum Trouble {
    /// The database says so.
    Sql(sqlx::Error),
    /// We do.
    Said(Error),
}

impl From<sqlx::Error> for Trouble {
    fn from(err: sqlx::Error) -> Self {
        Self::Sql(err)
    }
}

impl From<Error> for Trouble {
    fn from(err: Error) -> Self {
        Self::Said(err)
    }
}

impl From<serde_json::Error> for Trouble {
    fn from(err: serde_json::Error) -> Self {
        // What was read was written by us, or by a newer version: it names no secret, but may quote one.
        let message = format!("it has a row that this version cannot read ({:?})", err.classify());
        Self::Said(Error::new(ErrorKind::Unavailable, message))
    }
}

/// The migrations of one kind of database, from the first on; what was released is never changed.
pub(crate) fn migrator(migrations: &[(&'static str, &'static str)]) -> Migrator {
    let migrations = (1..).zip(migrations).map(|(version, (what, sql))| {
        let (what, sql) = (Cow::Borrowed(*what), SqlStr::from_static(sql));
        Migration::new(version, what, MigrationType::Simple, sql, false)
    });
    let mut migrator = Migrator::with_migrations(migrations.collect());
    // A database may be shared with programs that have migrations of their own.
    migrator.dangerous_set_table_name("repaint_migrations");
    migrator
}

/// Why the store at a place could not be brought up to date.
pub(crate) fn not_migrated(place: &str, err: MigrateError) -> Result<Error, sqlx::Error> {
    let message = match err {
        MigrateError::Execute(err) | MigrateError::ExecuteMigration(err, _) => return Err(err),
        MigrateError::VersionMissing(version) => format!(
            "the store at {place} was made by a newer repaint (its tables are of version {version}): update this \
             one, or name another store"
        ),
        err => {
            format!("the store at {place} is not as repaint made it ({err}): name another store")
        }
    };
    Ok(unavailable(message))
}

pub(crate) fn unavailable(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Unavailable, message)
}
