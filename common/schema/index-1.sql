-- An index to carry away: what OCSP needs of the store, and nothing else, as
-- it was at one moment. Columns as in the store's own schema, so that the same
-- questions are asked of both. No steps lead from one version to the next: a
-- new index is exported.

PRAGMA application_id = 1129534025;                                       -- "CSRI"

CREATE TABLE exported (
  id         INTEGER PRIMARY KEY CHECK (id = 1),
  at         INTEGER NOT NULL                                              -- the store was read then
) STRICT;

CREATE TABLE change_counter (
  id         INTEGER PRIMARY KEY CHECK (id = 1),
  last       INTEGER NOT NULL CHECK (last >= 0)
) STRICT;

CREATE TABLE ca (
  id         INTEGER PRIMARY KEY,
  name       TEXT    NOT NULL UNIQUE,
  parent_id  INTEGER REFERENCES ca(id),
  cert       BLOB    NOT NULL,
  key_sha1   BLOB    NOT NULL,
  not_before INTEGER NOT NULL,
  not_after  INTEGER NOT NULL
) STRICT;

-- Empty: CRLs travel as files.
CREATE TABLE crl (
  issuer_id   INTEGER NOT NULL,
  number      INTEGER NOT NULL,
  base        INTEGER NOT NULL,
  this_update INTEGER NOT NULL,
  next_update INTEGER NOT NULL,
  change      INTEGER NOT NULL
) STRICT;

CREATE TABLE responder (
  id         INTEGER PRIMARY KEY,
  issuer_id  INTEGER NOT NULL REFERENCES ca(id),
  key_sha1   BLOB    NOT NULL,
  cert       BLOB    NOT NULL,
  not_before INTEGER NOT NULL,
  not_after  INTEGER NOT NULL
) STRICT;

CREATE TABLE status (
  issuer_id  INTEGER NOT NULL,
  serial     BLOB    NOT NULL,
  state      INTEGER NOT NULL,
  revoked_at INTEGER,
  reason     INTEGER,
  invalidity INTEGER,
  not_after  INTEGER NOT NULL,
  change     INTEGER NOT NULL,
  shard      INTEGER NOT NULL,
  PRIMARY KEY (issuer_id, serial)
) STRICT, WITHOUT ROWID;

PRAGMA user_version = 1;
