-- What the CA knows. Times are Unix seconds, UTC; NULL is "never" or "none".
-- Bounds that an RFC states are checks here too, so that no program can store
-- what no certificate may carry. Applied in one transaction by store_open.

PRAGMA application_id = 1129534029;                                       -- "CSRM"

-- Every change to a row of status, ca or responder takes the next number in
-- the same transaction; ocspd asks for what lies above the last it has seen.
CREATE TABLE change_counter (
  id         INTEGER PRIMARY KEY CHECK (id = 1),
  last       INTEGER NOT NULL CHECK (last >= 0)
) STRICT;
INSERT INTO change_counter (id, last) VALUES (1, 0);

CREATE TABLE ca (
  id         INTEGER PRIMARY KEY,
  name       TEXT    NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 63),
  parent_id  INTEGER REFERENCES ca(id),                                    -- none for a root
  cert       BLOB    NOT NULL CHECK (length(cert) BETWEEN 1 AND 65536),
  key_sha1   BLOB    NOT NULL CHECK (length(key_sha1) = 20),               -- RFC 6960, 4.1.1
  not_before INTEGER NOT NULL,
  not_after  INTEGER NOT NULL CHECK (not_after > not_before),
  change     INTEGER NOT NULL UNIQUE
) STRICT;

-- One row for each CRL, committed before it is signed.
CREATE TABLE crl (
  issuer_id   INTEGER NOT NULL REFERENCES ca(id),
  number      INTEGER NOT NULL CHECK (number > 0),                         -- RFC 5280, 5.2.3
  this_update INTEGER NOT NULL,
  next_update INTEGER NOT NULL CHECK (next_update > this_update),          -- RFC 5280, 5.1.2.5
  change      INTEGER NOT NULL CHECK (change >= 0),                        -- the status it equals
  PRIMARY KEY (issuer_id, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE submission (
  id          INTEGER PRIMARY KEY,
  channel     TEXT    NOT NULL CHECK (channel IN ('mail', 'cli', 'file')),
  mailbox     TEXT    NOT NULL CHECK (length(mailbox) <= 64),
  identity    BLOB    NOT NULL UNIQUE CHECK (length(identity) = 32),
  principal   TEXT    NOT NULL CHECK (length(principal) BETWEEN 1 AND 320),
  evidence    TEXT    NOT NULL CHECK (length(evidence) <= 64),
  reply_to    TEXT    NOT NULL CHECK (length(reply_to) <= 254),            -- RFC 5321, 4.5.3.1.3
  message_id  TEXT    NOT NULL CHECK (length(message_id) <= 255),
  refs        TEXT    NOT NULL CHECK (length(refs) <= 1000),
  subject     TEXT    NOT NULL CHECK (length(subject) <= 200),
  outcome     TEXT    NOT NULL CHECK (outcome IN ('processed', 'held', 'rejected', 'unreadable')),
  received_at INTEGER NOT NULL
) STRICT;

-- Where a submission was seen: a mail that is delivered twice, or that comes
-- back with a new UIDVALIDITY, has several places.
CREATE TABLE submission_place (
  mailbox       TEXT    NOT NULL CHECK (length(mailbox) BETWEEN 1 AND 64),
  uid_validity  INTEGER NOT NULL CHECK (uid_validity BETWEEN 1 AND 4294967295), -- RFC 9051, 2.3.1.1
  uid           INTEGER NOT NULL CHECK (uid BETWEEN 1 AND 4294967295),
  submission_id INTEGER NOT NULL REFERENCES submission(id),
  PRIMARY KEY (mailbox, uid_validity, uid)
) STRICT, WITHOUT ROWID;

CREATE TABLE request (
  id             INTEGER PRIMARY KEY,
  submission_id  INTEGER NOT NULL REFERENCES submission(id),
  state          TEXT    NOT NULL CHECK (state IN ('received', 'rejected', 'held', 'approved', 'issued', 'lapsed', 'withdrawn')),
  ca             TEXT    NOT NULL CHECK (length(ca) <= 63),
  profile        TEXT    NOT NULL CHECK (length(profile) <= 63),
  validity_s     INTEGER NOT NULL CHECK (validity_s >= 0),
  csr            BLOB    NOT NULL CHECK (length(csr) <= 16384),
  csr_digest     BLOB    CHECK (length(csr_digest) = 32),
  spki_sha256    BLOB    CHECK (length(spki_sha256) = 32),
  names          BLOB    NOT NULL CHECK (length(names) <= 65536),
  names_text     TEXT    NOT NULL CHECK (length(names_text) <= 4096),
  key_text       TEXT    NOT NULL CHECK (length(key_text) <= 64),
  rule           TEXT    NOT NULL CHECK (length(rule) <= 64),
  reason         TEXT    NOT NULL CHECK (length(reason) <= 1000),
  ignored        TEXT    NOT NULL CHECK (length(ignored) <= 256),
  decided_at     INTEGER,
  decided_by     TEXT    NOT NULL CHECK (length(decided_by) <= 320),
  certificate_id INTEGER REFERENCES certificate(id),
  CHECK ((state = 'issued') = (certificate_id IS NOT NULL))
) STRICT;
CREATE INDEX request_by_state ON request (state, id);
CREATE INDEX request_by_key ON request (spki_sha256, id) WHERE spki_sha256 IS NOT NULL;
CREATE INDEX request_by_submission ON request (submission_id);

CREATE TABLE certificate (
  id         INTEGER PRIMARY KEY,
  issuer_id  INTEGER NOT NULL REFERENCES ca(id),
  serial     BLOB    NOT NULL CHECK (length(serial) BETWEEN 1 AND 20       -- RFC 5280, 4.1.2.2
                                     AND substr(serial, 1, 1) <> x'00'),
  request_id INTEGER REFERENCES request(id),                               -- none for CAs, responders, imports
  state      TEXT    NOT NULL CHECK (state IN ('reserved', 'abandoned', 'issued', 'revoked', 'expired', 'archived')),
  not_before INTEGER NOT NULL,
  not_after  INTEGER NOT NULL CHECK (not_after > not_before),
  issue_order BLOB   NOT NULL CHECK (length(issue_order) <= 131072),
  der        BLOB    CHECK (length(der) BETWEEN 1 AND 131072),
  profile    TEXT    NOT NULL CHECK (length(profile) <= 63),
  names_text TEXT    NOT NULL CHECK (length(names_text) <= 4096),
  CHECK (der IS NOT NULL OR state IN ('reserved', 'abandoned')),
  UNIQUE (issuer_id, serial)
) STRICT;
CREATE INDEX certificate_by_state ON certificate (state, id);
CREATE INDEX certificate_by_serial ON certificate (serial);
-- A request has one certificate in force or in the making, never two.
CREATE UNIQUE INDEX certificate_by_request ON certificate (request_id)
  WHERE request_id IS NOT NULL AND state IN ('reserved', 'issued');

-- The revocation index: all that ocspd reads, and CRLs. Narrow on purpose;
-- revocation date and reason stand here only.
CREATE TABLE status (
  issuer_id  INTEGER NOT NULL REFERENCES ca(id),
  serial     BLOB    NOT NULL CHECK (length(serial) BETWEEN 1 AND 20),
  state      INTEGER NOT NULL CHECK (state IN (1, 2)),                     -- good, revoked
  revoked_at INTEGER,
  reason     INTEGER CHECK (reason BETWEEN 0 AND 10 AND reason NOT IN (7, 8)), -- RFC 5280, 5.3.1
  invalidity INTEGER,                                                      -- RFC 5280, 5.3.2
  not_after  INTEGER NOT NULL,
  change     INTEGER NOT NULL UNIQUE,
  PRIMARY KEY (issuer_id, serial),
  FOREIGN KEY (issuer_id, serial) REFERENCES certificate (issuer_id, serial),
  CHECK ((state = 2) = (revoked_at IS NOT NULL)),
  CHECK ((state = 2) = (reason IS NOT NULL)),
  CHECK (state = 2 OR invalidity IS NULL)
) STRICT, WITHOUT ROWID;
-- Holds all that a CRL needs, so that a million entries are one scan.
CREATE INDEX status_revoked ON status (issuer_id, change, serial, state, revoked_at, reason, invalidity, not_after)
  WHERE state = 2;

CREATE TABLE responder (
  id         INTEGER PRIMARY KEY,
  issuer_id  INTEGER NOT NULL REFERENCES ca(id),
  key_sha1   BLOB    NOT NULL CHECK (length(key_sha1) = 20),               -- RFC 6960, 4.2.1: byKey
  cert       BLOB    NOT NULL CHECK (length(cert) BETWEEN 1 AND 65536),
  not_before INTEGER NOT NULL,
  not_after  INTEGER NOT NULL CHECK (not_after > not_before),
  change     INTEGER NOT NULL UNIQUE
) STRICT;
CREATE INDEX responder_by_issuer ON responder (issuer_id, not_before);

CREATE TABLE outbox (
  id            INTEGER PRIMARY KEY,
  submission_id INTEGER REFERENCES submission(id),
  request_id    INTEGER REFERENCES request(id),
  state         TEXT    NOT NULL CHECK (state IN ('queued', 'sent', 'failed')),
  mailbox       TEXT    NOT NULL CHECK (length(mailbox) <= 64),
  sender        TEXT    NOT NULL CHECK (length(sender) <= 254),            -- '' is <>: RFC 5321, 4.5.5
  recipient     TEXT    NOT NULL CHECK (length(recipient) BETWEEN 1 AND 254),
  message_id    TEXT    NOT NULL UNIQUE CHECK (length(message_id) BETWEEN 1 AND 255),
  message       BLOB    NOT NULL CHECK (length(message) BETWEEN 1 AND 1048576),
  attempts      INTEGER NOT NULL CHECK (attempts >= 0),
  next_attempt  INTEGER NOT NULL,
  last_answer   TEXT    NOT NULL CHECK (length(last_answer) <= 512),
  created_at    INTEGER NOT NULL,
  sent_at       INTEGER,
  CHECK ((state = 'sent') = (sent_at IS NOT NULL))
) STRICT;
CREATE INDEX outbox_due ON outbox (next_attempt) WHERE state = 'queued';
CREATE INDEX outbox_by_state ON outbox (state, id);
CREATE INDEX outbox_by_recipient ON outbox (recipient, created_at);

-- Append-only; hash covers the row and the hash of the row before it.
CREATE TABLE audit (
  id         INTEGER PRIMARY KEY CHECK (id > 0),
  at         INTEGER NOT NULL,
  event      TEXT    NOT NULL CHECK (length(event) BETWEEN 1 AND 64),
  principal  TEXT    NOT NULL CHECK (length(principal) <= 320),
  object     TEXT    NOT NULL CHECK (length(object) <= 128),
  detail     TEXT    NOT NULL CHECK (length(detail) <= 4096),
  hash       BLOB    NOT NULL CHECK (length(hash) = 32)
) STRICT;
CREATE TRIGGER audit_is_never_changed BEFORE UPDATE ON audit
  BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;
CREATE TRIGGER audit_is_never_shortened BEFORE DELETE ON audit
  BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;

CREATE TABLE key_block (
  spki_sha256 BLOB   NOT NULL PRIMARY KEY CHECK (length(spki_sha256) = 32),
  why        TEXT    NOT NULL CHECK (length(why) <= 256),
  at         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What is issued stays issued, and what is revoked is not taken back.
CREATE TRIGGER request_issued_is_final BEFORE UPDATE OF state, certificate_id ON request
  WHEN old.state = 'issued'
  BEGIN SELECT RAISE(ABORT, 'an issued request stays issued'); END;
CREATE TRIGGER certificate_is_never_deleted BEFORE DELETE ON certificate
  BEGIN SELECT RAISE(ABORT, 'a serial is never forgotten'); END;
CREATE TRIGGER status_is_never_deleted BEFORE DELETE ON status
  BEGIN SELECT RAISE(ABORT, 'a serial is never forgotten'); END;

PRAGMA user_version = 1;
