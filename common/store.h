#ifndef COMMON_STORE_H
#define COMMON_STORE_H

#include "common/bytes.h"
#include "common/crl.h"
#include "common/owned.h"
#include "common/serial.h"

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct err;

/*
 * What the CA knows, on disk. Speaks the domain: no SQL and no type of the
 * database leaves store.c, so that another database can stand behind it.
 *
 * Times are Unix seconds UTC. ids are positive. Rows that a function yields
 * borrow from the store until the callback returns. Errors: ERR_RETRY when
 * the store is locked, the disk is full or I/O failed; ERR_FAULT when it is
 * corrupt or we are wrong; "not found" is a return value of 1, never an err.
 *
 * Callbacks return 0 to go on. Above 0 ends the walk quietly; -1 ends it and
 * the function returns -1, with err as the callback left it. They may use the
 * store, also the function that called them; they see their own writes.
 *
 * Every function that writes must run inside store_begin .. store_commit.
 * Text for people (subject, names_text, reason, ...) is cut to what the
 * schema allows; everything else beyond its bounds is refused (ERR_FAULT).
 */
struct store;

enum store_mode {
	STORE_READ_ONLY,	/* ocspd, `csrmail` without a daemon, doctor */
	STORE_READ_WRITE,	/* the registrar; ceremonies without a daemon */
};
/*
 * Opens; read-write creates (0640) and brings the schema up to date. A store
 * of a newer program is ERR_FAULT; read-only, one that is missing or older is
 * ERR_RETRY, since the registrar will see to it. The two files beside it
 * (-wal, -shm) stay when the writer leaves: who reads needs no more than group
 * read on the three.
 */
int	store_open(const char *path, enum store_mode, struct store **out,
	    struct err *);
void	store_free(struct store *);
OWNED_STRUCT_BY(store, store_free)

/* Takes the write lock. */
int	store_begin(struct store *, struct err *);
/* synchronous=FULL. When it fails, everything is rolled back already. */
int	store_commit(struct store *, struct err *);
void	store_rollback(struct store *);		/* never fails; none open: ok */
/* One part of a shared commit that may be taken back alone: savepoint, then
 * either release or rollback_to (which ends the savepoint too). */
int	store_savepoint(struct store *, struct err *);
int	store_release_savepoint(struct store *, struct err *);
void	store_rollback_to_savepoint(struct store *);
/* A read transaction over several look-ups; ended and begun anew each tick.
 * Not inside store_begin. */
int	store_read_begin(struct store *, struct err *);
void	store_read_end(struct store *);

/* --- CAs ------------------------------------------------------------- */
struct ca_row {
	int64_t		 id;
	const char	*name;
	const char	*parent;	/* "" for a root */
	struct bytes	 cert;		/* DER */
	uint8_t		 key_sha1[20];	/* of the SPKI's BIT STRING content */
	time_t		 not_before, not_after;
	uint64_t	 crl_number;	/* last one committed; 0: none yet */
	time_t		 crl_this_update, crl_next_update;
	uint64_t	 crl_change;	/* change number the last CRL covers */
};
int	store_add_ca(struct store *, const struct ca_row *, int64_t *id,
	    struct err *);
/* Calls for each CA, by name. fn returns 0 to go on. */
int	store_each_ca(struct store *, int (*fn)(const struct ca_row *, void *),
	    void *, struct err *);
/* 0 found (fn called once), 1 not found, -1. */
int	store_find_ca(struct store *, const char *name,
	    int (*fn)(const struct ca_row *, void *), void *, struct err *);
/* Before a CRL is signed: number, dates and the change number it will equal.
 * Takes no change number itself. A number that is not above the last one, or
 * a thisUpdate before the last one, is ERR_FAULT. */
int	store_reserve_crl(struct store *, int64_t ca, const struct crl_terms *,
	    uint64_t change, struct err *);

