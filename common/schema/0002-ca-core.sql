-- Generations of CAs, holds that are lifted, delta CRLs and shards, imported
-- and superseded certificates, keys and moduli that are on record.
-- Foreign keys are off while steps run; store_open looks at them afterwards.

-- An imported certificate may be known by its serial and dates only.
CREATE TABLE certificate_2 (
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
  spki_sha256 BLOB   CHECK (length(spki_sha256) = 32),
  shard      INTEGER NOT NULL DEFAULT 0 CHECK (shard BETWEEN 0 AND 1024),   -- of the CRL it names; 0: the only one
  superseded_by INTEGER REFERENCES certificate(id),                        -- its renewal
  origin     TEXT    NOT NULL DEFAULT '' CHECK (length(origin) <= 64),      -- '' ours; 'openssl', 'easy-rsa', ...
  CHECK (der IS NOT NULL OR state IN ('reserved', 'abandoned') OR origin <> ''),
  UNIQUE (issuer_id, serial)
) STRICT;
INSERT INTO certificate_2 (id, issuer_id, serial, request_id, state, not_before, not_after, issue_order, der, profile, names_text, spki_sha256)
  SELECT c.id, c.issuer_id, c.serial, c.request_id, c.state, c.not_before, c.not_after, c.issue_order, c.der, c.profile, c.names_text, r.spki_sha256
  FROM certificate AS c LEFT JOIN request AS r ON r.id = c.request_id;
DROP TABLE certificate;
ALTER TABLE certificate_2 RENAME TO certificate;
CREATE INDEX certificate_by_state ON certificate (state, id);
CREATE INDEX certificate_by_serial ON certificate (serial);
CREATE INDEX certificate_by_key ON certificate (spki_sha256) WHERE spki_sha256 IS NOT NULL;
CREATE INDEX certificate_by_end ON certificate (not_after, id) WHERE state = 'issued';
-- A request has one certificate in force or in the making, never two.
CREATE UNIQUE INDEX certificate_by_request ON certificate (request_id)
  WHERE request_id IS NOT NULL AND state IN ('reserved', 'issued');
CREATE TRIGGER certificate_is_never_deleted BEFORE DELETE ON certificate
  BEGIN SELECT RAISE(ABORT, 'a serial is never forgotten'); END;

ALTER TABLE request ADD COLUMN renews INTEGER REFERENCES certificate(id);   -- none: a first one
ALTER TABLE request ADD COLUMN no_mail INTEGER NOT NULL DEFAULT 0 CHECK (no_mail IN (0, 1));
-- 1: what it renews is revoked once this is issued; 0 again when that is done.
ALTER TABLE request ADD COLUMN revoke_old INTEGER NOT NULL DEFAULT 0 CHECK (revoke_old = 0 OR (revoke_old = 1 AND renews IS NOT NULL));
CREATE INDEX request_by_renewed ON request (renews) WHERE renews IS NOT NULL;
CREATE INDEX request_revokes_old ON request (id) WHERE revoke_old = 1;

-- A CA that is renewed with the same key: all its certificates, the newest of
-- which stands in ca too.
CREATE TABLE ca_certificate (
  id         INTEGER PRIMARY KEY,
  ca_id      INTEGER NOT NULL REFERENCES ca(id),
  cert       BLOB    NOT NULL CHECK (length(cert) BETWEEN 1 AND 65536),
  not_before INTEGER NOT NULL,
  not_after  INTEGER NOT NULL CHECK (not_after > not_before),
  UNIQUE (ca_id, cert)
) STRICT;
INSERT INTO ca_certificate (ca_id, cert, not_before, not_after)
  SELECT id, cert, not_before, not_after FROM ca;

ALTER TABLE status ADD COLUMN shard INTEGER NOT NULL DEFAULT 0 CHECK (shard BETWEEN 0 AND 1024);
ALTER TABLE status ADD COLUMN released_at INTEGER CHECK (released_at IS NULL OR state = 1);  -- a hold was lifted
DROP INDEX status_revoked;
-- Holds all that a CRL needs, so that a million entries are one scan.
CREATE INDEX status_revoked ON status (issuer_id, shard, change, serial, state, revoked_at, reason, invalidity, not_after)
  WHERE state = 2;
