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
 * database leaves store*.c, so that another database can stand behind it.
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
	STORE_INDEX,		/* read only: what store_export_index wrote */
};
/*
 * Opens; read-write creates (0640) and brings the schema up to date. A store
 * of a newer program is ERR_FAULT; read-only, one that is missing or older is
 * ERR_RETRY, since the registrar will see to it. Who reads needs no more than
 * group read on its files, which stay when the writer leaves.
 */
int	store_open(const char *path, enum store_mode, struct store **out,
	    struct err *);
void	store_free(struct store *);
OWNED_STRUCT_BY(store, store_free)
/* For the walls of who reads: the files that a store at path has, from 0 on.
 * False: there are no more. */
bool	store_file(const char *path, unsigned int i, char *out, size_t size);

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

/*
 * A copy of the store as it is in this moment, in one new file (0600) that
 * needs none beside it. Writers go on meanwhile.
 */
int	store_backup(struct store *, const char *path, struct err *);

/*
 * An index to carry away: what OCSP needs and nothing else (CAs, statuses, the
 * responder certificates that are not over), as it is in this moment, in one
 * new file (0640) with a seal at its end (common/index_seal.h). Writers go on
 * meanwhile. Opened as STORE_INDEX it answers store_each_ca (without CRLs),
 * store_each_responder, store_find_status, store_last_change and
 * store_changes_since as the store would have.
 */
struct store_index_facts {
	time_t		 at;		/* `now`: the store is read after it */
	uint64_t	 change;	/* the last one in it */
	uint64_t	 statuses, revoked;
};
int	store_export_index(struct store *, const char *path, time_t now,
	    struct store_index_facts *, struct err *);
/* Of an index: when the store was read for it. */
int	store_index_time(struct store *, time_t *out, struct err *);

/* --- CAs ------------------------------------------------------------- */
struct ca_row {
	int64_t		 id;
	const char	*name;
	const char	*parent;	/* "" for a root */
	struct bytes	 cert;		/* DER */
	uint8_t		 key_sha1[20];	/* of the SPKI's BIT STRING content */
	time_t		 not_before, not_after;
	uint64_t	 crl_number;	/* last one committed, of any CRL; 0:
					 * none yet */
	/* Of the last full CRL; with shards, of one of them. */
	time_t		 crl_this_update, crl_next_update;
	uint64_t	 crl_change;	/* change number it covers */
};
int	store_add_ca(struct store *, const struct ca_row *, int64_t *id,
	    struct err *);
/* A new certificate for the same key, in place of the one in the row: by id,
 * key_sha1, parent (which may be another generation), cert and dates. The
 * ones before stay as certificates of the CA. */
int	store_renew_ca(struct store *, const struct ca_row *, struct err *);
struct ca_certificate_row {
	int64_t		 ca_id;
	struct bytes	 cert;		/* DER */
	time_t		 not_before, not_after;
};
/* All certificates of a CA's key, oldest first. */
int	store_each_ca_certificate(struct store *, int64_t ca,
	    int (*fn)(const struct ca_certificate_row *, void *), void *,
	    struct err *);
/* Calls for each CA, by name. fn returns 0 to go on. */
int	store_each_ca(struct store *, int (*fn)(const struct ca_row *, void *),
	    void *, struct err *);
/* 0 found (fn called once), 1 not found, -1. */
int	store_find_ca(struct store *, const char *name,
	    int (*fn)(const struct ca_row *, void *), void *, struct err *);

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
	int64_t		 signer;	/* our certificate that it was signed
					 * with; 0: none */
	const char	*language;	/* to answer in; "" (or NULL) */
	const char	*detail;	/* of ca+DETAIL@; "" (or NULL) */
	const char	*file;		/* of a drop folder, 200 characters; ""
					 * (or NULL) */
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
/* Its sender confirmed: evidence and reply_to are these from now on. */
int	store_vouch(struct store *, int64_t submission, const char *evidence,
	    const char *reply_to, struct err *);

/* --- challenges (store_challenges.c) ----------------------------------- */
/* A mail that asks a sender to confirm (docs/architecture.md). The token is
 * known here by its SHA-256 only. */