/* --- submissions and requests ---------------------------------------- */
struct submission_row {
	int64_t		 id;
	const char	*channel;	/* "mail", "cli", "file" */
	const char	*mailbox;	/* "" where there is none */
	uint32_t	 uid_validity, uid;
	uint8_t		 identity[32];	/* docs/architecture.md, "the same" */
	const char	*principal;	/* "mail:u@example.test", "unix:root" */
	const char	*evidence;	/* "auth,dkim"; "" for none */
	const char	*reply_to;	/* verified mailbox, or "" */
	const char	*message_id;	/* of the mail, without <>; or "" */
	const char	*references;	/* for threading the reply; or "" */
	const char	*subject;	/* decoded, cut at 200 characters */
	const char	*outcome;	/* folder: processed, held, rejected,
					 * unreadable */
	time_t		 received_at;
};
/* The same submission seen before? 0 and its id and outcome (size octets),
 * 1 when not. By (mailbox, uid_validity, uid) or by identity. A known
 * identity at another uid is put on record with that uid (so this writes). */
int	store_find_submission(struct store *, const struct submission_row *,
	    int64_t *id, char *outcome, size_t size, struct err *);
int	store_add_submission(struct store *, const struct submission_row *,
	    int64_t *id, struct err *);
int	store_set_outcome(struct store *, int64_t submission,
	    const char *outcome, struct err *);

enum request_state {
	REQUEST_RECEIVED = 1,
	REQUEST_REJECTED,
	REQUEST_HELD,
	REQUEST_APPROVED,	/* to be signed */
	REQUEST_ISSUED,
	REQUEST_LAPSED,
	REQUEST_WITHDRAWN,
};
const char *request_state_name(enum request_state);	/* "held", ... */
int	request_state_from_name(const char *, enum request_state *);

struct request_row {
	int64_t		 id;
	int64_t		 submission;
	enum request_state state;
	const char	*ca;
	const char	*profile;
	int64_t		 validity_s;	/* 0: the profile's default */
	struct bytes	 csr;		/* DER; empty when it was unreadable,
					 * or too large and rejected */
	const uint8_t	*csr_digest;	/* 32 octets, NULL when unknown */
	const uint8_t	*spki_sha256;	/* 32 octets, NULL when unknown */
	struct bytes	 names;		/* put_names */
	const char	*names_text;	/* names_describe */
	const char	*key_text;	/* "P-256", "RSA 2048" */
	const char	*rule;		/* which rule decided */
	const char	*reason;	/* why held or rejected */
	const char	*ignored;	/* requested extensions not copied */
	time_t		 decided_at;
	const char	*decided_by;	/* principal; "" for policy */
	/* From the submission, when read; not written. */
	const char	*principal, *evidence, *reply_to, *channel,
			*message_id, *references, *subject, *mailbox;
	time_t		 received_at;
	/* The certificate, when issued. */
	struct serial	 serial;	/* len 0: none */
};
int	store_add_request(struct store *, const struct request_row *,
	    int64_t *id, struct err *);
int	store_find_request(struct store *, int64_t id,
	    int (*fn)(const struct request_row *, void *), void *,
	    struct err *);
/* Paged by key: ids above `after`, at most limit. state 0: all. */
int	store_each_request(struct store *, enum request_state, int64_t after,
	    unsigned int limit, int (*fn)(const struct request_row *, void *),
	    void *, struct err *);
/* Every request of one submission, in the order of the mail. */
int	store_each_of_submission(struct store *, int64_t submission,
	    int (*fn)(const struct request_row *, void *), void *,
	    struct err *);
/* From `from` only: 1 when it is in another state by now, or not there. */
int	store_decide_request(struct store *, int64_t id,
	    enum request_state from, enum request_state to,
	    const char *decided_by, const char *reason, time_t now,
	    struct err *);
/* Newest issued or pending request with this key: for renewals and for
 * "the same key under another identity" (threats c3). 1: none. */
int	store_find_key(struct store *, const uint8_t spki_sha256[32],
	    int (*fn)(const struct request_row *, void *), void *,
	    struct err *);

/* --- certificates ----------------------------------------------------- */
enum cert_state {
	CERT_RESERVED = 1,
	CERT_ABANDONED,
	CERT_ISSUED,
	CERT_REVOKED,
	CERT_EXPIRED,
	CERT_ARCHIVED,
};
const char *cert_state_name(enum cert_state);
int	cert_state_from_name(const char *, enum cert_state *);

