-- Mail: challenges, bounces of our own mails, revocations that are asked for by
-- mail, who signed a submission, in which language to answer it.

-- A sender who confirmed by answering our challenge: the token is single use,
-- bound to one submission, and known here by its digest only. The requests of
-- the submission are 'received' until then, and lapse when it expires.
CREATE TABLE challenge (
  id           INTEGER PRIMARY KEY,
  token_sha256 BLOB    NOT NULL UNIQUE CHECK (length(token_sha256) = 32),
  submission_id INTEGER NOT NULL UNIQUE REFERENCES submission(id),
  mailbox      TEXT    NOT NULL CHECK (length(mailbox) BETWEEN 1 AND 64),    -- ours, that it went out from
  recipient    TEXT    NOT NULL CHECK (length(recipient) BETWEEN 1 AND 254), -- who alone may answer
  created_at   INTEGER NOT NULL,
  expires_at   INTEGER NOT NULL CHECK (expires_at > created_at),
  settled_at   INTEGER,                                                      -- answered or expired
  answered     INTEGER NOT NULL DEFAULT 0 CHECK (answered IN (0, 1)),
  CHECK (answered = 0 OR settled_at IS NOT NULL)
) STRICT;
CREATE INDEX challenge_open ON challenge (expires_at) WHERE settled_at IS NULL;
CREATE INDEX challenge_by_recipient ON challenge (recipient, created_at);
CREATE INDEX challenge_by_time ON challenge (created_at);

-- What a request becomes when its sender confirms: it is 'received' until then.
ALTER TABLE request ADD COLUMN on_confirm TEXT NOT NULL DEFAULT '' CHECK (on_confirm IN ('', 'held', 'approved'));

-- What evidence speaks of: the certificate of ours that a mail was signed with.
ALTER TABLE submission ADD COLUMN signer_id INTEGER REFERENCES certificate(id);
ALTER TABLE submission ADD COLUMN language TEXT NOT NULL DEFAULT '' CHECK (length(language) <= 16);
ALTER TABLE submission ADD COLUMN detail TEXT NOT NULL DEFAULT '' CHECK (length(detail) <= 64);  -- RFC 5233

-- What kind of mail it is, and that it came back (RFC 3464).
ALTER TABLE outbox ADD COLUMN kind TEXT NOT NULL DEFAULT 'reply' CHECK (kind IN ('reply', 'challenge', 'notice'));
ALTER TABLE outbox ADD COLUMN bounced_at INTEGER;
ALTER TABLE outbox ADD COLUMN bounce TEXT NOT NULL DEFAULT '' CHECK (length(bounce) <= 256);
CREATE INDEX outbox_bounced ON outbox (bounced_at) WHERE bounced_at IS NOT NULL;

-- A revocation that a mail asks for; decided by rules, like a request.
CREATE TABLE revocation (
  id            INTEGER PRIMARY KEY,
  submission_id INTEGER NOT NULL REFERENCES submission(id),
  certificate_id INTEGER REFERENCES certificate(id),                         -- none: not found here
  state         TEXT    NOT NULL CHECK (state IN ('held', 'rejected', 'revoked')),
  serial_text   TEXT    NOT NULL CHECK (length(serial_text) <= 64),          -- as it was asked
  reason        INTEGER NOT NULL CHECK (reason BETWEEN 0 AND 10 AND reason NOT IN (7, 8)), -- RFC 5280, 5.3.1
  rule          TEXT    NOT NULL CHECK (length(rule) <= 64),
  why           TEXT    NOT NULL CHECK (length(why) <= 256),
  decided_at    INTEGER,
  decided_by    TEXT    NOT NULL CHECK (length(decided_by) <= 320)
) STRICT;
CREATE INDEX revocation_by_state ON revocation (state, id);
CREATE INDEX revocation_by_submission ON revocation (submission_id);

PRAGMA user_version = 3;