struct challenge_row {
	int64_t		 id;
	uint8_t		 token_sha256[32];
	int64_t		 submission;
	const char	*mailbox;	/* which of ours sent it */
	const char	*recipient;	/* who alone may answer */
	time_t		 created_at, expires_at;
};
int	store_add_challenge(struct store *, const struct challenge_row *,
	    int64_t *id, struct err *);
/* An open one, by its token: 0 found, 1 none, -1. */
int	store_find_challenge(struct store *, const uint8_t token_sha256[32],
	    int (*fn)(const struct challenge_row *, void *), void *,
	    struct err *);
/* Answered, or over: it is not found any more. 1: it was before. */
int	store_settle_challenge(struct store *, int64_t id, bool answered,
	    time_t now, struct err *);
/* Open ones that expired before now. */
int	store_each_expired_challenge(struct store *, time_t now,
	    unsigned int limit, int (*fn)(const struct challenge_row *, void *),
	    void *, struct err *);
/* How many were sent since then, to that recipient or (NULL) to anybody. */
int	store_count_challenges(struct store *, const char *recipient,
	    time_t since, unsigned int *out, struct err *);

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
	enum request_state on_confirm;	/* while received: what its sender's
					 * word makes of it; 0: nothing */
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
	int64_t		 renews;	/* certificate's id; 0: a first one */
	bool		 no_mail;	/* nobody gets mail about this one */
	bool		 revoke_old;	/* the renewed one, once issued */
	/* From the submission, when read; not written. */
	const char	*principal, *evidence, *reply_to, *channel,
			*message_id, *references, *subject, *mailbox,
			*language, *file;
	time_t		 received_at;
	/* The certificate, when issued. */
	struct serial	 serial;	/* len 0: none */
	int64_t		 issuer;	/* which CA's (a generation's) id it
					 * bears; 0: none */
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
 * "the same key under another identity". 1: none. */
int	store_find_key(struct store *, const uint8_t spki_sha256[32],
	    int (*fn)(const struct request_row *, void *), void *,
	    struct err *);

/* The newest requests of a principal, newest first; at most limit, out of his
 * last 200 submissions. */
int	store_each_request_of(struct store *, const char *principal,
	    unsigned int limit, int (*fn)(const struct request_row *, void *),
	    void *, struct err *);

/* --- revocations that mails ask for (store_revocations.c) -------------- */
enum revocation_state {
	REVOCATION_HELD = 1,
	REVOCATION_REJECTED,
	REVOCATION_REVOKED,
};
const char *revocation_state_name(enum revocation_state);
int	revocation_state_from_name(const char *, enum revocation_state *);
struct revocation_row {
	int64_t		 id;
	int64_t		 submission;
	int64_t		 certificate;	/* its id; 0: none that we found */
	enum revocation_state state;
	const char	*serial_text;	/* as it was asked; "": it had none */
	enum crl_reason	 reason;
	const char	*rule;		/* which rule decided */
	const char	*why;		/* held or rejected; "" */
	time_t		 decided_at;
	const char	*decided_by;	/* principal; "" for policy */
	/* From the submission, when read; not written. */
	const char	*principal, *evidence, *reply_to, *mailbox,
			*message_id, *references, *subject, *language, *file;
	time_t		 received_at;
	/* Of the certificate, when read; id 0, "" and len 0: none. */
	int64_t		 ca_id;
	const char	*ca, *names_text;
	struct serial	 serial;
};
int	store_add_revocation(struct store *, const struct revocation_row *,
	    int64_t *id, struct err *);
/* 0 found (fn called once), 1 not found, -1. */
int	store_find_revocation(struct store *, int64_t id,
	    int (*fn)(const struct revocation_row *, void *), void *,
	    struct err *);
/* Paged by key: ids above `after`, at most limit. state 0: all. */
int	store_each_revocation(struct store *, enum revocation_state,
	    int64_t after, unsigned int limit,
	    int (*fn)(const struct revocation_row *, void *), void *,
	    struct err *);
/* In the order of the mail. */
int	store_each_revocation_of(struct store *, int64_t submission,
	    int (*fn)(const struct revocation_row *, void *), void *,
	    struct err *);
