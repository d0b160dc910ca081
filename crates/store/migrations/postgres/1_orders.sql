-- A version of ours that is older may still be at work: a later migration only adds.

-- Orders, written before they are sent: no prompt, no image, no key.
CREATE TABLE repaint_submits (
    id TEXT COLLATE "C" PRIMARY KEY,
    job TEXT NOT NULL,
    account TEXT,
    offer TEXT COLLATE "C" NOT NULL,
    fingerprint TEXT NOT NULL,
    pictures BIGINT NOT NULL,
    -- Amounts are in millionths of a US dollar.
    estimate_low BIGINT NOT NULL,
    estimate_high BIGINT NOT NULL,
    state TEXT NOT NULL,
    cost BIGINT,
    -- JSON.
    handle TEXT,
    -- JSON.
    paths TEXT NOT NULL,
    error TEXT,
    created_ms BIGINT NOT NULL,
    updated_ms BIGINT NOT NULL,
    held_until_ms BIGINT NOT NULL,
    -- What it counts as in sums, by its state.
    low BIGINT NOT NULL,
    high BIGINT NOT NULL
);

CREATE INDEX repaint_submits_by_time ON repaint_submits (created_ms, high);
CREATE INDEX repaint_submits_by_account ON repaint_submits (account, created_ms, high);
CREATE INDEX repaint_submits_by_job ON repaint_submits (job);

-- What orders cost that are forgotten, by the day on which they were written first.
CREATE TABLE repaint_pruned (
    account TEXT,
    offer TEXT COLLATE "C" NOT NULL,
    day_ms BIGINT NOT NULL,
    orders BIGINT NOT NULL,
    low BIGINT NOT NULL,
    high BIGINT NOT NULL
);

-- An account of NULL is all together.
CREATE TABLE repaint_budgets (
    account TEXT COLLATE "C",
    period TEXT NOT NULL,
    amount BIGINT NOT NULL
);

CREATE UNIQUE INDEX repaint_budgets_one ON repaint_budgets ((account IS NULL), coalesce(account, ''), period);

-- Callers' own keys, so that a call that is repeated is not a second order.
CREATE TABLE repaint_claims (
    account TEXT,
    claimed TEXT NOT NULL,
    job TEXT NOT NULL,
    fingerprint TEXT NOT NULL
);

CREATE UNIQUE INDEX repaint_claims_one ON repaint_claims ((account IS NULL), coalesce(account, ''), claimed);
CREATE INDEX repaint_claims_by_job ON repaint_claims (job);

-- What fingerprints are made with; one row.
CREATE TABLE repaint_secret (
    one BIGINT PRIMARY KEY CHECK (one = 1),
    secret BYTEA NOT NULL
);
