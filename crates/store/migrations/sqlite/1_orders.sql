-- A version of ours that is older may still have the file open: a later migration only adds.

-- What tells our files from those of other programs.
PRAGMA application_id = 1919970932;

-- Orders, written before they are sent: no prompt, no image, no key.
CREATE TABLE repaint_submits (
    id TEXT PRIMARY KEY NOT NULL,
    job TEXT NOT NULL,
    account TEXT,
    offer TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    pictures INTEGER NOT NULL,
    -- Amounts are in millionths of a US dollar.
    estimate_low INTEGER NOT NULL,
    estimate_high INTEGER NOT NULL,
    state TEXT NOT NULL,
    cost INTEGER,
    -- JSON.
    handle TEXT,
    -- JSON.
    paths TEXT NOT NULL,
    error TEXT,
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL,
    held_until_ms INTEGER NOT NULL,
    -- What it counts as in sums, by its state.
    low INTEGER NOT NULL,
    high INTEGER NOT NULL
) STRICT;

CREATE INDEX repaint_submits_by_time ON repaint_submits (created_ms, high);
CREATE INDEX repaint_submits_by_account ON repaint_submits (account, created_ms, high);
CREATE INDEX repaint_submits_by_job ON repaint_submits (job);

-- What orders cost that are forgotten, by the day on which they were written first.
CREATE TABLE repaint_pruned (
    account TEXT,
    offer TEXT NOT NULL,
    day_ms INTEGER NOT NULL,
    orders INTEGER NOT NULL,
    low INTEGER NOT NULL,
    high INTEGER NOT NULL
) STRICT;

-- An account of NULL is all together.
CREATE TABLE repaint_budgets (
    account TEXT,
    period TEXT NOT NULL,
    amount INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX repaint_budgets_one ON repaint_budgets (account IS NULL, coalesce(account, ''), period);

-- Callers' own keys, so that a call that is repeated is not a second order.
CREATE TABLE repaint_claims (
    account TEXT,
    claimed TEXT NOT NULL,
    job TEXT NOT NULL,
    fingerprint TEXT NOT NULL
) STRICT;

CREATE UNIQUE INDEX repaint_claims_one ON repaint_claims (account IS NULL, coalesce(account, ''), claimed);
CREATE INDEX repaint_claims_by_job ON repaint_claims (job);

-- What fingerprints are made with; one row.
CREATE TABLE repaint_secret (
    one INTEGER PRIMARY KEY NOT NULL CHECK (one = 1),
    secret BLOB NOT NULL
) STRICT;