/* One that is held. 1: it is in another state by now, or not there. */
int	store_settle_revocation(struct store *, int64_t id,
	    enum revocation_state to, const char *decided_by, const char *why,
	    time_t now, struct err *);

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
	const char	*reply_to;	/* of the submission, or "file:" and
					 * its file; "" */
	const uint8_t	*spki_sha256;	/* 32 octets; NULL when unknown */
	uint16_t	 shard;		/* of the CRL that it names; 0: the
					 * only one. Fixed at issuance. */
	int64_t		 superseded_by;	/* id of its renewal; 0: none */
	const char	*origin;	/* "" (or NULL, written): ours;
					 * "openssl", "easy-rsa", ...: then der
					 * may be empty */
	/* When read; not written. len 0: none. */
	struct serial	 successor;	/* of superseded_by */
	struct serial	 renews;	/* which this one renews */
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
/* An imported row of which nothing but the serial was known gets its
 * certificate: der, key, names, profile, dates. What was said of its status
 * stays. 1: it has one, or there is no such row. */
int	store_complete_certificate(struct store *, const struct cert_row *,
	    struct err *);
/* ca 0: the serial under any CA; more than one match calls fn for each. */
int	store_find_certificate(struct store *, int64_t ca,
	    const struct serial *, int (*fn)(const struct cert_row *, void *),
	    void *, struct err *);
/* A certificate with this key that is in force, in the making or on hold, and
 * not over at `now`: 0 found (fn called once), 1 none, -1. */
int	store_find_key_in_use(struct store *, const uint8_t spki_sha256[32],
	    time_t now, int (*fn)(const struct cert_row *, void *), void *,
	    struct err *);
struct cert_filter {
	enum cert_state	 state;		/* 0: any */
	const char	*ca;		/* NULL: any */
	bool		 family;	/* ca is one's name: all generations */
	const char	*like;		/* names_text contains; NULL: any */
	time_t		 expires_before;	/* 0: any */
	time_t		 expires_after;	/* at that moment or later; 0: any */
	const uint8_t	*spki_sha256;	/* of this key; NULL: any */
	int		 superseded;	/* 1: only those; -1: the others; 0 */
	int64_t		 after;
	unsigned int	 limit;
};
int	store_each_certificate(struct store *, const struct cert_filter *,
	    int (*fn)(const struct cert_row *, void *), void *, struct err *);
/* 1: not there or not in force (already revoked, reserved, ...). A hold may
 * become final: its date stays, and reason and invalidity are the new ones. */
int	store_revoke(struct store *, int64_t ca, const struct serial *,
	    time_t at, enum crl_reason, time_t invalidity, struct err *);
/* A serial that is reserved or abandoned here, and was revoked all the same:
 * an older store learns of it. So it had been signed: a request that waits for
 * it, and for no other certificate, is issued by that, and not signed once
 * more. origin: who says so. 1: in another state. */
int	store_revoke_unissued(struct store *, int64_t ca, const struct serial *,
	    time_t at, enum crl_reason, time_t invalidity, const char *origin,
	    struct err *);
/* A hold is lifted: issued and good again. 1: it is not on hold. */
int	store_release_hold(struct store *, int64_t ca, const struct serial *,
	    time_t at, struct err *);

/* --- renewals, and what is over (store_renewals.c) --------------------- */
/* The request that renews this certificate and is not decided or not issued
 * yet: 0 found, 1 none, -1. */
int	store_find_renewal(struct store *, int64_t certificate,
	    int (*fn)(const struct request_row *, void *), void *,
	    struct err *);
/* What a request renews by itself: the newest certificate in force at `now`
 * with its key, made from a request of the same principal with the same names,
 * CA and profile. out: its id; 0: none. */
int	store_find_renewed(struct store *, const struct request_row *,
	    const char *principal, time_t now, int64_t *out, struct err *);
/* `old` (an id) has a successor: that serial of that CA. The first one
 * stays. */
int	store_supersede(struct store *, int64_t old, int64_t ca,
	    const struct serial *, struct err *);
/* Certificates that are to be revoked because the renewal is issued. */
struct replaced_row {
	int64_t		 request;	/* which renewal */
	const char	*decided_by;	/* who wanted it so */
	int64_t		 ca_id;
	struct serial	 serial;
};
int	store_each_replaced(struct store *, unsigned int limit,
	    int (*fn)(const struct replaced_row *, void *), void *,
	    struct err *);
/* That is done: request_row.revoke_old is false from now on. */
int	store_settle_replaced(struct store *, int64_t request, struct err *);
/* Issued certificates whose notAfter lies before now become expired, at most
 * limit; n: how many. What OCSP and CRLs say of them does not change. */