struct cert_row {
	int64_t		 id;		/* key for paging */
	int64_t		 ca_id;
	const char	*ca;
	struct serial	 serial;
	int64_t		 request;	/* 0: none */
	enum cert_state	 state;
	time_t		 not_before, not_after;
	struct bytes	 order;		/* order_encode; the frozen order */
	struct bytes	 der;		/* empty while reserved */
	const char	*profile;
	const char	*names_text;
	time_t		 revoked_at;	/* 0: never */
	enum crl_reason	 reason;
	time_t		 invalidity;	/* 0: none */
	const char	*reply_to;	/* of the submission; "" */
	const uint8_t	*spki_sha256;	/* 32 octets; NULL when unknown */
	uint16_t	 shard;		/* of the CRL that it names; 0: the
					 * only one. Fixed at issuance. */
	int64_t		 superseded_by;	/* id of its renewal; 0: none */
	const char	*origin;	/* "" (or NULL, written): ours;
					 * "openssl", "easy-rsa", ...: then der
					 * may be empty */
};
/* Reserve the serial and freeze the order: state reserved. 1: that serial is
 * taken, draw another. */
int	store_reserve(struct store *, const struct cert_row *, struct err *);
/* Issued: fills DER, adds the status row, links the request (-> issued,
 * whatever was decided meanwhile: the certificate exists). */
int	store_issue(struct store *, int64_t ca, const struct serial *,
	    struct bytes der, struct err *);
int	store_abandon(struct store *, int64_t ca, const struct serial *,
	    struct err *);
/* A certificate that we issued elsewhere or for ourselves (CAs, ocspd). */
int	store_add_certificate(struct store *, const struct cert_row *,
	    struct err *);
/* ca 0: the serial under any CA; more than one match calls fn for each. */
int	store_find_certificate(struct store *, int64_t ca,
	    const struct serial *, int (*fn)(const struct cert_row *, void *),
	    void *, struct err *);
struct cert_filter {
	enum cert_state	 state;		/* 0: any */
	const char	*ca;		/* NULL: any */
	const char	*like;		/* names_text contains; NULL: any */
	time_t		 expires_before;	/* 0: any */
	time_t		 expires_after;	/* at that moment or later; 0: any */
	const uint8_t	*spki_sha256;	/* of this key; NULL: any */
	int64_t		 after;
	unsigned int	 limit;
};
int	store_each_certificate(struct store *, const struct cert_filter *,
	    int (*fn)(const struct cert_row *, void *), void *, struct err *);
/* 1: not there or not in force (already revoked, reserved, ...). */
int	store_revoke(struct store *, int64_t ca, const struct serial *,
	    time_t at, enum crl_reason, time_t invalidity, struct err *);

/* --- the revocation index: all that ocspd reads, and CRLs ------------- */
enum status_state {
	STATUS_GOOD = 1,
	STATUS_REVOKED,
};
struct status_row {
	int64_t		 ca_id;
	struct serial	 serial;
	enum status_state state;
	time_t		 revoked_at;
	enum crl_reason	 reason;
	time_t		 invalidity;	/* 0: none */
	time_t		 not_after;
	uint64_t	 change;
	uint16_t	 shard;
};
/* 0 found, 1 never issued, -1. */
int	store_find_status(struct store *, int64_t ca, const struct serial *,
	    struct status_row *out, struct err *);
/* The number of the newest change to any status, CA or responder. */
int	store_last_change(struct store *, uint64_t *out, struct err *);
/* The change number of the newest revocation under the CA, 0 for none: a CRL
 * whose crl_change is at least that is not out of date. */
int	store_last_revocation(struct store *, int64_t ca, uint64_t *out,
	    struct err *);
/* Changed statuses above `since`, in the order of their numbers. */
int	store_changes_since(struct store *, uint64_t since,
	    int (*fn)(const struct status_row *, void *), void *,
	    struct err *);
/* Revoked and not expired before `expired_before` (not_after is at least
 * that), for a CRL; in the order of their change numbers. */
int	store_each_revoked(struct store *, int64_t ca, time_t expired_before,
	    int (*fn)(const struct status_row *, void *), void *,
	    struct err *);

