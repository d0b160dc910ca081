-- Jobs whose callers went away before their answers were written: an equal call takes one.
CREATE TABLE repaint_left (
    job TEXT PRIMARY KEY NOT NULL,
    print TEXT NOT NULL,
    until_ms INTEGER NOT NULL
) STRICT;

CREATE INDEX repaint_left_by_print ON repaint_left (print, until_ms);