CREATE INDEX status_released ON status (issuer_id, shard, change)
  WHERE released_at IS NOT NULL;
CREATE INDEX status_by_shard ON status (issuer_id, shard) WHERE shard > 0;

-- One row for each CRL, committed before it is signed. All CRLs of an issuer
-- share one sequence of numbers; a delta has the number of the full one that is
-- made in the same moment, if there is one (RFC 5280, 5.2.3).
CREATE TABLE crl_2 (
  issuer_id   INTEGER NOT NULL REFERENCES ca(id),
  shard       INTEGER NOT NULL CHECK (shard BETWEEN 0 AND 1024),           -- 0: the only one
  number      INTEGER NOT NULL CHECK (number > 0),
  base        INTEGER NOT NULL CHECK (base >= 0 AND base < number),        -- 0: full; RFC 5280, 5.2.4
  this_update INTEGER NOT NULL,
  next_update INTEGER NOT NULL CHECK (next_update > this_update),          -- RFC 5280, 5.1.2.5
  change      INTEGER NOT NULL CHECK (change >= 0),                        -- the status it equals
  entries     INTEGER,                                                     -- none until it is published
  PRIMARY KEY (issuer_id, number, base, shard)
) STRICT, WITHOUT ROWID;
INSERT INTO crl_2 SELECT issuer_id, 0, number, 0, this_update, next_update, change, NULL FROM crl;
DROP TABLE crl;
ALTER TABLE crl_2 RENAME TO crl;
CREATE INDEX crl_by_shard ON crl (issuer_id, shard, base, number);

-- Why a key is never certified again: 'blocked' by a person or because its
-- private half was seen, 'compromised' with a certificate, 'weak' by a list.
CREATE TABLE key_block_2 (
  id         INTEGER PRIMARY KEY,
  spki_sha256 BLOB   NOT NULL UNIQUE CHECK (length(spki_sha256) = 32),
  kind       TEXT    NOT NULL CHECK (kind IN ('blocked', 'compromised', 'weak')),
  why        TEXT    NOT NULL CHECK (length(why) <= 256),
  at         INTEGER NOT NULL
) STRICT;
INSERT INTO key_block_2 (spki_sha256, kind, why, at)
  SELECT spki_sha256, 'blocked', why, at FROM key_block;
DROP TABLE key_block;
ALTER TABLE key_block_2 RENAME TO key_block;

-- Keys of the lists that were made for Debian's weak generator: the last ten
-- octets of SHA-1 over "Modulus=HEX\n".
CREATE TABLE weak_modulus (
  digest     BLOB    NOT NULL PRIMARY KEY CHECK (length(digest) = 10)
) STRICT, WITHOUT ROWID;

-- Every RSA modulus that was seen, to find two that share a prime.
CREATE TABLE modulus (
  id          INTEGER PRIMARY KEY,
  spki_sha256 BLOB    NOT NULL UNIQUE CHECK (length(spki_sha256) = 32),
  modulus     BLOB    NOT NULL CHECK (length(modulus) BETWEEN 128 AND 1024), -- big-endian, no zeros in front
  owner       TEXT    NOT NULL CHECK (length(owner) <= 128)                 -- 'request:12', 'cert:SERIAL'
) STRICT;

-- Two of them that share a prime: who has both public keys has both private
-- ones. The later one was refused; what becomes of the other, a person decides.
CREATE TABLE shared_prime (
  modulus_id INTEGER NOT NULL REFERENCES modulus(id),
  other_id   INTEGER NOT NULL REFERENCES modulus(id),
  at         INTEGER NOT NULL,
  PRIMARY KEY (modulus_id, other_id),
  CHECK (modulus_id <> other_id)
) STRICT, WITHOUT ROWID;

PRAGMA user_version = 2;
