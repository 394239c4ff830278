#include "common/store_private.h"

/* The columns of a row, in the order that its reader expects. */
#define CA_COLUMNS							\
	"SELECT ca.id, ca.name, coalesce(parent.name, ''), ca.cert,"	\
	" ca.key_sha1, ca.not_before, ca.not_after,"			\
	" coalesce((SELECT max(number) FROM crl WHERE issuer_id = ca.id), 0)," \
	" crl.this_update, crl.next_update, coalesce(crl.change, 0)"	\
	" FROM ca LEFT JOIN ca AS parent ON parent.id = ca.parent_id"	\
	" LEFT JOIN crl ON crl.issuer_id = ca.id AND crl.base = 0"	\
	" AND crl.number = (SELECT max(number) FROM crl"		\
	" WHERE issuer_id = ca.id AND base = 0)"
#define REQUEST_COLUMNS							\
	"SELECT r.id, r.submission_id, r.state, r.ca, r.profile,"	\
	" r.validity_s, r.csr, r.csr_digest, r.spki_sha256, r.names,"	\
	" r.names_text, r.key_text, r.rule, r.reason, r.ignored,"	\
	" r.decided_at, r.decided_by, s.principal, s.evidence,"		\
	" s.reply_to, s.channel, s.message_id, s.refs, s.subject,"	\
	" s.received_at, c.serial, s.mailbox, c.issuer_id,"		\
	" r.renews, r.no_mail, r.revoke_old, r.on_confirm, s.language," \
	" s.file"							\
	" FROM request AS r JOIN submission AS s ON s.id = r.submission_id" \
	" LEFT JOIN certificate AS c ON c.id = r.certificate_id"
#define CHALLENGE_COLUMNS						\
	"SELECT id, token_sha256, submission_id, mailbox, recipient,"	\
	" created_at, expires_at FROM challenge"
#define REVOCATION_COLUMNS						\
	"SELECT v.id, v.submission_id, v.certificate_id, v.state,"	\
	" v.serial_text, v.reason, v.rule, v.why, v.decided_at,"	\
	" v.decided_by, s.principal, s.evidence, s.reply_to, s.mailbox,"	\
	" s.message_id, s.refs, s.subject, s.language, s.received_at,"	\
	" c.issuer_id, ca.name, c.serial, c.names_text, s.file"		\
	" FROM revocation AS v JOIN submission AS s"			\
	" ON s.id = v.submission_id"					\
	" LEFT JOIN certificate AS c ON c.id = v.certificate_id"	\
	" LEFT JOIN ca ON ca.id = c.issuer_id"
#define CERTIFICATE_COLUMNS						\
	"SELECT c.id, c.issuer_id, ca.name, c.serial, c.request_id,"	\
	" c.state, c.not_before, c.not_after, c.issue_order, c.der,"	\
	" c.profile, c.names_text, t.revoked_at, t.reason, t.invalidity," \
	" CASE WHEN s.reply_to = '' AND s.file <> '' THEN 'file:' || s.file" \
	" ELSE coalesce(s.reply_to, '') END, c.spki_sha256, c.shard,"	\
	" c.superseded_by, c.origin,"					\
	" (SELECT serial FROM certificate WHERE id = c.superseded_by)," \
	" (SELECT serial FROM certificate WHERE id = r.renews)"		\
	" FROM certificate AS c JOIN ca ON ca.id = c.issuer_id"		\
	" LEFT JOIN status AS t"					\
	" ON t.issuer_id = c.issuer_id AND t.serial = c.serial"		\
	" LEFT JOIN request AS r ON r.id = c.request_id"		\
	" LEFT JOIN submission AS s ON s.id = r.submission_id"
#define CERTIFICATE_FILTER						\
	" AND (?3 = '' OR ca.name = ?3"					\
	" OR (?9 AND substr(ca.name, 1, length(?3) + 1) = ?3 || '~'))"	\
	" AND (?4 = '' OR instr(lower(c.names_text), lower(?4)) > 0)"	\
	" AND (?5 = 0 OR c.not_after < ?5)"				\
	" AND (?7 = 0 OR c.not_after >= ?7)"				\
	" AND (?8 IS NULL OR c.spki_sha256 = ?8)"			\
	" AND (?10 = 0 OR (?10 > 0) = (c.superseded_by IS NOT NULL))"	\
	" ORDER BY c.id LIMIT ?6"