int	store_expire(struct store *, time_t now, unsigned int limit,
	    unsigned int *n, struct err *);

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
/* Changed statuses above `since`, in the order of their numbers. */
int	store_changes_since(struct store *, uint64_t since,
	    int (*fn)(const struct status_row *, void *), void *,
	    struct err *);

/* --- CRLs -------------------------------------------------------------- */
struct crl_row {
	int64_t		 ca_id;
	const char	*ca;
	struct crl_terms terms;		/* without addresses; number 0: the CA
					 * has none yet */
	uint64_t	 change;	/* the status that it equals */
	uint64_t	 entries;	/* 0 also before it is published */
};
/* Before a CRL is signed: terms, and the change number it will equal. Takes no
 * change number itself. ERR_FAULT: a number that is not above the last one of
 * the CA (a delta may share that of the full one made just before it, of the
 * same shard, thisUpdate and change), a thisUpdate before the last one, a base
 * that is not on record. */
int	store_reserve_crl(struct store *, int64_t ca, const struct crl_terms *,
	    uint64_t change, struct err *);
int	store_set_crl_entries(struct store *, int64_t ca,
	    const struct crl_terms *, uint64_t entries, struct err *);
/* The last full CRL and the last delta of each shard of every CA, full ones
 * first; by name and shard. */
int	store_each_crl(struct store *, int (*fn)(const struct crl_row *, void *),
	    void *, struct err *);
/* thisUpdate of the last full CRL of that shard which was made at `latest` or
 * earlier; 0: none. */
int	store_regular_crl(struct store *, int64_t ca, uint16_t shard,
	    time_t latest, time_t *out, struct err *);
/* The highest shard that a certificate or a CRL of the CA ever had, and
 * whether a certificate has none. */
int	store_find_shards(struct store *, int64_t ca, uint16_t *highest,
	    bool *has_unsharded, struct err *);
/*
 * What stands on a CRL, page by page in the order of (shard, change): rows
 * above (after_shard, after_change), to last_shard, with a change above
 * `since` (0: all; the base's for a delta), whose not_after is at least
 * expired_before. One list over several pages needs store_read_begin. The rows
 * are without not_after.
 */
struct crl_page {
	uint16_t	 after_shard, last_shard;
	uint64_t	 after_change;
	uint64_t	 since;
	time_t		 expired_before;
	unsigned int	 limit;
};
int	store_each_revoked(struct store *, int64_t ca, const struct crl_page *,
	    int (*fn)(const struct status_row *, void *), void *,
	    struct err *);
/* Holds that were lifted, and not set again: rows as a delta lists them, with
 * reason CRL_REMOVE_FROM_CRL and the date of that as revoked_at. */
int	store_each_released(struct store *, int64_t ca,
	    const struct crl_page *, int (*fn)(const struct status_row *,
	    void *), void *, struct err *);
/* The change number of the newest revocation or release in that shard, 0 for
 * none: a CRL whose change is at least that is not out of date. */
int	store_last_revocation(struct store *, int64_t ca, uint16_t shard,
	    uint64_t *out, struct err *);

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
	/* When read: it came back, and why (RFC 3464). 0: not that we know. */
	time_t		 bounced_at;
	const char	*bounce;
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
/* 0 found (fn called once), 1 not found, -1. */
int	store_find_outbox(struct store *, int64_t id,
	    int (*fn)(const struct outbox_row *, void *), void *,
	    struct err *);
/* The mail with that Message-ID came back. 1: there is none, or it is on
 * record already. */
int	store_set_bounced(struct store *, const char *message_id,
	    const char *why, time_t now, struct err *);
int	store_each_bounced(struct store *, int64_t after, unsigned int limit,
	    int (*fn)(const struct outbox_row *, void *), void *,
	    struct err *);
/* Due now: one that waits, has failed or came back. 1: there is none. */
int	store_retry_outbox(struct store *, int64_t id, time_t now,
	    struct err *);
/* sent, failed, or queued again for `next`; one attempt more. 1: not there,
 * or sent before. */
int	store_set_outbox(struct store *, int64_t id, enum outbox_state,
	    const char *answer, time_t next, time_t now, struct err *);