/* --- OCSP responder certificates -------------------------------------- */
struct responder_row {
	int64_t		 ca_id;
	const char	*ca;
	uint8_t		 key_sha1[20];
	struct bytes	 cert;		/* DER */
	time_t		 not_before, not_after;
};
int	store_add_responder(struct store *, const struct responder_row *,
	    struct err *);
int	store_each_responder(struct store *,
	    int (*fn)(const struct responder_row *, void *), void *,
	    struct err *);
/* Responder certificates whose validity began since then (daily limit). */
int	store_count_responders(struct store *, int64_t ca, time_t since,
	    unsigned int *out, struct err *);

/* --- outbox ------------------------------------------------------------ */
enum outbox_state {
	OUTBOX_QUEUED = 1,
	OUTBOX_SENT,
	OUTBOX_FAILED,
};
struct outbox_row {
	int64_t		 id;
	int64_t		 submission;	/* 0: none */
	int64_t		 request;	/* 0: none */
	enum outbox_state state;
	const char	*mailbox;	/* which mailbox sends it */
	const char	*sender;	/* envelope */
	const char	*recipient;	/* envelope, exactly one */
	const char	*message_id;	/* without <>; fixed for ever */
	struct bytes	 message;	/* RFC 5322, CRLF */
	unsigned int	 attempts;
	time_t		 next_attempt;
	const char	*last_answer;	/* what the server said */
	time_t		 created_at, sent_at;
};
int	store_add_outbox(struct store *, const struct outbox_row *,
	    int64_t *id, struct err *);
int	store_each_due(struct store *, time_t now, int64_t after,
	    unsigned int limit, int (*fn)(const struct outbox_row *, void *),
	    void *, struct err *);
/* When the next queued row is due; 0: none is queued. */
int	store_next_due(struct store *, time_t *out, struct err *);
int	store_each_outbox(struct store *, enum outbox_state, int64_t after,
	    unsigned int limit, int (*fn)(const struct outbox_row *, void *),
	    void *, struct err *);
/* sent, failed, or queued again for `next`; one attempt more. 1: not there,
 * or sent before. */
int	store_set_outbox(struct store *, int64_t id, enum outbox_state,
	    const char *answer, time_t next, time_t now, struct err *);
/* Replies to one address since then. Certificates do not count: rows whose
 * request, or one of whose submission's when none is named, is issued. */
int	store_count_replies(struct store *, const char *recipient,
	    time_t since, unsigned int *out, struct err *);

/* --- audit -------------------------------------------------------------- */
/*
 * Append-only and hash-chained: each row's hash covers the row and the hash
 * of the one before (SHA-256; docs/architecture.md has the octets).
 * object: "request:12", "cert:SERIAL". detail: one line of text or JSON.
 * What the chain cannot show alone is that its last records are missing.
 */
struct audit_row {
	int64_t		 id;
	time_t		 at;
	const char	*event;		/* "cert.issued" */
	const char	*principal;
	const char	*object;
	const char	*detail;
	uint8_t		 hash[32];
};
int	store_audit(struct store *, time_t now, const char *event,
	    const char *principal, const char *object, const char *detail,
	    struct err *);
int	store_each_audit(struct store *, int64_t after, unsigned int limit,
	    int (*fn)(const struct audit_row *, void *), void *, struct err *);
/* 0 and the number of rows; -1 names the first row that does not fit. */
int	store_verify_audit(struct store *, uint64_t *rows, struct err *);

/* --- keys that are never certified again (threats b6, c3) ---------------- */
/* Blocked before: the first reason stays. */
int	store_block_key(struct store *, const uint8_t spki_sha256[32],
	    const char *why, time_t now, struct err *);
/* 0 blocked, 1 not. */
int	store_is_key_blocked(struct store *, const uint8_t spki_sha256[32],
	    struct err *);

/* --- counts for `csrmail status` ------------------------------------------ */
struct store_counts {
	uint64_t	held, approved, issued, revoked, queued, failed;
	time_t		oldest_queued;	/* 0: none */
};
int	store_count(struct store *, struct store_counts *, struct err *);

#endif