#define STATUS_COLUMNS							\
	"SELECT issuer_id, serial, state, revoked_at, reason, invalidity," \
	" not_after, change, shard FROM status"
#define OUTBOX_COLUMNS							\
	"SELECT id, submission_id, request_id, state, mailbox, sender,"	\
	" recipient, message_id, message, attempts, next_attempt,"	\
	" last_answer, created_at, sent_at, bounced_at, bounce FROM outbox"

static const char *const sql[N_STATEMENTS] = {
	[Q_BEGIN] = "BEGIN IMMEDIATE",
	[Q_COMMIT] = "COMMIT",
	[Q_ROLLBACK] = "ROLLBACK",
	[Q_READ_BEGIN] = "BEGIN",
	[Q_SAVEPOINT] = "SAVEPOINT part",
	[Q_RELEASE] = "RELEASE part",
	[Q_ROLLBACK_TO] = "ROLLBACK TO part",

	[Q_NEXT_CHANGE] =
	    "UPDATE change_counter SET last = last + 1 RETURNING last",
	[Q_LAST_CHANGE] = "SELECT last FROM change_counter",

	/* --- store_ca.c --- */
	[Q_ADD_CA] =
	    "INSERT INTO ca (name, parent_id, cert, key_sha1, not_before,"
	    " not_after, change) VALUES (?1, CASE WHEN ?2 <> '' THEN"
	    " (SELECT id FROM ca WHERE name = ?2) END, ?3, ?4, ?5, ?6, ?7)",
	[Q_ADD_CA_CERTIFICATE] =
	    "INSERT INTO ca_certificate (ca_id, cert, not_before, not_after)"
	    " VALUES (?, ?, ?, ?)",
	/* The key stays: whoever asks by its hash finds the same CA. */
	[Q_RENEW_CA] =
	    "UPDATE ca SET cert = ?3, not_before = ?4, not_after = ?5,"
	    " change = ?6, parent_id = CASE WHEN ?2 <> '' THEN"
	    " (SELECT id FROM ca WHERE name = ?2) END"
	    " WHERE id = ?1 AND key_sha1 = ?7",
	[Q_EACH_CA_CERTIFICATE] =
	    "SELECT ca_id, cert, not_before, not_after FROM ca_certificate"
	    " WHERE ca_id = ? ORDER BY id",
	[Q_EACH_CA] = CA_COLUMNS " ORDER BY ca.name",
	[Q_FIND_CA] = CA_COLUMNS " WHERE ca.name = ?",

	/* --- store_requests.c --- */
	[Q_FIND_PLACE] =
	    "SELECT s.id, s.outcome FROM submission_place AS p"
	    " JOIN submission AS s ON s.id = p.submission_id"
	    " WHERE p.mailbox = ? AND p.uid_validity = ? AND p.uid = ?",
	[Q_FIND_IDENTITY] =
	    "SELECT id, outcome FROM submission WHERE identity = ?",
	[Q_ADD_PLACE] =
	    "INSERT INTO submission_place (mailbox, uid_validity, uid,"
	    " submission_id) VALUES (?, ?, ?, ?)",
	[Q_ADD_SUBMISSION] =
	    "INSERT INTO submission (channel, mailbox, identity, principal,"
	    " evidence, reply_to, message_id, refs, subject, outcome,"
	    " received_at, signer_id, language, detail, file)"
	    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
	[Q_SET_OUTCOME] = "UPDATE submission SET outcome = ? WHERE id = ?",
	[Q_VOUCH] =
	    "UPDATE submission SET evidence = ?, reply_to = ? WHERE id = ?",
	[Q_ADD_REQUEST] =
	    "INSERT INTO request (submission_id, state, ca, profile,"
	    " validity_s, csr, csr_digest, spki_sha256, names, names_text,"
	    " key_text, rule, reason, ignored, decided_at, decided_by, renews,"
	    " no_mail, revoke_old, on_confirm) VALUES"
	    " (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
	[Q_FIND_REQUEST] = REQUEST_COLUMNS " WHERE r.id = ?",
	[Q_EACH_REQUEST] = REQUEST_COLUMNS
	    " WHERE r.id > ? ORDER BY r.id LIMIT ?",
	[Q_EACH_REQUEST_IN] = REQUEST_COLUMNS
	    " WHERE r.id > ? AND r.state = ? ORDER BY r.id LIMIT ?",
	[Q_EACH_OF_SUBMISSION] = REQUEST_COLUMNS
	    " WHERE r.submission_id = ? ORDER BY r.id",
	[Q_EACH_REQUEST_OF] = REQUEST_COLUMNS
	    " WHERE r.submission_id IN (SELECT id FROM submission"
	    " WHERE principal = ? ORDER BY id DESC LIMIT 200)"
	    " ORDER BY r.id DESC LIMIT ?",
	[Q_DECIDE_REQUEST] =
	    "UPDATE request SET state = ?, decided_by = ?, reason = ?,"
	    " decided_at = ? WHERE id = ? AND state = ?",
	[Q_FIND_KEY] = REQUEST_COLUMNS
	    " WHERE r.spki_sha256 = ? AND r.state IN ('received', 'held',"
	    " 'approved', 'issued') ORDER BY r.id DESC LIMIT 1",
	[Q_SETTLE_REQUEST] =
	    "UPDATE request SET state = 'issued', certificate_id = ?1,"
	    " reason = 'its certificate was revoked before it was on record"
	    " here' WHERE id = ?2 AND state = 'approved'"
	    " AND NOT EXISTS (SELECT 1 FROM certificate WHERE request_id = ?2"
	    " AND state IN ('reserved', 'issued'))",
	[Q_ISSUE_REQUEST] =
	    "UPDATE request SET state = 'issued', certificate_id = ?"
	    " WHERE id = ?",

	/* --- store_challenges.c --- */
	[Q_ADD_CHALLENGE] =
	    "INSERT INTO challenge (token_sha256, submission_id, mailbox,"
	    " recipient, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?)",
	[Q_FIND_CHALLENGE] = CHALLENGE_COLUMNS
	    " WHERE token_sha256 = ? AND settled_at IS NULL",
	[Q_SETTLE_CHALLENGE] =
	    "UPDATE challenge SET settled_at = ?, answered = ?"
	    " WHERE id = ? AND settled_at IS NULL",
	[Q_EXPIRED_CHALLENGES] = CHALLENGE_COLUMNS
	    " WHERE settled_at IS NULL AND expires_at < ?"
	    " ORDER BY expires_at LIMIT ?",
	[Q_COUNT_CHALLENGES] =
	    "SELECT count(*) FROM challenge WHERE created_at >= ?",
	[Q_COUNT_CHALLENGES_TO] =
	    /* Few servers tell "User" from "user". */
	    "SELECT count(*) FROM challenge WHERE created_at >= ?"
	    " AND recipient = ? COLLATE NOCASE",

	/* --- store_revocations.c --- */
	[Q_ADD_REVOCATION] =
	    "INSERT INTO revocation (submission_id, certificate_id, state,"
	    " serial_text, reason, rule, why, decided_at, decided_by)"
	    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
	[Q_FIND_REVOCATION] = REVOCATION_COLUMNS " WHERE v.id = ?",
	[Q_EACH_REVOCATION] = REVOCATION_COLUMNS
	    " WHERE v.id > ? ORDER BY v.id LIMIT ?",
	[Q_EACH_REVOCATION_IN] = REVOCATION_COLUMNS
	    " WHERE v.id > ? AND v.state = ? ORDER BY v.id LIMIT ?",
	[Q_EACH_REVOCATION_OF] = REVOCATION_COLUMNS
	    " WHERE v.submission_id = ? ORDER BY v.id",
	[Q_SETTLE_REVOCATION] =
	    "UPDATE revocation SET state = ?, decided_by = ?, why = ?,"
	    " decided_at = ? WHERE id = ? AND state = 'held'",

	/* --- store_certificates.c --- */
	[Q_RESERVE] =
	    "INSERT INTO certificate (issuer_id, serial, request_id, state,"
	    " not_before, not_after, issue_order, profile, names_text,"
	    " spki_sha256, shard)"
	    " VALUES (?, ?, ?, 'reserved', ?, ?, ?, ?, ?, ?, ?)",
	[Q_ISSUE] =
	    "UPDATE certificate SET state = 'issued', der = ?"
	    " WHERE issuer_id = ? AND serial = ? AND state = 'reserved'"
	    " RETURNING id, request_id, not_after, shard",
	[Q_ABANDON] =
	    "UPDATE certificate SET state = 'abandoned'"
	    " WHERE issuer_id = ? AND serial = ? AND state = 'reserved'",
	[Q_ADD_CERTIFICATE] =
	    "INSERT INTO certificate (issuer_id, serial, request_id, state,"
	    " not_before, not_after, issue_order, der, profile, names_text,"
	    " spki_sha256, shard, origin)"
	    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
	[Q_COMPLETE_CERTIFICATE] =
	    "UPDATE certificate SET der = ?, not_before = ?, not_after = ?,"
	    " profile = ?, names_text = ?, spki_sha256 = ?"
	    " WHERE issuer_id = ? AND serial = ? AND der IS NULL"
	    " AND origin <> '' AND state NOT IN ('reserved', 'abandoned')",
	[Q_COMPLETE_STATUS] =
	    "UPDATE status SET not_after = ?, change = ?"
	    " WHERE issuer_id = ? AND serial = ?",
	[Q_FIND_SERIAL] = CERTIFICATE_COLUMNS
	    " WHERE c.serial = ? ORDER BY c.issuer_id",
	[Q_FIND_CERTIFICATE] = CERTIFICATE_COLUMNS
	    " WHERE c.serial = ? AND c.issuer_id = ?",
	/* By the key's index, and no other. */
	[Q_EACH_OF_KEY] = CERTIFICATE_COLUMNS
	    " WHERE c.spki_sha256 = ?8 AND +c.id > ?1"
	    " AND (?2 = '' OR +c.state = ?2)" CERTIFICATE_FILTER,
	[Q_EACH_CERTIFICATE] = CERTIFICATE_COLUMNS
	    " WHERE c.id > ?1 AND ?2 = ''" CERTIFICATE_FILTER,
	[Q_EACH_CERTIFICATE_IN] = CERTIFICATE_COLUMNS
	    " WHERE c.id > ?1 AND c.state = ?2" CERTIFICATE_FILTER,
	/* Few of many: by their end. */
	[Q_EACH_EXPIRING] = CERTIFICATE_COLUMNS
	    " WHERE c.state = 'issued' AND c.not_after >= ?7"
	    " AND c.not_after < ?5 AND +c.id > ?1 AND ?2 = 'issued'"
	    CERTIFICATE_FILTER,
	[Q_FIND_KEY_IN_USE] = CERTIFICATE_COLUMNS
	    " WHERE c.spki_sha256 = ?1 AND c.not_after >= ?2"
	    " AND (c.state IN ('reserved', 'issued')"
	    " OR (c.state = 'revoked' AND t.reason = 6)) LIMIT 1",
	[Q_REVOKE_UNISSUED] =
	    "UPDATE certificate SET state = 'revoked', origin = ?"
	    " WHERE issuer_id = ? AND serial = ?"
	    " AND state IN ('reserved', 'abandoned')"
	    " RETURNING not_after, shard, id, request_id",
	[Q_REVOKE] =
	    "UPDATE certificate SET state = 'revoked'"
	    " WHERE issuer_id = ?1 AND serial = ?2"
	    " AND (state IN ('issued', 'expired')"
	    " OR (state = 'revoked' AND ?3 <> 6 AND EXISTS (SELECT 1"
	    " FROM status WHERE issuer_id = ?1 AND serial = ?2"
	    " AND reason = 6)))",
	[Q_RELEASE_HOLD] =
	    "UPDATE certificate SET state = 'issued'"
	    " WHERE issuer_id = ?1 AND serial = ?2 AND state = 'revoked'"
	    " AND EXISTS (SELECT 1 FROM status"
	    " WHERE issuer_id = ?1 AND serial = ?2 AND reason = 6)",

	/* --- store_renewals.c --- */
	[Q_FIND_RENEWAL] = REQUEST_COLUMNS
	    " WHERE r.renews = ? AND r.state IN ('received', 'held',"
	    " 'approved') LIMIT 1",
	[Q_FIND_RENEWED] =
	    "SELECT c.id FROM certificate AS c"
	    " JOIN request AS r ON r.id = c.request_id"
	    " JOIN submission AS s ON s.id = r.submission_id"
	    " WHERE c.spki_sha256 = ? AND c.state = 'issued'"
	    " AND c.not_after >= ? AND r.ca = ? AND r.profile = ?"
	    " AND r.names = ? AND s.principal = ? ORDER BY c.id DESC LIMIT 1",
	[Q_SUPERSEDE] =
	    "UPDATE certificate SET superseded_by = coalesce(superseded_by,"
	    " (SELECT id FROM certificate WHERE issuer_id = ? AND serial = ?))"
	    " WHERE id = ?",
	[Q_EACH_REPLACED] =
	    "SELECT r.id, r.decided_by, c.issuer_id, c.serial"
	    " FROM request AS r JOIN certificate AS c ON c.id = r.renews"
	    " WHERE r.revoke_old = 1 AND r.state = 'issued'"
	    " ORDER BY r.id LIMIT ?",
	[Q_SETTLE_REPLACED] =
	    "UPDATE request SET revoke_old = 0 WHERE id = ?",
	[Q_EXPIRE] =
	    "UPDATE certificate SET state = 'expired' WHERE id IN"
	    " (SELECT id FROM certificate INDEXED BY certificate_by_end"
	    " WHERE state = 'issued' AND not_after < ?"
	    " ORDER BY not_after LIMIT ?)",

	/* --- store_certificates.c: the revocation index --- */
	[Q_ADD_STATUS] =
	    "INSERT INTO status (issuer_id, serial, state, revoked_at,"
	    " reason, invalidity, not_after, change, shard)"
	    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
	[Q_REVOKE_STATUS] =
	    "UPDATE status SET state = 2,"
	    " revoked_at = coalesce(revoked_at, ?1), reason = ?2,"
	    " invalidity = ?3, change = ?4, released_at = NULL"
	    " WHERE issuer_id = ?5 AND serial = ?6",
	[Q_RELEASE_STATUS] =
	    "UPDATE status SET state = 1, revoked_at = NULL, reason = NULL,"
	    " invalidity = NULL, released_at = ?, change = ?"
	    " WHERE issuer_id = ? AND serial = ? AND state = 2",
	[Q_FIND_STATUS] = STATUS_COLUMNS
	    " WHERE issuer_id = ? AND serial = ?",
	[Q_CHANGES_SINCE] = STATUS_COLUMNS
	    " WHERE change > ? ORDER BY change",

	/* --- store_crl.c --- */
	/*
	 * A number is above all before it, but that a delta may share the
	 * one of the full CRL made in the same moment; thisUpdate never goes
	 * back (RFC 5280, 5.2.3).
	 */
	[Q_ADD_CRL] =
	    "INSERT INTO crl (issuer_id, number, this_update, next_update,"
	    " change, shard, base) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7"
	    " WHERE NOT EXISTS (SELECT 1 FROM"
	    " (SELECT * FROM crl WHERE issuer_id = ?1"
	    " ORDER BY number DESC, base DESC LIMIT 1) AS last"
	    " WHERE last.this_update > ?3 OR last.number > ?2"
	    " OR (last.number = ?2 AND NOT (?7 > 0 AND last.base = 0"
	    " AND last.shard = ?6 AND last.this_update = ?3"
	    " AND last.change = ?5)))"
	    " AND (?7 = 0 OR EXISTS (SELECT 1 FROM crl WHERE issuer_id = ?1"
	    " AND shard = ?6 AND base = 0 AND number = ?7))",
	[Q_SET_CRL_ENTRIES] =
	    "UPDATE crl SET entries = ? WHERE issuer_id = ? AND number = ?"
	    " AND base = ? AND shard = ?",
	/* With max() the other columns are those of its row. */
	[Q_EACH_CRL] =
	    "SELECT ca.id, shard, coalesce(max(number), 0), base,"
	    " this_update, next_update, crl.change, entries, name"
	    " FROM ca LEFT JOIN crl ON issuer_id = ca.id"
	    " GROUP BY ca.id, shard, base = 0"
	    " ORDER BY name, shard, base = 0 DESC",
	[Q_REGULAR_CRL] =
	    "SELECT this_update FROM crl INDEXED BY crl_by_shard"
	    " WHERE issuer_id = ? AND shard = ? AND base = 0"
	    " AND this_update <= ? ORDER BY number DESC LIMIT 1",
	[Q_MAX_SHARD] =
	    "SELECT max(coalesce((SELECT max(shard) FROM status"
	    " WHERE issuer_id = ?1 AND shard > 0), 0),"
	    " coalesce((SELECT max(shard) FROM crl WHERE issuer_id = ?1),"
	    " 0))",
	[Q_HAS_UNSHARDED] =
	    "SELECT 1 FROM status WHERE issuer_id = ? AND shard = 0 LIMIT 1",
	[Q_EACH_REVOKED] =
	    "SELECT serial, revoked_at, reason, invalidity, change, shard"
	    " FROM status INDEXED BY status_revoked"
	    " WHERE state = 2 AND issuer_id = ?1"
	    " AND (shard, change) > (?2, ?3) AND shard <= ?4 AND change > ?5"
	    " AND not_after >= ?6 ORDER BY shard, change LIMIT ?7",
	/* As an entry of a delta: removeFromCRL. */
	[Q_EACH_RELEASED] =
	    "SELECT serial, released_at, 8, NULL, change, shard"
	    " FROM status INDEXED BY status_released"
	    " WHERE released_at IS NOT NULL AND issuer_id = ?1"
	    " AND (shard, change) > (?2, ?3) AND shard <= ?4 AND change > ?5"
	    " AND not_after >= ?6 ORDER BY shard, change LIMIT ?7",
	[Q_LAST_REVOCATION] =
	    "SELECT max(coalesce((SELECT max(change) FROM status"
	    " INDEXED BY status_revoked WHERE state = 2 AND issuer_id = ?1"
	    " AND shard = ?2), 0), coalesce((SELECT max(change) FROM status"
	    " INDEXED BY status_released WHERE released_at IS NOT NULL"
	    " AND issuer_id = ?1 AND shard = ?2), 0))",

	/* --- store_certificates.c: responders --- */
	[Q_ADD_RESPONDER] =
	    "INSERT INTO responder (issuer_id, key_sha1, cert, not_before,"
	    " not_after, change) VALUES (?, ?, ?, ?, ?, ?)",
	[Q_EACH_RESPONDER] =
	    "SELECT p.issuer_id, ca.name, p.key_sha1, p.cert, p.not_before,"
	    " p.not_after FROM responder AS p JOIN ca ON ca.id = p.issuer_id"
	    " ORDER BY p.id",
	[Q_COUNT_RESPONDERS] =
	    "SELECT count(*) FROM responder"
	    " WHERE issuer_id = ? AND not_before >= ?",

	/* --- store_outbox.c --- */
	[Q_ADD_OUTBOX] =
	    "INSERT INTO outbox (submission_id, request_id, state, mailbox,"
	    " sender, recipient, message_id, message, attempts,"
	    " next_attempt, last_answer, created_at)"
	    " VALUES (?, ?, 'queued', ?, ?, ?, ?, ?, 0, ?, '', ?)",
	[Q_EACH_DUE] = OUTBOX_COLUMNS
	    " WHERE state = 'queued' AND next_attempt <= ? AND id > ?"
	    " ORDER BY id LIMIT ?",
	[Q_NEXT_DUE] =
	    "SELECT min(next_attempt) FROM outbox WHERE state = 'queued'",
	[Q_EACH_OUTBOX] = OUTBOX_COLUMNS
	    " WHERE id > ? AND ? = '' ORDER BY id LIMIT ?",
	[Q_EACH_OUTBOX_IN] = OUTBOX_COLUMNS
	    " WHERE id > ? AND state = ? ORDER BY id LIMIT ?",
	[Q_FIND_OUTBOX] = OUTBOX_COLUMNS " WHERE id = ?",
	[Q_EACH_BOUNCED] = OUTBOX_COLUMNS
	    " WHERE id > ? AND bounced_at IS NOT NULL ORDER BY id LIMIT ?",
	[Q_SET_BOUNCED] =
	    "UPDATE outbox SET bounced_at = ?, bounce = ?"
	    " WHERE message_id = ? AND bounced_at IS NULL AND state <> 'queued'",
	[Q_RETRY_OUTBOX] =
	    "UPDATE outbox SET state = 'queued', next_attempt = ?,"
	    " sent_at = NULL, bounced_at = NULL, bounce = ''"
	    " WHERE id = ? AND (state <> 'sent' OR bounced_at IS NOT NULL)",
	[Q_SET_OUTBOX] =
	    "UPDATE outbox SET state = ?1, last_answer = ?2,"
	    " next_attempt = ?3, attempts = attempts + 1,"
	    " sent_at = CASE WHEN ?1 = 'sent' THEN ?4 END"
	    " WHERE id = ?5 AND state <> 'sent'",
	[Q_DEFER_OUTBOX] =
	    "UPDATE outbox SET last_answer = ?, next_attempt = ?"
	    " WHERE id = ? AND state = 'queued'",
	/* Certificates do not count: everybody gets theirs. */
	[Q_COUNT_REPLIES] =
	    "SELECT count(*) FROM outbox AS o WHERE o.recipient = ?"
	    " AND o.created_at >= ?"
	    " AND NOT EXISTS (SELECT 1 FROM request WHERE id = o.request_id"
	    " AND +state = 'issued')"
	    " AND NOT EXISTS (SELECT 1 FROM request WHERE o.request_id IS NULL"
	    " AND submission_id = o.submission_id AND +state = 'issued')",

	/* --- store_outbox.c: audit, counts --- */
	[Q_AUDIT_HEAD] =
	    "SELECT id, hash FROM audit ORDER BY id DESC LIMIT 1",
	[Q_ADD_AUDIT] =
	    "INSERT INTO audit (id, at, event, principal, object, detail,"
	    " hash) VALUES (?, ?, ?, ?, ?, ?, ?)",
	[Q_EACH_AUDIT] =
	    "SELECT id, at, event, principal, object, detail, hash"
	    " FROM audit WHERE id > ? ORDER BY id LIMIT ?",
	/* --- store_keys.c --- */
	[Q_BLOCK_KEY] =
	    "INSERT INTO key_block (spki_sha256, kind, why, at)"
	    " VALUES (?, ?, ?, ?) ON CONFLICT (spki_sha256) DO UPDATE"
	    " SET kind = excluded.kind, why = excluded.why, at = excluded.at"
	    " WHERE excluded.kind = 'compromised' AND kind <> 'compromised'",
	[Q_BLOCK_KEY_OF] =
	    "INSERT INTO key_block (spki_sha256, kind, why, at)"
	    " SELECT spki_sha256, 'compromised', ?3, ?4 FROM certificate"
	    " WHERE issuer_id = ?1 AND serial = ?2"
	    " AND spki_sha256 IS NOT NULL ON CONFLICT (spki_sha256) DO UPDATE"
	    " SET kind = excluded.kind, why = excluded.why, at = excluded.at"
	    " WHERE kind <> 'compromised'",
	[Q_IS_KEY_BLOCKED] =
	    "SELECT kind FROM key_block WHERE spki_sha256 = ?",
	[Q_EACH_BLOCKED_KEY] =
	    "SELECT id, spki_sha256, kind, why, at FROM key_block"
	    " WHERE id > ? ORDER BY id LIMIT ?",
	[Q_LAST_BLOCKED_KEYS] =
	    "SELECT id, spki_sha256, kind, why, at FROM key_block"
	    " WHERE kind <> 'weak' ORDER BY at DESC, id DESC LIMIT ?",
	[Q_ADD_WEAK_MODULUS] =
	    "INSERT OR IGNORE INTO weak_modulus (digest) VALUES (?)",
	[Q_IS_MODULUS_WEAK] =
	    "SELECT 1 FROM weak_modulus WHERE digest = ?",
	[Q_ADD_MODULUS] =
	    "INSERT INTO modulus (spki_sha256, modulus, owner)"
	    " VALUES (?, ?, ?) ON CONFLICT (spki_sha256) DO NOTHING",
	[Q_EACH_MODULUS] =
	    "SELECT id, spki_sha256, modulus, owner FROM modulus"
	    " WHERE id > ? ORDER BY id LIMIT ?",
	[Q_FIND_MODULUS] =
	    "SELECT id, spki_sha256, modulus, owner FROM modulus"
	    " WHERE spki_sha256 = ?",
	[Q_FIND_MODULUS_ID] =
	    "SELECT id, spki_sha256, modulus, owner FROM modulus"
	    " WHERE id = ?",
	[Q_ADD_SHARED_PRIME] =
	    "INSERT OR IGNORE INTO shared_prime (modulus_id, other_id, at)"
	    " VALUES (?, ?, ?)",
	[Q_EACH_BROKEN_KEY] =
	    "SELECT DISTINCT m.id, m.spki_sha256, m.modulus, m.owner"
	    " FROM shared_prime AS s JOIN modulus AS m"
	    " ON m.id IN (s.modulus_id, s.other_id) WHERE EXISTS"
	    " (SELECT 1 FROM certificate AS c"
	    " WHERE c.spki_sha256 = m.spki_sha256 AND c.state = 'issued')"
	    " ORDER BY m.id LIMIT ?",

	/* --- store_index.c --- */
	[Q_EACH_STATUS] = STATUS_COLUMNS " ORDER BY issuer_id, serial",
	[Q_EXPORTED] = "SELECT at FROM exported",
	[Q_INDEX_EXPORTED] = "INSERT INTO exported (id, at) VALUES (1, ?)",
	[Q_INDEX_CHANGE] =
	    "INSERT INTO change_counter (id, last) VALUES (1, ?)",
	[Q_INDEX_CA] =
	    "INSERT INTO ca (id, name, cert, key_sha1, not_before, not_after)"
	    " VALUES (?, ?, ?, ?, ?, ?)",
	[Q_INDEX_PARENT] =
	    "UPDATE ca SET parent_id = (SELECT id FROM ca WHERE name = ?2)"
	    " WHERE id = ?1",
	[Q_INDEX_RESPONDER] =
	    "INSERT INTO responder (issuer_id, key_sha1, cert, not_before,"
	    " not_after) VALUES (?, ?, ?, ?, ?)",
	[Q_INDEX_STATUS] =
	    "INSERT INTO status (issuer_id, serial, state, revoked_at,"
	    " reason, invalidity, not_after, change, shard)"
	    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
	/* Last: sorting is quicker than growing. */
	[Q_INDEX_BY_CHANGE] =
	    "CREATE UNIQUE INDEX status_by_change ON status (change)",

	[Q_COUNT] =
	    "SELECT (SELECT count(*) FROM request WHERE state = 'held'),"
	    " (SELECT count(*) FROM request WHERE state = 'approved'),"
	    " (SELECT count(*) FROM certificate WHERE state = 'issued'),"
	    " (SELECT count(*) FROM certificate WHERE state = 'revoked'),"
	    " (SELECT count(*) FROM outbox WHERE state = 'queued'),"
	    " (SELECT count(*) FROM outbox WHERE state = 'failed'),"
	    " (SELECT min(created_at) FROM outbox WHERE state = 'queued'),"
	    " (SELECT count(*) FROM revocation WHERE state = 'held')",
};

const char *
store_statement(enum statement which)
{
	return sql[which];
}