/* Queued again for `next`, without an attempt: why, it says. 1: there is
 * none that is queued. */
int	store_defer_outbox(struct store *, int64_t id, const char *why,
	    time_t next, struct err *);
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

/* --- keys --------------------------------------------------------------- */
/* Why a key is never certified again. */
enum key_block_kind {
	KEY_BLOCKED = 1,	/* by a person, or its private half was seen */
	KEY_COMPROMISED,	/* its certificates are revoked as well */
	KEY_WEAK,		/* stands in a list of weak keys */
};
const char *key_block_kind_name(enum key_block_kind);	/* "blocked", ... */
struct key_block_row {
	int64_t		 id;		/* key for paging */
	uint8_t		 spki_sha256[32];
	enum key_block_kind kind;
	const char	*why;
	time_t		 at;
};
/* Blocked before: the first kind and reason stay, but that compromised
 * replaces the others. */
int	store_block_key(struct store *, const uint8_t spki_sha256[32],
	    enum key_block_kind, const char *why, time_t now, struct err *);
/* The key of a certificate on record, as compromised; nothing when the key, or
 * the certificate, is not known. */
int	store_block_key_of(struct store *, int64_t ca, const struct serial *,
	    const char *why, time_t now, struct err *);
/* 0 blocked, and why (NULL: of no interest), 1 not. */
int	store_is_key_blocked(struct store *, const uint8_t spki_sha256[32],
	    enum key_block_kind *kind, struct err *);
/* In the order in which they were blocked: ids above `after`. */
int	store_each_blocked_key(struct store *, int64_t after,
	    unsigned int limit, int (*fn)(const struct key_block_row *,
	    void *), void *, struct err *);
/* Not those of lists: the last `limit` that were blocked one by one, the newest
 * first. */
int	store_each_last_blocked_key(struct store *, unsigned int limit,
	    int (*fn)(const struct key_block_row *, void *), void *arg,
	    struct err *err);

/* Moduli of lists such as Debian's openssl-blacklist: the last ten octets of
 * SHA-1 over "Modulus=HEX\n". 1: known before. */
#define WEAK_MODULUS_OCTETS	10
int	store_add_weak_modulus(struct store *,
	    const uint8_t digest[WEAK_MODULUS_OCTETS], struct err *);
/* 0 listed, 1 not. */
int	store_is_modulus_weak(struct store *,
	    const uint8_t digest[WEAK_MODULUS_OCTETS], struct err *);

/* Every RSA modulus that was seen, to find two that share a prime. */
struct modulus_row {
	int64_t		 id;		/* key for paging */
	const uint8_t	*spki_sha256;	/* 32 octets */
	struct bytes	 modulus;	/* big-endian, no zeros in front;
					 * 128..1024 octets */
	const char	*owner;		/* "request:12", "cert:SERIAL" */
};
/* 0 and its id (out may be NULL); 1: that SubjectPublicKeyInfo is on record,
 * with its first owner. */
int	store_add_modulus(struct store *, const struct modulus_row *,
	    int64_t *id, struct err *);
/* ids above `after`, in their order; at most limit. */
int	store_each_modulus(struct store *, int64_t after, unsigned int limit,
	    int (*fn)(const struct modulus_row *, void *), void *,
	    struct err *);
/* 0 found (fn called once), 1 not. */
int	store_find_modulus(struct store *, const uint8_t spki_sha256[32],
	    int (*fn)(const struct modulus_row *, void *), void *,
	    struct err *);
int	store_find_modulus_by_id(struct store *, int64_t id,
	    int (*fn)(const struct modulus_row *, void *), void *,
	    struct err *);
/* Those two share a prime. Known before: nothing happens. */
int	store_add_shared_prime(struct store *, int64_t modulus, int64_t other,
	    time_t now, struct err *);
/* Keys that share a prime and stand in a certificate in force. */
int	store_each_broken_key(struct store *, unsigned int limit,
	    int (*fn)(const struct modulus_row *, void *), void *,
	    struct err *);

/* --- counts for `csrmail status` ------------------------------------------ */
struct store_counts {
	uint64_t	held, approved, issued, revoked, queued, failed;
	uint64_t	held_revocations;	/* that mails ask for */
	time_t		oldest_queued;	/* 0: none */
};
int	store_count(struct store *, struct store_counts *, struct err *);

#endif
